//! A device's call: TLS in the way that a test wants it, then MQTT.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gatehouse_mqtt::packet::{
    Acknowledgement, Connect, Disconnect, Publish, ReasonProperties, SubAck, Subscribe, Subscription, UnsubAck,
    Unsubscribe,
};
use gatehouse_mqtt::{
    Decoder, Delivery, MessageProperties, Packet, PacketId, Qos, ReasonCode, Utf8Bytes, Version, encode,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, ClientConfig, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Device, home, host};

/// How long a device waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn text(text: &str) -> Utf8Bytes {
    Utf8Bytes::try_from(text).unwrap()
}

pub(crate) fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

/// How a device calls.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) address: SocketAddr,
    /// The host name in the ClientHello.
    pub(crate) host: Option<String>,
    pub(crate) tls: &'static SupportedProtocolVersion,
    pub(crate) alpn: Vec<Vec<u8>>,
    /// Signature schemes offered for the server's certificate.
    pub(crate) schemes: Vec<SignatureScheme>,
    /// The only cipher suite offered, where not all are.
    pub(crate) suite: Option<CipherSuite>,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: Option<Arc<PrivateKeyDer<'static>>>,
    pub(crate) mqtt: Version,
    /// A configuration that remembers sessions; without one, `tls` and the rest make one for this call alone.
    pub(crate) config: Option<Arc<ClientConfig>>,
}

/// How the gate answered.
pub(crate) enum Answer {
    Accepted(Box<Client>),
    /// All that the gate said before it closed in good order.
    Refused(Vec<u8>),
    /// The connection broke.
    Broken(Error),
}

impl Answer {
    pub(crate) fn accepted(self) -> Client {
        match self {
            Self::Accepted(client) => *client,
            Self::Refused(said) => panic!("refused: {:?}", said.escape_ascii().to_string()),
            Self::Broken(error) => panic!("broken: {error}"),
        }
    }

    pub(crate) fn refused(self) -> Vec<u8> {
        match self {
            Self::Accepted(_) => panic!("accepted"),
            Self::Refused(said) => said,
            Self::Broken(error) => panic!("broken: {error}"),
        }
    }

    /// Code and reason string of an MQTT 5 refusal.
    pub(crate) fn explained(self) -> (u8, String) {
        let said = self.refused();
        let mut said = BytesMut::from(said.as_slice());
        let Ok(Some(Packet::ConnAck(ack))) = Decoder::client(Version::V5, u32::MAX).decode(&mut said) else {
            panic!("no CONNACK")
        };
        assert!(said.is_empty(), "something follows the CONNACK");
        let reason = ack.properties.reason_string.map(|text| text.as_str().to_owned()).unwrap_or_default();
        (ack.reason.value(), reason)
    }

    pub(crate) fn broken(self) -> Error {
        match self {
            Self::Accepted(_) => panic!("accepted"),
            Self::Refused(said) => panic!("refused: {:?}", said.escape_ascii().to_string()),
            Self::Broken(error) => error,
        }
    }
}

impl Call {
    pub(crate) fn new(address: SocketAddr, device: &Device) -> Self {
        Self {
            address,
            host: Some(host(home())),
            tls: &rustls::version::TLS13,
            alpn: Vec::new(),
            schemes: aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes(),
            suite: None,
            chain: device.chain.clone(),
            key: Some(Arc::clone(&device.key)),
            mqtt: Version::V5,
            config: None,
        }
    }

    pub(crate) fn at(self, host: impl Into<String>) -> Self {
        Self { host: Some(host.into()), ..self }
    }

    pub(crate) fn without_sni(self) -> Self {
        Self { host: None, ..self }
    }

    pub(crate) fn tls12(self) -> Self {
        Self { tls: &rustls::version::TLS12, ..self }
    }

    pub(crate) fn mqtt311(self) -> Self {
        Self { mqtt: Version::V311, ..self }
    }

    /// A call whose configuration remembers sessions, whatever host they began at.
    pub(crate) fn remembering(self, sessions: Resumption) -> Self {
        let config = self.configuration(sessions);
        Self { config: Some(Arc::new(config)), ..self }
    }

    /// CONNECT with nothing asked for.
    pub(crate) async fn connect(&self, client_id: &str) -> Answer {
        self.connect_with(Connect { keep_alive_secs: 1200, ..Connect::new(self.mqtt, text(client_id)) }).await
    }

    pub(crate) async fn connect_with(&self, connect: Connect) -> Answer {
        match self.tls().await {
            Ok(client) => client.connect(connect).await,
            Err(error) => Answer::Broken(error),
        }
    }

