//! Step 4: MQTT CONNECT. The first packet must be CONNECT and must come in time; the client id must keep the rules; a
//! policy must allow `iot:Connect`. This is also where a refusal, whatever step it came from, is told to the device.

use std::sync::Arc;

use bytes::BytesMut;
use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::limits;
use gatehouse_domain::quotas::Quotas;
use gatehouse_domain::refusal::Refusal;
use gatehouse_mqtt::packet::{ConnAckProperties, Connect};
use gatehouse_mqtt::{DecodeError, Decoder, Packet, Peer, ReasonCode, Utf8Bytes, Version, refusal};
use tokio::time::timeout;

use crate::socket;
use crate::wire::Wire;

/// How a device learns that it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalStyle {
    /// CONNACK with a code, and with a sentence where MQTT 5 has room for one.
    Explain,
    /// The connection is closed without an answer, as AWS does.
    Silent,
}

/// A device that completed the handshake and has not been let in yet.
pub(crate) struct Arriving {
    pub(crate) stream: Wire,
    pub(crate) buffer: BytesMut,
    pub(crate) decoder: Decoder,
}

/// Why there is no CONNECT.
#[derive(Debug)]
pub(crate) enum NoConnect {
    /// The peer went away, or took too long.
    Gone,
    /// Something else came, or something malformed.
    Malformed(DecodeError),
}

impl Arriving {
    pub(crate) fn new(stream: Wire) -> Self {
        let packet_bytes = u32::try_from(limits::PACKET_BYTES).unwrap_or(u32::MAX);
        Self { stream, buffer: BytesMut::new(), decoder: Decoder::server(packet_bytes) }
    }

    /// Waits for CONNECT, for [`limits::CONNECT_TIMEOUT`] at most.
    pub(crate) async fn read_connect(&mut self) -> Result<Box<Connect>, NoConnect> {
        let reading = async {
            loop {
                match self.decoder.decode(&mut self.buffer) {
                    Ok(Some(Packet::Connect(connect))) => return Ok(connect),
                    Ok(Some(_)) => return Err(NoConnect::Gone),
                    Ok(None) => {}
                    Err(error) => return Err(NoConnect::Malformed(error)),
                }
                match socket::read(&mut self.stream, &mut self.buffer).await {
                    Ok(0) | Err(_) => return Err(NoConnect::Gone),
                    Ok(_) => {}
                }
            }
        };
        timeout(limits::CONNECT_TIMEOUT, reading).await.unwrap_or(Err(NoConnect::Gone))
    }

    /// Answers a packet that was no CONNECT as the standards ask: a version that is not spoken gets CONNACK 0x01 in the
    /// form of 3.1.1 ([MQTT-3.1.2-2]), a malformed MQTT 5 CONNECT its reason code, everything else nothing.
    pub(crate) async fn answer_malformed(mut self, error: DecodeError) {
        let version = match (&error, self.decoder.version()) {
            (DecodeError::UnsupportedVersion { .. }, _) => Some(Version::V311),
            (_, Some(Version::V5)) => Some(Version::V5),
            (_, Some(Version::V311) | None) => None,
        };
        match version {
            Some(version) => self.close_with(Peer::new(version), error.reason(), &error.to_string()).await,
            None => socket::close(&mut self.stream).await,
        }
    }

    /// Tells the device that it is refused, in the way `style` says, and closes.
    pub(crate) async fn refuse(mut self, connect: &Connect, refusal: Refusal, style: RefusalStyle) {
        match style {
            RefusalStyle::Explain => {
                self.close_with(Peer::of(connect), reason_code(refusal), &refusal.to_string()).await;
            }
            RefusalStyle::Silent => socket::close(&mut self.stream).await,
        }
    }

    /// Refuses for what the CONNECT itself asks: MQTT's own rules, told in either style.
    pub(crate) async fn refuse_request(self, connect: &Connect, reason: ReasonCode, text: &str) {
        self.close_with(Peer::of(connect), reason, text).await;
    }

    async fn close_with(mut self, peer: Peer, reason: ReasonCode, text: &str) {
        let mut out = BytesMut::new();
        match peer.encode(&refusal(reason, text), &mut out) {
            Ok(()) => {
                socket::close_with(&mut self.stream, &out).await;
                socket::outlast(&mut self.stream).await;
            }
            // A refusal that MQTT 3.1.1 has no code for is told by closing.
            Err(_) => socket::close(&mut self.stream).await,
        }
    }
}

/// The reason code of a refusal in CONNACK and DISCONNECT. MQTT 3.1.1 turns 0x87 into its return code 5.
pub(crate) const fn reason_code(refusal: Refusal) -> ReasonCode {
    match refusal {
        Refusal::ClientId => ReasonCode::ClientIdentifierNotValid,
        Refusal::RegistryUnavailable => ReasonCode::ServerUnavailable,
        Refusal::Throttled => ReasonCode::QuotaExceeded,
        _ => ReasonCode::NotAuthorized,
    }
}

/// The client id of a CONNECT, made up when it is empty.
pub(crate) struct NamedClient {
    pub(crate) client_id: ClientId,
    pub(crate) is_assigned: bool,
}

/// Reads the client id, or gives one.
pub(crate) fn client_id(connect: &Connect, generate: impl FnOnce() -> Option<String>) -> Result<NamedClient, Refusal> {
    if connect.client_id.is_empty() {
        let uuid = generate().ok_or(Refusal::RegistryUnavailable)?;
        return Ok(NamedClient { client_id: ClientId::generated(&uuid), is_assigned: true });
    }
    let client_id = ClientId::parse(connect.client_id.as_str()).map_err(|_| Refusal::ClientId)?;
    Ok(NamedClient { client_id, is_assigned: false })
}

/// Names the assigned client id in the CONNACK (MQTT 5, 3.2.2.3.7).
pub(crate) fn with_assigned_id(properties: ConnAckProperties, client: &NamedClient) -> ConnAckProperties {
    if !client.is_assigned {
        return properties;
    }
    let assigned_client_identifier = Utf8Bytes::try_from(client.client_id.as_str()).ok();
    ConnAckProperties { assigned_client_identifier, ..properties }
}

/// The limits that connections are held to.
pub(crate) fn settings(quotas: &Quotas) -> Arc<gatehouse_mqtt::Settings> {
    let bytes = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Arc::new(gatehouse_mqtt::Settings {
        keep_alive_min_secs: limits::KEEP_ALIVE_MIN_SECS,
        keep_alive_max_secs: limits::KEEP_ALIVE_MAX_SECS,
        packet_bytes_max: bytes(limits::PACKET_BYTES),
        client_packet_bytes_min: limits::CLIENT_PACKET_BYTES_MIN,
        payload_bytes_max: limits::PAYLOAD_BYTES,
        receive_maximum: limits::IN_FLIGHT,
        in_flight_max: limits::IN_FLIGHT,
        topic_alias_maximum: limits::TOPIC_ALIASES,
        aliased_topic_bytes_max: 2 * limits::TOPIC_BYTES,
        filters_max: limits::FILTERS_PER_SUBSCRIBE,
        content_type_bytes_max: limits::CONTENT_TYPE_BYTES,
        correlation_data_bytes_max: limits::CORRELATION_DATA_BYTES,
        user_properties_bytes_max: limits::USER_PROPERTIES_BYTES,
        message_expiry_max_secs: limits::MESSAGE_EXPIRY_SECS,
        session_expiry_max_secs: quotas.session_expiry_secs,
        retain_available: true,
        shared_subscription_available: true,
        wills: gatehouse_mqtt::Wills::Kept,
    })
}
