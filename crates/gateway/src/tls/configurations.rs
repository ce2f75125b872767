//! The TLS library's configurations: one for each protocol and ALPN answer.

use std::sync::Arc;

use gatehouse_domain::security_policy::SecurityPolicy;
use gatehouse_pki::authority::ServerChain;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerSessionMemoryCache, StoresServerSessions,
};
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

/// What configurations have in common.
pub(super) struct Making {
    provider: CryptoProvider,
    /// Where sessions are kept, if they may be resumed. Shared by all: a session is resumed under its own name alone.
    sessions: Option<Arc<ServerSessionMemoryCache>>,
}

impl Making {
    pub(super) fn new(resumption: bool) -> Self {
        Self { provider: provider(), sessions: resumption.then(|| ServerSessionMemoryCache::new(SESSIONS)) }
    }

    /// The configurations that serve these chains by `policy`.
    ///
    /// # Errors
    /// A policy of which the library has nothing.
    pub(super) fn configurations(
        &self,
        policy: SecurityPolicy,
        chains: &CertifiedChains,
    ) -> Result<Configurations, rustls::Error> {
        let mut provider = self.provider.clone();
        provider.cipher_suites.retain(|suite| policy.has_suite(suite.suite().into()));
        let provider = Arc::new(provider);
        let versions: Vec<_> =
            [(policy.has_tls13(), &rustls::version::TLS13), (policy.has_tls12(), &rustls::version::TLS12)]
                .into_iter()
                .filter_map(|(has, version)| has.then_some(version))
                .collect();
        let resolver = Arc::new(ChainByScheme { policy, chains: chains.clone() });
        let verifier = Arc::new(ProofOfPossession::new(provider.signature_verification_algorithms));
        let builder = || ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&versions);
        let mut with_certificate = builder()?.with_client_cert_verifier(verifier).with_cert_resolver(resolver.clone());
        with_certificate.ignore_client_order = true;
        // Nothing is remembered of strangers.
        let mut without_certificate = builder()?.with_no_client_auth().with_cert_resolver(resolver);
        without_certificate.ignore_client_order = true;
        without_certificate.session_storage = Arc::new(NoServerSessionStorage {});
        without_certificate.send_tls13_tickets = 0;
        // AWS does not know TLS 1.2 session tickets, and early data could be replayed: both stay off in any case.
        match &self.sessions {
            Some(sessions) => {
                with_certificate.session_storage = Arc::clone(sessions) as Arc<dyn StoresServerSessions>;
                with_certificate.send_tls13_tickets = 1;
            }
            None => {
                with_certificate.session_storage = Arc::new(NoServerSessionStorage {});
                with_certificate.send_tls13_tickets = 0;
            }
        }
        Ok(Configurations {
            with_certificate: ByAlpn::of(with_certificate),
            without_certificate: ByAlpn::of(without_certificate),
        })
    }
}

/// The library's cryptography, with AES-128-GCM-SHA256 first, as AWS lists it: SHA-256 costs a handshake less than SHA-384.
fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| match suite.suite() {
        CipherSuite::TLS13_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => 0,
        _ => 1,
    });
    provider
}

/// Two chains whose keys are ready to sign.
#[derive(Clone, Debug)]
pub(super) struct CertifiedChains {
    ecdsa: Arc<CertifiedKey>,
    rsa: Arc<CertifiedKey>,
}

impl CertifiedChains {
    /// One for those who can verify ECDSA, one for the rest.
    ///
    /// # Errors
    /// A chain or key that cannot be used.
    pub(super) fn of(chains: &ServerChains) -> Result<Self, rustls::Error> {
        Ok(Self { ecdsa: certified(&chains.ecdsa)?, rsa: certified(&chains.rsa)? })
    }

    /// The only one there is, for everybody.
    ///
    /// # Errors
    /// A chain or key that cannot be used.
    pub(super) fn single(chain: &ServerChain) -> Result<Self, rustls::Error> {
        let only = certified(chain)?;
        Ok(Self { ecdsa: Arc::clone(&only), rsa: only })
    }
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
    policy: SecurityPolicy,
    chains: CertifiedChains,
}

impl ResolvesServerCert for ChainByScheme {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let CertifiedChains { ecdsa, rsa } = &self.chains;
        let by_ecdsa = hello.signature_schemes().contains(&SignatureScheme::ECDSA_NISTP256_SHA256)
            && ecdsa.key.choose_scheme(hello.signature_schemes()).is_some()
            && offers_ecdsa_suite(&hello, self.policy);
        Some(Arc::clone(if by_ecdsa { ecdsa } else { rsa }))
    }
}

/// A TLS 1.2 client may know the ECDSA scheme for client certificates and still offer RSA suites only; and what it offers
/// for a version that the policy does not have counts for nothing.
fn offers_ecdsa_suite(hello: &ClientHello<'_>, policy: SecurityPolicy) -> bool {
    use rustls::CipherSuite as C;
    hello.cipher_suites().iter().any(|suite| {
        let fits_ecdsa = matches!(
            suite,
            C::TLS13_AES_128_GCM_SHA256
                | C::TLS13_AES_256_GCM_SHA384
                | C::TLS13_CHACHA20_POLY1305_SHA256
                | C::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                | C::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
                | C::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        );
        fits_ecdsa && policy.has_suite((*suite).into())
    })
}
