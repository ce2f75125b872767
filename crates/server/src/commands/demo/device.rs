//! The demo's device: a real MQTT 5 client over real mutual TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use gatehouse_mqtt::packet::{Connect, Publish, Subscribe, Subscription};
use gatehouse_mqtt::{
    Decoder, Delivery, MessageProperties, Packet, PacketId, Qos, ReasonCode, Utf8Bytes, Version, encode,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::failure::Failure;

/// How long the demo waits for anything.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest packet the device takes.
const PACKET_BYTES: u32 = 256 * 1024;

/// A connected device.
pub(super) struct Device {
    stream: TlsStream<TcpStream>,
    buffer: BytesMut,
    decoder: Decoder,
}

/// What a device needs to know.
pub(super) struct Credentials<'a> {
    pub(super) certificate_pem: &'a str,
    pub(super) private_key_pem: &'a str,
    pub(super) root_pem: &'a str,
}

/// How the server answered CONNECT.
pub(super) enum Answer {
    Accepted(Box<Device>),
    Refused { code: u8, reason: String },
}

impl Device {
    /// Connects to `address` as `host`, and as `client_id`.
    pub(super) async fn connect(
        address: SocketAddr,
        host: &str,
        client_id: &str,
        credentials: &Credentials<'_>,
    ) -> Result<Answer, Failure> {
        let connector = TlsConnector::from(Arc::new(tls(credentials)?));
        let name = ServerName::try_from(host.to_owned()).map_err(failed)?;
        let tcp = TcpStream::connect(address).await.map_err(failed)?;
        tcp.set_nodelay(true).map_err(failed)?;
        let stream = within(connector.connect(name, tcp)).await?;
        let decoder = Decoder::client(Version::V5, PACKET_BYTES);
        let mut device = Self { stream, buffer: BytesMut::new(), decoder };
        device.send(&Packet::Connect(Box::new(Connect::new(Version::V5, text(client_id)?)))).await?;
        match device.receive().await? {
            Some(Packet::ConnAck(ack)) if ack.reason == ReasonCode::Success => Ok(Answer::Accepted(Box::new(device))),
            Some(Packet::ConnAck(ack)) => Ok(Answer::Refused {
                code: ack.reason.value(),
                reason: ack.properties.reason_string.map(|text| text.as_str().to_owned()).unwrap_or_default(),
            }),
            other => Err(Failure::other(format!("the server answered CONNECT with {other:?}"))),
        }
    }

    /// Subscribes to `filter` with QoS 1.
    pub(super) async fn subscribe(&mut self, filter: &str) -> Result<(), Failure> {
        let subscribe = Subscribe {
            packet_id: PacketId::MIN,
            subscription_identifier: None,
            user_properties: Vec::new(),
            filters: vec![Subscription::new(text(filter)?, Qos::AtLeastOnce)],
        };
        self.send(&Packet::Subscribe(subscribe)).await?;
        match self.receive().await? {
            Some(Packet::SubAck(ack)) if !ack.reasons.iter().any(|reason| reason.is_refusal()) => Ok(()),
            other => Err(Failure::other(format!("the server answered SUBSCRIBE with {other:?}"))),
        }
    }

    /// Publishes `payload` with QoS 1, and waits until the message has come back through the subscription and was
    /// acknowledged.
    pub(super) async fn exchange(&mut self, topic: &str, payload: &str) -> Result<(), Failure> {
        self.send(&Packet::Publish(Publish {
            dup: false,
            delivery: Delivery::AtLeastOnce(PacketId::MIN),
            retain: false,
            topic: text(topic)?,
            topic_alias: None,
            subscription_identifiers: Vec::new(),
            properties: MessageProperties::NONE,
            payload: payload.to_owned().into(),
        }))
        .await?;
        let (mut is_acknowledged, mut is_back) = (false, false);
        while !(is_acknowledged && is_back) {
            match self.receive().await? {
                Some(Packet::PubAck(ack)) if !ack.reason.is_refusal() => is_acknowledged = true,
                Some(Packet::Publish(publish)) if publish.payload == payload.as_bytes() => is_back = true,
                other => return Err(Failure::other(format!("instead of the message there came {other:?}"))),
            }
        }
        Ok(())
    }

    /// Waits until the server ends the connection; answers what it said.
    pub(super) async fn until_cut(mut self: Box<Self>) -> Result<String, Failure> {
        let mut said = String::new();
        loop {
            match self.receive().await? {
                Some(Packet::Disconnect(disconnect)) => {
                    let reason = disconnect.reason_string.map(|text| text.as_str().to_owned()).unwrap_or_default();
                    said = format!("DISCONNECT 0x{:02x}: {reason}", disconnect.reason.value());
                }
                Some(_) => {}
                None => return Ok(said),
            }
        }
    }

    async fn send(&mut self, packet: &Packet) -> Result<(), Failure> {
        let mut out = BytesMut::new();
        encode(packet, Version::V5, &mut out).map_err(failed)?;
        within(self.stream.write_all(&out)).await?;
        within(self.stream.flush()).await
    }

    /// The next packet; `None` when the server has closed.
    async fn receive(&mut self) -> Result<Option<Packet>, Failure> {
        loop {
            if let Some(packet) = self.decoder.decode(&mut self.buffer).map_err(failed)? {
                return Ok(Some(packet));
            }
            if within(self.stream.read_buf(&mut self.buffer)).await? == 0 {
                return Ok(None);
            }
        }
    }
}

fn tls(credentials: &Credentials<'_>) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(credentials.root_pem.as_bytes()) {
        roots.add(root.map_err(failed)?).map_err(failed)?;
    }
    let chain: Vec<_> = CertificateDer::pem_slice_iter(credentials.certificate_pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    let key = PrivateKeyDer::from_pem_slice(credentials.private_key_pem.as_bytes()).map_err(failed)?;
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(failed)
}

async fn within<T>(io: impl Future<Output = std::io::Result<T>>) -> Result<T, Failure> {
    match timeout(PATIENCE, io).await {
        Ok(outcome) => outcome.map_err(failed),
        Err(_) => Err(Failure::other("the server did not answer within five seconds")),
    }
}

fn text(text: &str) -> Result<Utf8Bytes, Failure> {
    Utf8Bytes::try_from(bytes::Bytes::copy_from_slice(text.as_bytes())).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::other(error.to_string())
}
