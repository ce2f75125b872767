//! Step 2: TLS. The ClientHello is read first, alone, so that its host name can pick the endpoint; then the handshake
//! runs to its end. All knowledge of the TLS library stays behind [`Tls::accept`].

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gatehouse_domain::limits;
use gatehouse_pki::authority::ServerChain;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{Acceptor, ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, HandshakeKind, ProtocolVersion, ServerConfig, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::possession::ProofOfPossession;

/// The ALPN name by which devices speak MQTT with a certificate on port 443.
const ALPN_MQTT: &[u8] = b"x-amzn-mqtt-ca";
/// Ciphertext waiting for a slow socket, in bytes.
const SEND_BUFFER_BYTES: usize = 16 * 1024;
/// Sessions kept for resumption when it is switched on.
const SESSIONS: usize = 100_000;

/// The two chains that are served, by what the client can verify.
pub struct ServerChains {
    /// For clients that offer ECDSA on P-256.
    pub ecdsa: ServerChain,
    /// For all others.
    pub rsa: ServerChain,
}

/// How a listener treats ALPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    /// MQTT whatever is offered; a known name is answered (port 8883).
    Optional,
    /// `x-amzn-mqtt-ca` must be offered (port 443).
    Required,
}

/// The devices' side of TLS.
pub(crate) struct Tls {
    provider: Arc<CryptoProvider>,
    without_alpn: ArcSwap<ServerConfig>,
    with_alpn: ArcSwap<ServerConfig>,
    resumption: bool,
}

/// A complete handshake: the peer holds the key of `leaf`.
pub(crate) struct Handshake {
    pub(crate) stream: TlsStream<TcpStream>,
    /// The host name of the ClientHello; an IP literal there counts as none.
    pub(crate) sni: Option<String>,
    /// The certificates the peer presented, in DER, its own first; at least one.
    pub(crate) presented: Vec<Vec<u8>>,
    /// `TLSv1.2` or `TLSv1.3`.
    pub(crate) version: &'static str,
    /// The host name under which a resumed session began, where it is known.
    pub(crate) resumed_from: Option<Vec<u8>>,
}

/// Why there was no handshake. The peer has seen a TLS alert or nothing at all.
#[derive(Debug)]
pub(crate) enum HandshakeFailure {
    TimedOut,
    NoAlpn,
    Failed(std::io::Error),
}

impl HandshakeFailure {
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::TimedOut => "timed-out",
            Self::NoAlpn => "no-alpn",
            Self::Failed(_) => "failed",
        }
    }
}

impl fmt::Display for HandshakeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("the handshake did not end in time"),
            Self::NoAlpn => f.write_str("the client does not offer ALPN x-amzn-mqtt-ca, which this port needs"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl Tls {
    /// The side that serves `chains`.
    ///
    /// # Errors
    /// A chain or key that cannot be used.
    pub(crate) fn new(chains: ServerChains, resumption: bool) -> Result<Self, rustls::Error> {
        let provider = Arc::new(provider());
        let (without_alpn, with_alpn) = configurations(&provider, chains, resumption)?;
        Ok(Self {
            provider,
            without_alpn: ArcSwap::from_pointee(without_alpn),
            with_alpn: ArcSwap::from_pointee(with_alpn),
            resumption,
        })
    }

    /// Serves other chains from the next connection on.
    ///
    /// # Errors
    /// A chain or key that cannot be used; the former ones stay.
    pub(crate) fn renew(&self, chains: ServerChains) -> Result<(), rustls::Error> {
        let (without_alpn, with_alpn) = configurations(&self.provider, chains, self.resumption)?;
        self.without_alpn.store(Arc::new(without_alpn));
        self.with_alpn.store(Arc::new(with_alpn));
        Ok(())
    }

    /// Brings `tcp` through the handshake within [`limits::HANDSHAKE_TIMEOUT`].
    pub(crate) async fn accept(&self, tcp: TcpStream, alpn: Alpn) -> Result<Handshake, HandshakeFailure> {
        timeout(limits::HANDSHAKE_TIMEOUT, self.shake_hands(tcp, alpn)).await.unwrap_or(Err(HandshakeFailure::TimedOut))
    }

    async fn shake_hands(&self, tcp: TcpStream, alpn: Alpn) -> Result<Handshake, HandshakeFailure> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), tcp).await.map_err(HandshakeFailure::Failed)?;
        let hello = start.client_hello();
        let sni = hello.server_name().map(str::to_ascii_lowercase);
        let offers_mqtt = hello.alpn().is_some_and(|mut names| names.any(|name| name == ALPN_MQTT));
        let config = match (offers_mqtt, alpn) {
            (true, _) => self.with_alpn.load_full(),
            (false, Alpn::Optional) => self.without_alpn.load_full(),
            (false, Alpn::Required) => return Err(HandshakeFailure::NoAlpn),
        };
        // A resumed session says where it began: it is worth nothing at another endpoint.
        let origin = sni.clone().unwrap_or_default();
        let stream = start
            .into_stream_with(config, |connection| {
                connection.set_buffer_limit(Some(SEND_BUFFER_BYTES));
                connection.set_resumption_data(origin.as_bytes());
            })
            .await
            .map_err(HandshakeFailure::Failed)?;

        let (_, connection) = stream.get_ref();
        let presented: Vec<Vec<u8>> = connection
            .peer_certificates()
            .into_iter()
            .flatten()
            .take(limits::CHAIN_CERTIFICATES)
            .map(|certificate| certificate.to_vec())
            .collect();
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        };
        // Given back in TLS 1.3 only. In either version rustls itself resumes under the same name alone (RFC 6066, 3).
        let resumed_from = match connection.handshake_kind() {
            Some(HandshakeKind::Resumed) => connection.received_resumption_data().map(<[u8]>::to_vec),
            _ => None,
        };
        if presented.is_empty() {
            return Err(HandshakeFailure::Failed(std::io::Error::other("no certificate was presented")));
        }
        Ok(Handshake { stream, sni, presented, version, resumed_from })
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

fn configurations(
    provider: &Arc<CryptoProvider>,
    chains: ServerChains,
    resumption: bool,
) -> Result<(ServerConfig, ServerConfig), rustls::Error> {
    let resolver = Arc::new(ChainByScheme { ecdsa: certified(&chains.ecdsa)?, rsa: certified(&chains.rsa)? });
    let verifier = Arc::new(ProofOfPossession::new(provider.signature_verification_algorithms));
    let mut without_alpn = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(resolver);
    without_alpn.ignore_client_order = true;
    // AWS does not know TLS 1.2 session tickets, and early data could be replayed: both stay off in any case.
    if resumption {
        without_alpn.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        without_alpn.send_tls13_tickets = 1;
    } else {
        without_alpn.session_storage = Arc::new(NoServerSessionStorage {});
        without_alpn.send_tls13_tickets = 0;
    }
    let mut with_alpn = without_alpn.clone();
    with_alpn.alpn_protocols = vec![ALPN_MQTT.to_vec()];
    Ok((without_alpn, with_alpn))
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
