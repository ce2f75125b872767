//! The server's side of one connection after its CONNECT: what the client may do, and the answers in its version's form.

mod in_flight;
mod open;
mod receive;
mod topic_aliases;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::encode::{EncodeError, Peer};
use crate::packet::{
    Acknowledgement, ConnAck, ConnAckProperties, Delivery, Disconnect, MessageProperties, Packet, PacketId, Qos,
    ReasonProperties, SubAck, Subscription, UnsubAck, Version,
};
use crate::reason::ReasonCode;
use crate::settings::Settings;
use crate::text::Utf8Bytes;
use in_flight::{Received as ReceivedIds, Sent as SentIds};
use topic_aliases::TopicAliases;

/// One MQTT connection. Small while it is idle: nothing is allocated before it is used.
#[derive(Debug)]
pub struct Connection {
    settings: Arc<Settings>,
    peer: Peer,
    keep_alive_secs: u16,
    session_expiry_secs: u32,
    /// A session that was to end with its connection may not be extended by DISCONNECT (MQTT 5, 3.14.2.2.2).
    may_extend_session: bool,
    is_closed: bool,
    aliases: TopicAliases,
    received: ReceivedIds,
    sent: SentIds,
}

/// Why a CONNECT is refused. [`refusal`] makes the CONNACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ConnectRefusal {
    /// The reason code.
    pub reason: ReasonCode,
    /// A sentence for the client's log.
    pub text: &'static str,
}

/// What a client did that ends its connection. [`Connection::disconnect`] makes the DISCONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ProtocolError {
    /// The reason code.
    pub reason: ReasonCode,
    /// A sentence for the client's log.
    pub text: &'static str,
}

/// What the client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// Publish a message; answer QoS 1 with [`Connection::puback`].
    Publish(InboundPublish),
    /// Subscribe; answer with [`Connection::suback`].
    Subscribe {
        /// For the answer.
        packet_id: PacketId,
        /// Filters, not judged; QoS 0 or 1.
        filters: Vec<Subscription>,
    },
    /// Unsubscribe; answer with [`Connection::unsuback`].
    Unsubscribe {
        /// For the answer.
        packet_id: PacketId,
        /// Filters, not judged.
        filters: Vec<Utf8Bytes>,
    },
    /// Answer with [`encode_pingresp`](crate::encode_pingresp).
    Ping,
    /// A message of ours has arrived (or was refused); there is room in the window again.
    Acknowledged {
        /// As it was given by [`Connection::deliver`].
        packet_id: PacketId,
        /// What the client makes of it; success in MQTT 3.1.1.
        reason: ReasonCode,
    },
    /// An acknowledgement of nothing that is in flight, as clients send that mix up their connections. Nothing to do.
    Stray,
    /// The client is going. Nothing more is received or sent.
    Disconnect {
        /// [`DisconnectWithWill`](ReasonCode::DisconnectWithWill) asks for the will; any other reason discards it.
        reason: ReasonCode,
        /// The client's sentence for our log.
        reason_string: Option<Utf8Bytes>,
    },
}

/// A message from the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundPublish {
    /// Topic name with its alias resolved; not empty and else not judged: wildcards, levels and `$` are the caller's.
    pub topic: Utf8Bytes,
    /// Payload: a view of the read buffer, which it keeps alive.
    pub payload: Bytes,
    /// QoS 0 or 1.
    pub delivery: Delivery,
    /// Is it to be retained?
    pub retain: bool,
    /// Within the limits; the expiry interval is within its bounds.
    pub properties: MessageProperties,
}

/// A message to a client.
#[derive(Debug, Clone, Copy)]
pub struct OutboundMessage<'a> {
    /// Topic name: not empty, without U+0000 and wildcards, as the router's type for it guarantees.
    pub topic: &'a str,
    /// Payload.
    pub payload: &'a [u8],
    /// Does it come out of the retained messages?
    pub retain: bool,
    /// The publisher's properties, whose expiry interval is not written.
    pub properties: &'a MessageProperties,
    /// What is left of the message's lifetime, in seconds: written as its expiry interval.
    pub expiry_secs: Option<u32>,
}

/// What became of a message to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outbound {
    /// Written; above QoS 0 it waits for its acknowledgement under this identifier.
    Sent(Option<PacketId>),
    /// Not written: as many messages as the client takes at once are unacknowledged. Try again after
    /// [`Received::Acknowledged`].
    WindowFull,
    /// Not written and never to be: larger than the client takes. It counts as delivered ([MQTT-3.1.2-25]).
    TooLarge,
    /// Not written: the connection is at its end.
    Closed,
}

