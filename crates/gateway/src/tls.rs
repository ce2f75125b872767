//! Step 2: TLS. The ClientHello is read first, alone, so that its host name can pick the endpoint; then the handshake
//! runs to its end. All knowledge of the TLS library stays behind [`Tls::accept`].

mod configurations;
mod offers;

use std::fmt;
use std::sync::Arc;

use gatehouse_domain::domain_configuration::{Access, ApplicationProtocol, AuthenticationType};
use gatehouse_domain::endpoint::{EndpointName, EndpointType};
use gatehouse_domain::limits;
use gatehouse_domain::refusal::Refusal;
use gatehouse_pki::authority::ServerChain;
use gatehouse_pki::server_bundles::ServerBundles;
use rustls::server::Acceptor;
use rustls::{HandshakeKind, ProtocolVersion};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use self::offers::Offers;
use crate::endpoint::{Endpoints, Served};

/// The ALPN name by which devices speak MQTT with a certificate on port 443.
const ALPN_MQTT: &[u8] = b"x-amzn-mqtt-ca";
/// The one by which they speak HTTPS with a certificate.
const ALPN_HTTP: &[u8] = b"x-amzn-http-ca";
/// The registered name of HTTP/1.1 (RFC 7301, 6).
const ALPN_HTTP_1: &[u8] = b"http/1.1";
/// Ciphertext waiting for a slow socket, in bytes.
const SEND_BUFFER_BYTES: usize = 16 * 1024;

/// The two chains that are served, by what the client can verify.
pub struct ServerChains {
    /// For clients that offer ECDSA on P-256.
    pub ecdsa: ServerChain,
    /// For all others.
    pub rsa: ServerChain,
}

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// MQTT with a certificate, whatever ALPN is offered; a known name is answered (port 8883).
    Mqtt,
    /// HTTPS with a certificate, whatever ALPN is offered; a known name is answered (port 8443).
    Https,
    /// What ALPN says (port 443): `x-amzn-mqtt-ca` and `x-amzn-http-ca` with a certificate; none, or `http/1.1`, without
    /// one.
    Shared,
}

/// What is spoken on a connection, and how the peer shows who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// MQTT with a certificate.
    Mqtt,
    /// HTTPS with a certificate.
    Https,
    /// HTTPS and WebSocket, where each request is signed; no certificate is asked for.
    Signed,
}

/// The devices' side of TLS.
pub(crate) struct Tls {
    offers: Offers,
    /// The domain that device endpoints live under.
    domain: String,
}

/// A complete handshake: where a certificate was asked for, the peer holds the key of the first one presented.
pub(crate) struct Handshake {
    pub(crate) stream: TlsStream<TcpStream>,
    pub(crate) protocol: Protocol,
    /// The host name of the ClientHello; an IP literal there counts as none.
    pub(crate) sni: Option<String>,
    /// The certificates the peer presented, in DER, its own first; at least one where one was asked for.
    pub(crate) presented: Vec<Vec<u8>>,
    /// `TLSv1.2` or `TLSv1.3`.
    pub(crate) version: &'static str,
    /// The host name under which a resumed session began, where it is known.
    pub(crate) resumed_from: Option<Vec<u8>>,
    /// Why it could not be found out what is served under the name; nobody is admitted then.
    pub(crate) unresolved: Option<Refusal>,
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
            Self::NoAlpn => f.write_str(
                "this port speaks ALPN x-amzn-mqtt-ca, x-amzn-http-ca, http/1.1 or none, and the client offers others",
            ),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl Tls {
    /// The side that serves `chains`, and under customers' domains what `bundles` has.
    ///
    /// # Errors
    /// A chain or key that cannot be used.
    pub(crate) fn new(
        chains: &ServerChains,
        bundles: Arc<ServerBundles>,
        resumption: bool,
        domain: String,
    ) -> Result<Self, rustls::Error> {
        Ok(Self { offers: Offers::new(chains, bundles, resumption)?, domain })
    }

    /// Serves other chains from the next connection on.
    ///
    /// # Errors
    /// A chain or key that cannot be used; the former ones stay.
    pub(crate) fn renew(&self, chains: &ServerChains) -> Result<(), rustls::Error> {
        self.offers.renew(chains)
    }

    /// Brings `tcp` through the handshake within [`limits::HANDSHAKE_TIMEOUT`], in the way that `endpoints` has for the
    /// name asked for.
    pub(crate) async fn accept(
        &self,
        tcp: TcpStream,
        port: Port,
        endpoints: &Endpoints,
    ) -> Result<Handshake, HandshakeFailure> {
        let handshake = self.shake_hands(tcp, port, endpoints);
        timeout(limits::HANDSHAKE_TIMEOUT, handshake).await.unwrap_or(Err(HandshakeFailure::TimedOut))
    }

    async fn shake_hands(
        &self,
        tcp: TcpStream,
        port: Port,
        endpoints: &Endpoints,
    ) -> Result<Handshake, HandshakeFailure> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), tcp).await.map_err(HandshakeFailure::Failed)?;
        let sni = start.client_hello().server_name().map(str::to_ascii_lowercase);
        // A refusal is told behind the handshake, where it can be.
        let (served, unresolved) = match endpoints.served(sni.as_deref()).await {
            Ok(served) => (served, None),
            Err(refusal) => (Served::default(), Some(refusal)),
        };
        let hello = start.client_hello();
        let offered: Option<Vec<&[u8]>> = hello.alpn().map(Iterator::collect);
        let is_credential_provider = self.is_credential_provider(sni.as_deref());
        let (protocol, answer) =
            choose(served.access, port, offered.as_deref(), is_credential_provider).ok_or(HandshakeFailure::NoAlpn)?;
        let offer = self.offers.of(served.policy, served.certificate.as_ref());
        let config =
            offer.map_err(|error| HandshakeFailure::Failed(std::io::Error::other(error)))?.get(protocol, answer);
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
        if presented.is_empty() && protocol != Protocol::Signed {
            return Err(HandshakeFailure::Failed(std::io::Error::other("no certificate was presented")));
        }
        Ok(Handshake { stream, protocol, sni, presented, version, resumed_from, unresolved })
    }

    fn is_credential_provider(&self, sni: Option<&str>) -> bool {
        let name = sni.and_then(|host| EndpointName::parse(host, &self.domain));
        name.is_some_and(|name| name.endpoint_type == EndpointType::CredentialProvider)
    }
}

