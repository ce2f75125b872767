//! A device: MQTT 3.1.1 over mutual TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gatehouse_mqtt::packet::{Connect, Publish, Subscribe, Subscription};
use gatehouse_mqtt::{
    Decoder, Delivery, MessageProperties, Packet, PacketId, Qos, ReasonCode, Utf8Bytes, Version, encode,
};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Outcome;
use crate::fleet::Identity;
use crate::options::Sessions;

/// How long a device waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest packet it takes.
const PACKET_BYTES: u32 = 64 * 1024;
/// Devices that connect at the same time when nothing else is asked.
pub(crate) const CALLERS: usize = 16;

/// A connected device.
pub(crate) struct Device {
    pub(crate) stream: TlsStream<TcpStream>,
    pub(crate) buffer: BytesMut,
    pub(crate) decoder: Decoder,
}

impl Device {
    /// Connects up to CONNACK.
    pub(crate) async fn connect(
        address: SocketAddr,
        identity: &Identity,
        client_id: &str,
        sessions: Sessions,
    ) -> Outcome<Self> {
        timeout(PATIENCE, Self::arrive(address, identity, client_id, sessions)).await?
    }

    async fn arrive(address: SocketAddr, identity: &Identity, client_id: &str, sessions: Sessions) -> Outcome<Self> {
        let mut device = Self::handshake(address, identity).await?;
        match device.ask(client_id, sessions).await? {
            Some(Packet::ConnAck(ack)) if ack.reason == ReasonCode::Success => Ok(device),
            other => Err(format!("instead of being let in, a device got {other:?}").into()),
        }
    }

    async fn handshake(address: SocketAddr, identity: &Identity) -> Outcome<Self> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::clone(&identity.tls));
        let stream = connector.connect(ServerName::try_from("localhost")?, tcp).await?;
        let decoder = Decoder::client(Version::V311, PACKET_BYTES);
        Ok(Self { stream, buffer: BytesMut::new(), decoder })
    }

    /// Sends CONNECT; what comes back.
    async fn ask(&mut self, client_id: &str, sessions: Sessions) -> Outcome<Option<Packet>> {
        let mut connect = Connect::new(Version::V311, Utf8Bytes::try_from(client_id)?);
        connect.clean_start = sessions == Sessions::Clean;
        self.send(&Packet::Connect(Box::new(connect))).await?;
        self.receive().await
    }

    /// Subscribes to `filter`.
    pub(crate) async fn subscribe(&mut self, filter: &str, qos: Qos) -> Outcome {
        let subscribe = Subscribe {
            packet_id: PacketId::MIN,
            subscription_identifier: None,
            user_properties: Vec::new(),
            filters: vec![Subscription::new(Utf8Bytes::try_from(filter)?, qos)],
        };
        self.send(&Packet::Subscribe(subscribe)).await?;
        match timeout(PATIENCE, self.receive()).await?? {
            Some(Packet::SubAck(ack)) if !ack.reasons.iter().any(|reason| reason.is_refusal()) => Ok(()),
            other => Err(format!("a subscription was answered with {other:?}").into()),
        }
    }

    /// Publishes a request of the service's at QoS 0, and waits for its answer.
    pub(crate) async fn ask_service(&mut self, topic: &str, request: &serde_json::Value) -> Outcome<serde_json::Value> {
        let publish = Publish {
            dup: false,
            delivery: Delivery::AtMostOnce,
            retain: false,
            topic: Utf8Bytes::try_from(topic)?,
            topic_alias: None,
            subscription_identifiers: Vec::new(),
            properties: MessageProperties::NONE,
            payload: Bytes::from(request.to_string()),
        };
        self.send(&Packet::Publish(publish)).await?;
        match timeout(PATIENCE, self.receive()).await?? {
            Some(Packet::Publish(answer)) => Ok(serde_json::from_slice(&answer.payload)?),
            other => Err(format!("a request was answered with {other:?}").into()),
        }
    }

    /// Goes without a word to MQTT, as most connections end.
    pub(crate) async fn leave(mut self) {
        let _peer_gone = timeout(PATIENCE, self.stream.shutdown()).await;
    }

    /// Waits until the server closes; answers whether it did in time.
    pub(crate) async fn until_closed(mut self) -> bool {
        let closed = async {
            let mut scratch = [0; 512];
            while matches!(self.stream.read(&mut scratch).await, Ok(count) if count > 0) {}
        };
        timeout(PATIENCE, closed).await.is_ok()
    }

    async fn send(&mut self, packet: &Packet) -> Outcome {
        let mut out = BytesMut::new();
        encode(packet, Version::V311, &mut out)?;
        self.stream.write_all(&out).await?;
        Ok(self.stream.flush().await?)
    }

    async fn receive(&mut self) -> Outcome<Option<Packet>> {
        loop {
            if let Some(packet) = self.decoder.decode(&mut self.buffer)? {
                return Ok(Some(packet));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

/// Connects up to the CONNACK that says "not authorized".
pub(crate) async fn be_refused(address: SocketAddr, identity: &Identity, client_id: &str) -> Outcome {
    let asked = async {
        let mut device = Device::handshake(address, identity).await?;
        device.ask(client_id, Sessions::Clean).await
    };
    match timeout(PATIENCE, asked).await?? {
        Some(Packet::ConnAck(ack)) if ack.reason == ReasonCode::NotAuthorized => Ok(()),
        other => Err(format!("instead of being refused, a device got {other:?}").into()),
    }
}

/// Connects `count` devices from at most `callers` tasks; `fleet` lends its identities in turn.
pub(crate) async fn connect_many(
    address: SocketAddr,
    fleet: &Arc<[Identity]>,
    count: usize,
    callers: usize,
    sessions: Sessions,
) -> Outcome<Vec<Device>> {
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let fleet = Arc::clone(fleet);
        tasks.spawn(async move {
            let mut connected = Vec::new();
            for number in (caller..count).step_by(callers) {
                connected.push((number, connect_one(address, &fleet, number, sessions).await?));
            }
            Ok::<_, crate::Failure>(connected)
        });
    }
    let mut all = Vec::with_capacity(count);
    while let Some(connected) = tasks.join_next().await {
        all.extend(connected??);
    }
    all.sort_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, device)| device).collect())
}

/// Connects device `number`.
pub(crate) async fn connect_one(
    address: SocketAddr,
    fleet: &[Identity],
    number: usize,
    sessions: Sessions,
) -> Outcome<Device> {
    let identity = fleet.get(number % fleet.len().max(1)).ok_or("the fleet is empty")?;
    Device::connect(address, identity, &format!("device-{number:06}"), sessions).await
}