/// The CONNACK that refuses. Written with [`Peer::of`] the CONNECT; in MQTT 3.1.1 most refusals have no code and
/// writing answers [`EncodeError::NotInVersion`]: close without an answer then.
#[must_use]
pub fn refusal(reason: ReasonCode, text: &str) -> Packet {
    let properties = ConnAckProperties { reason_string: sentence(text), ..ConnAckProperties::default() };
    Packet::ConnAck(Box::new(ConnAck { session_present: false, reason, properties }))
}

impl Connection {
    /// The connection's version.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.peer.version
    }

    /// What must be known to write to the client.
    #[must_use]
    pub const fn peer(&self) -> Peer {
        self.peer
    }

    /// The effective keep-alive, in seconds.
    #[must_use]
    pub const fn keep_alive_secs(&self) -> u16 {
        self.keep_alive_secs
    }

    /// How long after its last packet the client counts as gone: one and a half times the keep-alive ([MQTT-3.1.2-22]).
    #[must_use]
    pub fn keep_alive_deadline(&self) -> Duration {
        Duration::from_millis(u64::from(self.keep_alive_secs) * 1500)
    }

    /// How long the session outlives the connection, in seconds. A DISCONNECT may have changed it.
    #[must_use]
    pub const fn session_expiry_secs(&self) -> u32 {
        self.session_expiry_secs
    }

    /// Is it over, by a DISCONNECT of either side or an error?
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// QoS 1 messages to the client that it has not acknowledged.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.sent.len()
    }

    /// The accepting CONNACK. The properties are those of [`Connection::open`], to which the caller adds the assigned
    /// client identifier if it made one.
    #[must_use]
    pub fn connack(&self, session_present: bool, properties: ConnAckProperties) -> Packet {
        Packet::ConnAck(Box::new(ConnAck { session_present, reason: ReasonCode::Success, properties }))
    }

    /// The PUBACK, which makes room in the client's window. MQTT 3.1.1 cannot refuse a publish: for a refusal this is
    /// `None`, and the caller drops the message or closes.
    pub fn puback(&mut self, packet_id: PacketId, reason: ReasonCode, text: &str) -> Option<Packet> {
        self.received.remove(packet_id);
        if self.version() == Version::V311 && reason.is_refusal() {
            return None;
        }
        Some(Packet::PubAck(Acknowledgement { packet_id, reason, properties: explained(text) }))
    }

    /// The SUBACK, with one reason for each filter of the SUBSCRIBE, in order.
    #[must_use]
    pub fn suback(&self, packet_id: PacketId, reasons: Vec<ReasonCode>, text: &str) -> Packet {
        Packet::SubAck(SubAck { packet_id, properties: explained(text), reasons })
    }

    /// The UNSUBACK, with one reason for each filter of the UNSUBSCRIBE, in order.
    #[must_use]
    pub fn unsuback(&self, packet_id: PacketId, reasons: Vec<ReasonCode>, text: &str) -> Packet {
        Packet::UnsubAck(UnsubAck { packet_id, properties: explained(text), reasons })
    }

    /// Ends the connection. The DISCONNECT to send before the socket is closed; MQTT 3.1.1 has none from the server.
    pub fn disconnect(&mut self, reason: ReasonCode, text: &str) -> Option<Packet> {
        self.is_closed = true;
        if self.version() == Version::V311 {
            return None;
        }
        Some(Packet::Disconnect(Disconnect { reason_string: sentence(text), ..Disconnect::new(reason) }))
    }

    /// Appends a packet to `out` in the form that this client takes.
    pub fn encode(&self, packet: &Packet, out: &mut BytesMut) -> Result<(), EncodeError> {
        self.peer.encode(packet, out)
    }

    /// Appends a message to `out` as PUBLISH. QoS 2 becomes QoS 1.
    pub fn deliver(&mut self, message: &OutboundMessage<'_>, qos: Qos, out: &mut BytesMut) -> Outbound {
        if self.is_closed {
            return Outbound::Closed;
        }
        let packet_id = match qos {
            Qos::AtMostOnce => None,
            Qos::AtLeastOnce | Qos::ExactlyOnce => match self.sent.next_free() {
                None => return Outbound::WindowFull,
                some => some,
            },
        };
        let delivery = packet_id.map_or(Delivery::AtMostOnce, Delivery::AtLeastOnce);
        if self.peer.encode_publish(message, delivery, false, out).is_err() {
            return Outbound::TooLarge;
        }
        if let Some(packet_id) = packet_id {
            self.sent.insert(packet_id);
        }
        Outbound::Sent(packet_id)
    }
}

fn explained(text: &str) -> ReasonProperties {
    ReasonProperties { reason_string: sentence(text), user_properties: Vec::new() }
}

/// A reason string; empty text is none, and one that no string can carry is left out, as it only explains.
fn sentence(text: &str) -> Option<Utf8Bytes> {
    if text.is_empty() { None } else { Utf8Bytes::try_from(text).ok() }
}