/// What is spoken, and the ALPN name that is answered, for what a client offers ("Protocols, port mappings, and
/// authentication"). `h2` is never answered. The credential provider asks for a certificate without any name. Under a
/// name with one way in, neither port nor ALPN has a say.
fn choose(
    access: Access,
    port: Port,
    offered: Option<&[&[u8]]>,
    is_credential_provider: bool,
) -> Option<(Protocol, Option<&'static [u8]>)> {
    let answer = |name: &'static [u8]| offered.is_some_and(|names| names.contains(&name)).then_some(name);
    let http = || answer(ALPN_HTTP).or_else(|| answer(ALPN_HTTP_1));
    match (access.authentication, access.protocol) {
        (AuthenticationType::AwsX509, ApplicationProtocol::SecureMqtt) => {
            return Some((Protocol::Mqtt, answer(ALPN_MQTT)));
        }
        (AuthenticationType::AwsX509, ApplicationProtocol::Https) => return Some((Protocol::Https, http())),
        (AuthenticationType::AwsSigv4, _) => return Some((Protocol::Signed, answer(ALPN_HTTP_1))),
        _ => {}
    }
    match port {
        Port::Mqtt => Some((Protocol::Mqtt, answer(ALPN_MQTT))),
        Port::Https => Some((Protocol::Https, http())),
        Port::Shared if answer(ALPN_MQTT).is_some() => Some((Protocol::Mqtt, answer(ALPN_MQTT))),
        Port::Shared if answer(ALPN_HTTP).is_some() => Some((Protocol::Https, answer(ALPN_HTTP))),
        Port::Shared if offered.is_none() || answer(ALPN_HTTP_1).is_some() => {
            let protocol = if is_credential_provider { Protocol::Https } else { Protocol::Signed };
            Some((protocol, answer(ALPN_HTTP_1)))
        }
        Port::Shared => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_and_alpn_say_what_is_spoken() {
        use Protocol::{Https, Mqtt, Signed};
        type Case = (Port, Option<&'static [&'static str]>, Option<(Protocol, Option<&'static str>)>);
        let table: [Case; 17] = [
            (Port::Mqtt, None, Some((Mqtt, None))),
            (Port::Mqtt, Some(&["h2", "x-amzn-mqtt-ca"]), Some((Mqtt, Some("x-amzn-mqtt-ca")))),
            (Port::Mqtt, Some(&["x-amzn-http-ca", "mqtt"]), Some((Mqtt, None))),
            (Port::Https, None, Some((Https, None))),
            (Port::Https, Some(&["h2", "http/1.1"]), Some((Https, Some("http/1.1")))),
            (Port::Https, Some(&["http/1.1", "x-amzn-http-ca"]), Some((Https, Some("x-amzn-http-ca")))),
            (Port::Https, Some(&["h2", "x-amzn-mqtt-ca"]), Some((Https, None))),
            (Port::Shared, None, Some((Signed, None))),
            (Port::Shared, Some(&["http/1.1"]), Some((Signed, Some("http/1.1")))),
            (Port::Shared, Some(&["h2", "http/1.1"]), Some((Signed, Some("http/1.1")))),
            (Port::Shared, Some(&["x-amzn-mqtt-ca"]), Some((Mqtt, Some("x-amzn-mqtt-ca")))),
            (Port::Shared, Some(&["http/1.1", "x-amzn-mqtt-ca"]), Some((Mqtt, Some("x-amzn-mqtt-ca")))),
            (Port::Shared, Some(&["x-amzn-http-ca", "http/1.1"]), Some((Https, Some("x-amzn-http-ca")))),
            (Port::Shared, Some(&["h2"]), None),
            (Port::Shared, Some(&["mqtt"]), None),
            (Port::Shared, Some(&["x-amzn-mqtt-c", "http/1.0"]), None),
            (Port::Shared, Some(&[]), None),
        ];
        for (port, offered, expected) in table {
            let bytes: Option<Vec<&[u8]>> = offered.map(|names| names.iter().map(|name| name.as_bytes()).collect());
            let expected = expected.map(|(protocol, name)| (protocol, name.map(str::as_bytes)));
            assert_eq!(choose(Access::DEFAULT, port, bytes.as_deref(), false), expected, "{port:?} {offered:?}");
        }
        assert_eq!(choose(Access::DEFAULT, Port::Shared, None, true), Some((Https, None)));
        assert_eq!(
            choose(Access::DEFAULT, Port::Shared, Some(&[b"http/1.1"]), true),
            Some((Https, Some(b"http/1.1".as_slice())))
        );
    }
}
