//! The TLS library's configurations: one for each protocol and ALPN answer.

use std::sync::Arc;

use gatehouse_pki::authority::ServerChain;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, ServerConfig, SignatureScheme};

use super::{ALPN_HTTP, ALPN_HTTP_1, ALPN_MQTT, Protocol, ServerChains};
use crate::possession::ProofOfPossession;

/// Sessions kept for resumption when it is switched on.
const SESSIONS: usize = 100_000;

/// The configuration for each protocol and ALPN answer; whether a certificate is asked for decides which half.
pub(super) struct Configurations {
    with_certificate: ByAlpn,
    without_certificate: ByAlpn,
}

struct ByAlpn {
    none: Arc<ServerConfig>,
    named: Vec<(&'static [u8], Arc<ServerConfig>)>,
}

impl Configurations {
    pub(super) fn get(&self, protocol: Protocol, answer: Option<&[u8]>) -> Arc<ServerConfig> {
        let by_alpn = match protocol {
            Protocol::Mqtt | Protocol::Https => &self.with_certificate,
            Protocol::Signed => &self.without_certificate,
        };
        let named = by_alpn.named.iter().find(|(name, _)| Some(*name) == answer);
        Arc::clone(named.map_or(&by_alpn.none, |(_, config)| config))
    }
}

impl ByAlpn {
    fn of(config: ServerConfig) -> Self {
        let named = |name: &'static [u8]| {
            let mut config = config.clone();
            config.alpn_protocols = vec![name.to_vec()];
            (name, Arc::new(config))
        };
        Self { named: [ALPN_MQTT, ALPN_HTTP, ALPN_HTTP_1].map(named).into(), none: Arc::new(config) }
    }
}

/// The library's cryptography, with AES-128-GCM-SHA256 first, as AWS lists it: SHA-256 costs a handshake less than SHA-384.
pub(super) fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| match suite.suite() {
        CipherSuite::TLS13_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => 0,
        _ => 1,
    });
    provider
}

pub(super) fn configurations(
    provider: &Arc<CryptoProvider>,
    chains: ServerChains,
    resumption: bool,
) -> Result<Configurations, rustls::Error> {
    let resolver = Arc::new(ChainByScheme { ecdsa: certified(&chains.ecdsa)?, rsa: certified(&chains.rsa)? });
    let verifier = Arc::new(ProofOfPossession::new(provider.signature_verification_algorithms));
    let builder = || {
        ServerConfig::builder_with_provider(Arc::clone(provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
    };
    let mut with_certificate = builder()?.with_client_cert_verifier(verifier).with_cert_resolver(resolver.clone());
    with_certificate.ignore_client_order = true;
    // Nothing is remembered of strangers.
    let mut without_certificate = builder()?.with_no_client_auth().with_cert_resolver(resolver);
    without_certificate.ignore_client_order = true;
    without_certificate.session_storage = Arc::new(NoServerSessionStorage {});
    without_certificate.send_tls13_tickets = 0;
    // AWS does not know TLS 1.2 session tickets, and early data could be replayed: both stay off in any case.
    if resumption {
        with_certificate.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        with_certificate.send_tls13_tickets = 1;
    } else {
        with_certificate.session_storage = Arc::new(NoServerSessionStorage {});
        with_certificate.send_tls13_tickets = 0;
    }
    Ok(Configurations {
        with_certificate: ByAlpn::of(with_certificate),
        without_certificate: ByAlpn::of(without_certificate),
    })
}

fn certified(chain: &ServerChain) -> Result<Arc<CertifiedKey>, rustls::Error> {
    // Borrowed: the key leaves no copy behind.
    let key = any_supported_type(&PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(chain.key.as_slice())))?;
    let certified = CertifiedKey::new(chain.chain.iter().cloned().map(CertificateDer::from).collect(), key);
    certified.keys_match()?;
    Ok(Arc::new(certified))
}

/// Serves the P-256 chain to whoever can verify it, for a third of the work, and the RSA chain to the rest.
#[derive(Debug)]
struct ChainByScheme {
    ecdsa: Arc<CertifiedKey>,
    rsa: Arc<CertifiedKey>,
}

impl ResolvesServerCert for ChainByScheme {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let by_ecdsa = hello.signature_schemes().contains(&SignatureScheme::ECDSA_NISTP256_SHA256)
            && self.ecdsa.key.choose_scheme(hello.signature_schemes()).is_some()
            && offers_ecdsa_suite(&hello);
        Some(Arc::clone(if by_ecdsa { &self.ecdsa } else { &self.rsa }))
    }
}

/// A TLS 1.2 client may know the ECDSA scheme for client certificates and still offer RSA suites only.
fn offers_ecdsa_suite(hello: &ClientHello<'_>) -> bool {
    use rustls::CipherSuite as C;
    hello.cipher_suites().iter().any(|suite| {
        matches!(
            suite,
            C::TLS13_AES_128_GCM_SHA256
                | C::TLS13_AES_256_GCM_SHA384
                | C::TLS13_CHACHA20_POLY1305_SHA256
                | C::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                | C::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
                | C::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        )
    })
}
