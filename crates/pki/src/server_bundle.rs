//! Server certificates that operators bring for domains of their own: a chain and its key, read from two files and
//! checked before anything is served (developer guide, "Creating and configuring customer managed domains").

use std::fmt;

use gatehouse_domain::host_name::HostName;
use gatehouse_domain::limits;
use gatehouse_domain::policy::AlternativeNameKind;
use gatehouse_domain::time::Timestamp;

use crate::authority::ServerChain;
use crate::certificate::{Certificate, CertificateRefusal};
use crate::server_key::{self, ServerKeyRefusal};
use crate::signature::{SignatureRefusal, verify_certificate_signature};

const END: &str = "-----END CERTIFICATE-----";

/// A chain with its key, which fit each other and may serve TLS.
pub struct ServerBundle {
    served: ServerChain,
    leaf: Certificate,
    names: Vec<String>,
}

/// Why a chain and a key do not serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerBundleRefusal {
    /// A certificate of the chain, counted from 1, cannot be read or breaks a rule.
    #[error("certificate {0} of the chain: {1}")]
    Certificate(usize, CertificateRefusal),
    /// More certificates than AWS takes.
    #[error("the chain has more than {} certificates: leave the root out", limits::SERVER_CHAIN_CERTIFICATES)]
    TooMany,
    /// More bytes than AWS takes.
    #[error("the chain has more than {} bytes", limits::SERVER_CHAIN_BYTES)]
    TooLong,
    /// A certificate of the chain, counted from 1, was not signed by the next.
    #[error(
        "certificate {0} of the chain was not issued by the one after it: order them from the server's to the CA's"
    )]
    Order(usize),
    /// A certificate of the chain, counted from 1, has a signature that the next does not bear out.
    #[error("the signature of certificate {0} of the chain: {1}")]
    Signature(usize, SignatureRefusal),
    /// An issuer in the chain, counted from 1, is no authority.
    #[error("certificate {0} of the chain is not a CA certificate, and cannot have issued another")]
    NotCa(usize),
    /// extendedKeyUsage does not name serverAuth.
    #[error("its extendedKeyUsage lacks serverAuth: clients would refuse it")]
    NotForServers,
    /// It names no host.
    #[error("it names no host: a DNS name in subjectAltName is needed")]
    NoName,
    /// The key does not serve.
    #[error("the private key: {0}")]
    Key(#[from] ServerKeyRefusal),
}

impl ServerBundle {
    /// Reads a chain, the server's certificate first, and its private key, both as PEM.
    ///
    /// # Errors
    /// The first rule that they break.
    pub fn read(chain_pem: &str, key_pem: &str) -> Result<Self, ServerBundleRefusal> {
        let chain = read_chain(chain_pem)?;
        let (first, _) = chain.split_first().ok_or(ServerBundleRefusal::NoName)?;
        let leaf = first.clone();
        if !leaf.may_serve_tls() {
            return Err(ServerBundleRefusal::NotForServers);
        }
        let names = host_names(&leaf);
        if names.is_empty() {
            return Err(ServerBundleRefusal::NoName);
        }
        let key = server_key::read(key_pem, leaf.spki_der())?;
        let chain = chain.into_iter().map(|certificate| certificate.der().to_vec()).collect();
        Ok(Self { served: ServerChain { chain, key }, leaf, names })
    }

    /// What TLS serves.
    #[must_use]
    pub const fn served(&self) -> &ServerChain {
        &self.served
    }

    /// When the server's certificate ends.
    #[must_use]
    pub const fn not_after(&self) -> Timestamp {
        self.leaf.not_after()
    }

    /// Whether the server's certificate is valid at `now`.
    ///
    /// # Errors
    /// That it is not yet, or no longer.
    pub fn check_validity(&self, now: Timestamp) -> Result<(), CertificateRefusal> {
        self.leaf.check_validity(now)
    }

    /// Whether the server's certificate names `host`.
    #[must_use]
    pub fn covers(&self, host: &HostName) -> bool {
        self.names.iter().any(|name| host.is_covered_by(name))
    }
}

/// Without the key.
impl fmt::Debug for ServerBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBundle").field("leaf", &self.leaf).field("names", &self.names).finish_non_exhaustive()
    }
}

/// The certificates of a PEM text, each issued by the next.
fn read_chain(text: &str) -> Result<Vec<Certificate>, ServerBundleRefusal> {
    let mut chain: Vec<Certificate> = Vec::new();
    let mut rest = text;
    // The first block must be there; what follows the last is no certificate.
    while chain.is_empty() || rest.contains("-----BEGIN CERTIFICATE-----") {
        if chain.len() == limits::SERVER_CHAIN_CERTIFICATES {
            return Err(ServerBundleRefusal::TooMany);
        }
        let number = chain.len().saturating_add(1);
        let end = rest.find(END).map_or(rest.len(), |at| at.saturating_add(END.len()));
        let (block, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let refused = |refusal| ServerBundleRefusal::Certificate(number, refusal);
        let certificate = Certificate::from_pem(block).map_err(refused)?;
        certificate.check_form().map_err(refused)?;
        chain.push(certificate);
        rest = behind;
    }
    if chain.iter().map(|certificate| certificate.der().len()).sum::<usize>() > limits::SERVER_CHAIN_BYTES {
        return Err(ServerBundleRefusal::TooLong);
    }
    for (number, pair) in (1..).zip(chain.windows(2)) {
        let [certificate, issuer] = pair else { continue };
        check_issued(number, certificate, issuer)?;
    }
    Ok(chain)
}

fn check_issued(number: usize, certificate: &Certificate, issuer: &Certificate) -> Result<(), ServerBundleRefusal> {
    if certificate.issuer_der() != issuer.subject_der() {
        return Err(ServerBundleRefusal::Order(number));
    }
    if !issuer.is_ca() || !issuer.may_sign_certificates() {
        return Err(ServerBundleRefusal::NotCa(number.saturating_add(1)));
    }
    verify_certificate_signature(
        issuer.spki_der(),
        certificate.signature_algorithm(),
        certificate.tbs_der(),
        certificate.signature(),
    )
    .map_err(|refusal| ServerBundleRefusal::Signature(number, refusal))
}

/// The hosts that a certificate names. Where there are DNS names among its alternative names, the common name counts for
/// nothing.
fn host_names(certificate: &Certificate) -> Vec<String> {
    let names = certificate.names();
    let alternative: Vec<String> =
        names.subject_alternative.values(AlternativeNameKind::DnsName).map(str::to_owned).collect();
    if alternative.is_empty() { certificate.common_names() } else { alternative }
}