    /// The handshake, and nothing yet after it. In TLS 1.3 a client does not learn here whether its certificate was
    /// taken.
    pub(crate) async fn tls(&self) -> Result<Client, Error> {
        let config = self.config.clone().unwrap_or_else(|| Arc::new(self.configuration(Resumption::disabled())));
        let name = ServerName::try_from(self.host.clone().unwrap_or_else(|| "nowhere".to_owned())).unwrap();
        let tcp = TcpStream::connect(self.address).await?;
        tcp.set_nodelay(true)?;
        let stream = patiently(TlsConnector::from(config).connect(name, tcp)).await?;
        let decoder = Decoder::client(self.mqtt, u32::MAX);
        Ok(Client { stream, buffer: BytesMut::new(), decoder, version: self.mqtt, next_id: 0, session_present: false })
    }

    fn configuration(&self, sessions: Resumption) -> ClientConfig {
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites.retain(|known| self.suite.is_none_or(|suite| known.suite() == suite));
        let provider = Arc::new(provider);
        let verifier = AnyServer { provider: Arc::clone(&provider), schemes: self.schemes.clone() };
        let key = self.key.as_ref().map(|key| {
            let key = provider.key_provider.load_private_key(key.clone_key()).unwrap();
            Arc::new(CertifiedKey::new(self.chain.clone(), key))
        });
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[self.tls])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(Presents(key)));
        config.alpn_protocols.clone_from(&self.alpn);
        config.enable_sni = self.host.is_some();
        config.resumption = sessions;
        config
    }
}

impl Client {
    /// The certificate that the gate showed.
    pub(crate) fn server_leaf(&self) -> CertificateDer<'static> {
        self.stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    }
}

/// A device that has shaken hands.
pub(crate) struct Client {
    pub(crate) stream: TlsStream<TcpStream>,
    buffer: BytesMut,
    decoder: Decoder,
    version: Version,
    next_id: u16,
    /// As CONNACK said.
    pub(crate) session_present: bool,
}

impl Client {
    pub(crate) async fn connect(mut self, connect: Connect) -> Answer {
        let mut out = BytesMut::new();
        encode(&Packet::Connect(Box::new(connect)), self.version, &mut out).unwrap();
        // An error here shows up again when the answer is read.
        let _peer_gone = self.write(&out).await;
        self.answer().await
    }

    /// Waits for CONNACK, or for the end.
    pub(crate) async fn answer(mut self) -> Answer {
        loop {
            match patiently(self.stream.read_buf(&mut self.buffer)).await {
                Ok(0) => return Answer::Refused(self.buffer.to_vec()),
                Ok(_) => {}
                Err(error) => return Answer::Broken(error),
            }
            // A refusal is kept whole, to be looked at byte by byte.
            let mut buffer = self.buffer.clone();
            if let Ok(Some(Packet::ConnAck(ack))) = Decoder::client(self.version, u32::MAX).decode(&mut buffer)
                && ack.reason == ReasonCode::Success
            {
                self.buffer = buffer;
                self.session_present = ack.session_present;
                return Answer::Accepted(Box::new(self));
            }
        }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        patiently(self.stream.write_all(bytes)).await?;
        patiently(self.stream.flush()).await
    }

    pub(crate) async fn send(&mut self, packet: &Packet) {
        let mut out = BytesMut::new();
        encode(packet, self.version, &mut out).unwrap();
        self.write(&out).await.unwrap();
    }

