//! The certificates that a device presents, the device's own first, and the search for the registered authority that
//! signed it: just-in-time registration (developer guide, "Just-in-time registration").
//!
//! Only the first certificate is the device's, for the handshake proved the possession of its key alone. The others
//! prove nothing; they may only say which of several registered authorities is meant.

use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::limits;
use gatehouse_domain::time::Timestamp;

use crate::ca::{CaCertificate, NotIssued};
use crate::certificate::{Certificate, CertificateRefusal};

/// What a device presented, as far as it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentedChain {
    device: Certificate,
    issuers: Vec<CertificateId>,
}

/// Why a certificate is not registered just in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainRefusal {
    /// Nothing was presented.
    #[error("no certificate was presented")]
    Empty,
    /// The device's certificate is longer than [`limits::CHAIN_CERTIFICATE_BYTES`].
    #[error("the certificate is longer than {} bytes", limits::CHAIN_CERTIFICATE_BYTES)]
    TooLong,
    /// The device's certificate cannot be read, or breaks a rule of registration.
    #[error(transparent)]
    Certificate(#[from] CertificateRefusal),
    /// None of the registered authorities has the name of its issuer.
    #[error("no registered CA certificate has the name of its issuer")]
    UnknownIssuer,
    /// One has the name, and did not sign it.
    #[error("the registered CA certificate with the name of its issuer did not sign it: {0}")]
    NotIssued(NotIssued),
    /// The one that signed it is not valid now.
    #[error("the CA certificate that signed it is not valid now: {0}")]
    Ca(CertificateRefusal),
}

impl PresentedChain {
    /// Reads what a device presented. Of the certificates after the first, those that are unreadable, too long or too
    /// many are passed over: they cannot do more than help.
    ///
    /// # Errors
    /// When the first certificate is missing, too long or unreadable.
    pub fn from_der<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, ChainRefusal> {
        let mut certificates = certificates.into_iter().take(limits::CHAIN_CERTIFICATES);
        let first = certificates.next().ok_or(ChainRefusal::Empty)?;
        let fits = |der: &&[u8]| der.len() <= limits::CHAIN_CERTIFICATE_BYTES;
        if !fits(&first) {
            return Err(ChainRefusal::TooLong);
        }
        let device = Certificate::from_der(first)?;
        let issuers = certificates
            .filter(fits)
            .filter_map(|der| Certificate::from_der(der).ok())
            .filter(|other| other.subject_der() == device.issuer_der())
            .map(|other| other.id())
            .collect();
        Ok(Self { device, issuers })
    }

    /// The device's own certificate.
    #[must_use]
    pub const fn device(&self) -> &Certificate {
        &self.device
    }

    /// The ids of the presented certificates that bear the name of the device's issuer, in the order presented. Without
    /// SNI, a registered authority among them tells the account.
    #[must_use]
    pub fn issuers(&self) -> &[CertificateId] {
        &self.issuers
    }

    /// The authority among `registered` that signed the device's certificate. Of several, renewed with one key, the one
    /// presented; else the first. No key is computed with twice, and no more than
    /// [`limits::CA_CERTIFICATES_PER_SUBJECT`] authorities with the issuer's name are looked at.
    ///
    /// # Errors
    /// Why the certificate cannot be registered.
    pub fn signer<'a>(
        &self,
        registered: &'a [CaCertificate],
        now: Timestamp,
    ) -> Result<&'a CaCertificate, ChainRefusal> {
        self.device.check_registrable(now)?;
        let signers = signers(&self.device, registered)?;
        let valid = |ca: &&&CaCertificate| ca.certificate().check_validity(now).is_ok();
        let presented = |ca: &&&CaCertificate| self.issuers.contains(&ca.id());
        let chosen = signers.iter().filter(valid).find(presented).or_else(|| signers.iter().find(valid));
        match (chosen, signers.first()) {
            (Some(ca), _) => Ok(ca),
            (None, Some(ca)) => {
                Err(ca.certificate().check_validity(now).err().map_or(ChainRefusal::UnknownIssuer, ChainRefusal::Ca))
            }
            (None, None) => Err(ChainRefusal::UnknownIssuer),
        }
    }
}

/// All of `registered` that signed `certificate`, in their order: more than one when an authority was renewed with its
/// key. No key is computed with twice, and no more than [`limits::CA_CERTIFICATES_PER_SUBJECT`] authorities with the
/// issuer's name are looked at. Says nothing about the validity of any.
///
/// # Errors
/// [`ChainRefusal::UnknownIssuer`], or why the last authority with the issuer's name did not sign it.
pub fn signers<'a>(
    certificate: &Certificate,
    registered: &'a [CaCertificate],
) -> Result<Vec<&'a CaCertificate>, ChainRefusal> {
    let named = registered
        .iter()
        .filter(|ca| ca.certificate().subject_der() == certificate.issuer_der())
        .take(limits::CA_CERTIFICATES_PER_SUBJECT);
    let mut tried: Vec<(&[u8], bool)> = Vec::new();
    let mut signers = Vec::new();
    let mut refusal = ChainRefusal::UnknownIssuer;
    for ca in named {
        let key = ca.certificate().spki_der();
        let known = tried.iter().find(|(other, _)| *other == key).map(|(_, signed)| *signed);
        let signed = known.unwrap_or_else(|| {
            let outcome = ca.has_issued(certificate);
            let signed = outcome.is_ok();
            if let Err(not_issued) = outcome {
                refusal = ChainRefusal::NotIssued(not_issued);
            }
            tried.push((key, signed));
            signed
        });
        if signed {
            signers.push(ca);
        }
    }
    if signers.is_empty() { Err(refusal) } else { Ok(signers) }
}
