//! Devices to connect with: P-256 certificates of their own making, as any fleet may have.

use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::time::Timestamp;
use gatehouse_pki::certificate::Certificate;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::Outcome;
use crate::authority::Authority;
use crate::options::KeyExchange;

/// Who connects.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) certificate: Arc<Certificate>,
    pub(crate) tls: Arc<ClientConfig>,
}

impl Identity {
    /// The certificate's id.
    pub(crate) fn id(&self) -> CertificateId {
        self.certificate.id()
    }
}

/// The present: the one look at the clock.
pub(crate) fn now() -> Timestamp {
    let since = UNIX_EPOCH.elapsed().unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Makes `count` devices that trust the root of `data`.
pub(crate) fn make(count: usize, data: &Path, key_exchange: KeyExchange) -> Outcome<Vec<Identity>> {
    identities(count, self_signed, trust(data)?, key_exchange)
}

/// Makes `count` devices of `authority` that trust it and the root of `data`. They present their certificate alone.
pub(crate) fn make_signed(
    count: usize,
    authority: &Authority,
    data: &Path,
    key_exchange: KeyExchange,
) -> Outcome<Vec<Identity>> {
    let mut roots = trust(data)?;
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes())?)?;
    identities(count, || authority.sign(), roots, key_exchange)
}

fn trust(data: &Path) -> Outcome<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(data.join("root-ca.pem"))? {
        roots.add(root?)?;
    }
    Ok(roots)
}

fn identities(
    count: usize,
    make: impl Fn() -> Outcome<(rcgen::Certificate, rcgen::KeyPair)>,
    roots: RootCertStore,
    key_exchange: KeyExchange,
) -> Outcome<Vec<Identity>> {
    let (roots, provider) = (Arc::new(roots), Arc::new(provider(key_exchange)));
    (0..count).map(|_| identity(make()?, &roots, &provider)).collect()
}

fn identity(
    (certificate, key): (rcgen::Certificate, rcgen::KeyPair),
    roots: &Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
) -> Outcome<Identity> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let tls = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(Arc::clone(roots))
        .with_client_auth_cert(vec![certificate.der().clone()], key)?;
    let certificate = Certificate::from_der(certificate.der())?;
    Ok(Identity { certificate: Arc::new(certificate), tls: Arc::new(tls) })
}

/// A certificate with a new key.
pub(crate) fn self_signed() -> Outcome<(rcgen::Certificate, rcgen::KeyPair)> {
    let key = rcgen::KeyPair::generate()?;
    Ok((wish()?.self_signed(&key)?, key))
}

/// A certification request with a new key, in PEM.
pub(crate) fn request() -> Outcome<String> {
    let key = rcgen::KeyPair::generate()?;
    Ok(wish()?.serialize_request(&key)?.pem()?)
}

/// What a device's certificate says besides its key.
pub(crate) fn wish() -> Outcome<rcgen::CertificateParams> {
    let mut wish = rcgen::CertificateParams::new(Vec::new())?;
    wish.distinguished_name.push(rcgen::DnType::CommonName, "bench device");
    Ok(wish)
}

fn provider(key_exchange: KeyExchange) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    match key_exchange {
        KeyExchange::Hybrid => {}
        KeyExchange::X25519 => provider.kx_groups = vec![aws_lc_rs::kx_group::X25519],
        KeyExchange::P256 => provider.kx_groups = vec![aws_lc_rs::kx_group::SECP256R1],
    }
    provider
}