    /// The next packet; `None` when the gate has closed.
    pub(crate) async fn receive(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = self.decoder.decode(&mut self.buffer).unwrap() {
                return Some(packet);
            }
            match patiently(self.stream.read_buf(&mut self.buffer)).await {
                Ok(0) => return None,
                // What the device said last was not read any more.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Ok(_) => {}
                Err(error) => panic!("broken: {error}"),
            }
        }
    }

    /// Waits for the end, in good order or not; answers how many bytes came before it.
    pub(crate) async fn bytes_left(&mut self) -> usize {
        let mut count = self.buffer.len();
        let mut bytes = vec![0; 65_536];
        while let Ok(read @ 1..) = patiently(self.stream.read(&mut bytes)).await {
            count += read;
        }
        count
    }

    /// Waits for the end; answers code and reason string of the DISCONNECT that announced it.
    pub(crate) async fn until_closed(&mut self) -> Option<(u8, String)> {
        let mut said = None;
        while let Some(packet) = self.receive().await {
            if let Packet::Disconnect(disconnect) = packet {
                let reason = disconnect.reason_string.map(|text| text.as_str().to_owned()).unwrap_or_default();
                said = Some((disconnect.reason.value(), reason));
            }
        }
        said
    }

    pub(super) fn new_id(&mut self) -> PacketId {
        self.next_id += 1;
        id(self.next_id)
    }

    /// SUBSCRIBE to `filters`; answers the reason codes.
    pub(crate) async fn try_subscribe(&mut self, filters: &[&str]) -> Vec<u8> {
        self.subscribe_at(filters, Qos::AtLeastOnce).await.reasons.iter().map(|reason| reason.value()).collect()
    }

    pub(crate) async fn subscribe_at(&mut self, filters: &[&str], qos: Qos) -> SubAck {
        let filters = filters.iter().map(|filter| Subscription::new(text(filter), qos)).collect();
        let packet_id = self.new_id();
        let subscribe = Subscribe { packet_id, subscription_identifier: None, user_properties: Vec::new(), filters };
        self.send(&Packet::Subscribe(subscribe)).await;
        match self.receive().await {
            Some(Packet::SubAck(ack)) => {
                assert_eq!(ack.packet_id, packet_id);
                ack
            }
            other => panic!("{other:?}"),
        }
    }

    /// SUBSCRIBE to one filter with QoS 1, which must be granted.
    pub(crate) async fn subscribe(&mut self, filter: &str) {
        assert_eq!(self.try_subscribe(&[filter]).await, [1], "{filter}");
    }

    pub(crate) async fn unsubscribe(&mut self, filters: &[&str]) -> UnsubAck {
        let filters = filters.iter().map(|filter| text(filter)).collect();
        let packet_id = self.new_id();
        self.send(&Packet::Unsubscribe(Unsubscribe { packet_id, user_properties: Vec::new(), filters })).await;
        match self.receive().await {
            Some(Packet::UnsubAck(ack)) => ack,
            other => panic!("{other:?}"),
        }
    }

    /// PUBLISH with QoS 1; answers the PUBACK's code.
    pub(crate) async fn try_publish(&mut self, topic: &str, payload: &str) -> u8 {
        let packet_id = self.new_id();
        self.send(&publish(Delivery::AtLeastOnce(packet_id), topic, payload)).await;
        match self.receive().await {
            Some(Packet::PubAck(ack)) => {
                assert_eq!(ack.packet_id, packet_id);
                ack.reason.value()
            }
            other => panic!("{other:?}"),
        }
    }

    /// PUBLISH with QoS 1, which must succeed. When it returns, the message waits for its subscribers.
    pub(crate) async fn publish(&mut self, topic: &str, payload: &str) {
        assert_eq!(self.try_publish(topic, payload).await, 0, "{topic}");
    }

    /// The next message, which is acknowledged; anything else is a failure.
    pub(crate) async fn message(&mut self) -> Publish {
        match self.receive().await {
            Some(Packet::Publish(publish)) => {
                if let Some(packet_id) = publish.delivery.packet_id() {
                    self.acknowledge(packet_id).await;
                }
                publish
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn acknowledge(&mut self, packet_id: PacketId) {
        let properties = ReasonProperties::default();
        self.send(&Packet::PubAck(Acknowledgement { packet_id, reason: ReasonCode::Success, properties })).await;
    }

    /// The payload of the next message.
    pub(crate) async fn payload(&mut self) -> String {
        String::from_utf8(self.message().await.payload.to_vec()).unwrap()
    }

    /// Is alive, and no message waits. Gates take turns between requests and deliveries by chance: a message that waits
    /// loses against all of these pings once in a thousand times.
    pub(crate) async fn hears_nothing(&mut self) {
        for _ in 0..10 {
            self.send(&Packet::PingReq).await;
            match self.receive().await {
                Some(Packet::PingResp) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// DISCONNECT with this reason.
    pub(crate) async fn disconnect(mut self, reason: ReasonCode) {
        self.send(&Packet::Disconnect(Disconnect::new(reason))).await;
        assert_eq!(self.receive().await, None);
    }

    /// Goes without a word.
    pub(crate) fn vanish(self) {
        drop(self);
    }
}

pub(crate) fn publish(delivery: Delivery, topic: &str, payload: &str) -> Packet {
    Packet::Publish(Publish {
        dup: false,
        delivery,
        retain: false,
        topic: text(topic),
        topic_alias: None,
        subscription_identifiers: Vec::new(),
        properties: MessageProperties::NONE,
        payload: Bytes::copy_from_slice(payload.as_bytes()),
    })
}

pub(super) async fn patiently<T>(io: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match timeout(PATIENCE, io).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("the gate does not answer"),
    }
}

/// Presents a certificate without a look at it: any version, and also one of another key.
#[derive(Debug)]
struct Presents(Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for Presents {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

/// Takes any server: what these tests ask is not whether devices trust the gate.
#[derive(Debug)]
struct AnyServer {
    provider: Arc<CryptoProvider>,
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
