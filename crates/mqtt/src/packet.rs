//! The packets, in the words of MQTT 5. MQTT 3.1.1 uses the same types: what it cannot say stays at its default.

use std::num::NonZeroU16;

use bytes::Bytes;

use crate::reason::ReasonCode;
use crate::text::Utf8Bytes;

/// A packet identifier: never 0 ([MQTT-2.2.1-3]).
pub type PacketId = NonZeroU16;

/// User properties, in the order in which they came.
pub type UserProperties = Vec<(Utf8Bytes, Utf8Bytes)>;

/// The protocol version of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// MQTT 3.1.1, protocol level 4.
    V311,
    /// MQTT 5, protocol level 5.
    V5,
}

impl Version {
    /// The protocol level, as CONNECT names it.
    #[must_use]
    pub const fn level(self) -> u8 {
        match self {
            Self::V311 => 4,
            Self::V5 => 5,
        }
    }
}

/// Quality of service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Qos {
    /// QoS 0.
    #[default]
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce,
    /// QoS 2, which is decoded so that it can be refused.
    ExactlyOnce,
}

impl Qos {
    /// 0, 1 or 2.
    #[must_use]
    pub const fn value(self) -> u8 {
        match self {
            Self::AtMostOnce => 0,
            Self::AtLeastOnce => 1,
            Self::ExactlyOnce => 2,
        }
    }

    /// The QoS of this value.
    #[must_use]
    pub const fn from_value(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

/// The QoS of one PUBLISH, with the packet identifier that QoS 1 and 2 need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// QoS 0: no acknowledgement.
    AtMostOnce,
    /// QoS 1: acknowledged by PUBACK.
    AtLeastOnce(PacketId),
    /// QoS 2, which is decoded so that it can be refused.
    ExactlyOnce(PacketId),
}

impl Delivery {
    /// Its QoS.
    #[must_use]
    pub const fn qos(self) -> Qos {
        match self {
            Self::AtMostOnce => Qos::AtMostOnce,
            Self::AtLeastOnce(_) => Qos::AtLeastOnce,
            Self::ExactlyOnce(_) => Qos::ExactlyOnce,
        }
    }

    /// Its packet identifier, above QoS 0.
    #[must_use]
    pub const fn packet_id(self) -> Option<PacketId> {
        match self {
            Self::AtMostOnce => None,
            Self::AtLeastOnce(packet_id) | Self::ExactlyOnce(packet_id) => Some(packet_id),
        }
    }
}

/// The type in the fixed header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are the standard's packet names")]
pub enum PacketType {
    Connect = 1,
    ConnAck,
    Publish,
    PubAck,
    PubRec,
    PubRel,
    PubComp,
    Subscribe,
    SubAck,
    Unsubscribe,
    UnsubAck,
    PingReq,
    PingResp,
    Disconnect,
    Auth,
}

/// A control packet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is documented at the type that it carries")]
pub enum Packet {
    Connect(Box<Connect>),
    ConnAck(Box<ConnAck>),
    Publish(Publish),
    PubAck(Acknowledgement),
    PubRec(Acknowledgement),
    PubRel(Acknowledgement),
    PubComp(Acknowledgement),
    Subscribe(Subscribe),
    SubAck(SubAck),
    Unsubscribe(Unsubscribe),
    UnsubAck(UnsubAck),
    PingReq,
    PingResp,
    Disconnect(Disconnect),
    Auth(Auth),
}

impl Packet {
    /// Its type.
    #[must_use]
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::ConnAck(_) => PacketType::ConnAck,
            Self::Publish(_) => PacketType::Publish,
            Self::PubAck(_) => PacketType::PubAck,
            Self::PubRec(_) => PacketType::PubRec,
            Self::PubRel(_) => PacketType::PubRel,
            Self::PubComp(_) => PacketType::PubComp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::SubAck(_) => PacketType::SubAck,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::UnsubAck(_) => PacketType::UnsubAck,
            Self::PingReq => PacketType::PingReq,
            Self::PingResp => PacketType::PingResp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }
}

/// CONNECT: the client asks for a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// The version that this connection speaks from here on.
    pub version: Version,
    /// Clean Start (3.1.1: Clean Session).
    pub clean_start: bool,
    /// Keep-alive as the client asks for it, in seconds; 0 for none.
    pub keep_alive_secs: u16,
    /// Client identifier; empty when the server is to choose one.
    pub client_id: Utf8Bytes,
    /// What to publish when the connection is lost.
    pub will: Option<Will>,
    /// User name.
    pub username: Option<Utf8Bytes>,
    /// Password.
    pub password: Option<Bytes>,
    /// MQTT 5 properties.
    pub properties: ConnectProperties,
}

impl Connect {
    /// A CONNECT with a clean start and nothing else asked for.
    #[must_use]
    pub fn new(version: Version, client_id: Utf8Bytes) -> Self {
        Self {
            version,
            clean_start: true,
            keep_alive_secs: 0,
            client_id,
            will: None,
            username: None,
            password: None,
            properties: ConnectProperties::default(),
        }
    }
}

/// Properties of CONNECT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectProperties {
    /// How long the session shall outlive the connection, in seconds.
    pub session_expiry_interval: Option<u32>,
    /// Unacknowledged QoS 1 and 2 publishes that the client takes at once; not 0.
    pub receive_maximum: Option<u16>,
    /// The largest packet that the client takes, in bytes; not 0.
    pub maximum_packet_size: Option<u32>,
    /// The highest topic alias that the client takes.
    pub topic_alias_maximum: Option<u16>,
    /// May the server send Response Information?
    pub request_response_information: Option<bool>,
    /// May the server send reason strings and user properties on acknowledgements?
    pub request_problem_information: Option<bool>,
    /// User properties.
    pub user_properties: UserProperties,
    /// Name of the enhanced authentication method.
    pub authentication_method: Option<Utf8Bytes>,
    /// Data of that method.
    pub authentication_data: Option<Bytes>,
}

/// The will message of a CONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// Topic name.
    pub topic: Utf8Bytes,
    /// Payload, at most 65,535 bytes.
    pub payload: Bytes,
    /// QoS.
    pub qos: Qos,
    /// Is it to be retained?
    pub retain: bool,
    /// Seconds between the end of the connection and the will.
    pub delay_interval: Option<u32>,
    /// The message's properties.
    pub properties: MessageProperties,
}

/// The properties that travel with a message from publisher to subscriber.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageProperties {
    /// Is the payload UTF-8 (`true`) or unspecified bytes?
    pub payload_format_indicator: Option<bool>,
    /// Lifetime of the message, in seconds.
    pub message_expiry_interval: Option<u32>,
    /// Content type.
    pub content_type: Option<Utf8Bytes>,
    /// Topic name for a response.
    pub response_topic: Option<Utf8Bytes>,
    /// Correlation data.
    pub correlation_data: Option<Bytes>,
    /// User properties.
    pub user_properties: UserProperties,
}

impl MessageProperties {
    /// No properties.
    pub const NONE: Self = Self {
        payload_format_indicator: None,
        message_expiry_interval: None,
        content_type: None,
        response_topic: None,
        correlation_data: None,
        user_properties: Vec::new(),
    };

    /// A lasting reference to [`NONE`](Self::NONE), for messages of the server's own.
    #[must_use]
    pub fn none() -> &'static Self {
        static NONE: MessageProperties = MessageProperties::NONE;
        &NONE
    }

    /// A copy in allocations of its own, independent of the read buffer.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self {
            payload_format_indicator: self.payload_format_indicator,
            message_expiry_interval: self.message_expiry_interval,
            content_type: self.content_type.as_ref().map(Utf8Bytes::detached),
            response_topic: self.response_topic.as_ref().map(Utf8Bytes::detached),
            correlation_data: self.correlation_data.as_deref().map(Bytes::copy_from_slice),
            user_properties: self
                .user_properties
                .iter()
                .map(|(name, value)| (name.detached(), value.detached()))
                .collect(),
        }
    }

    /// About how many bytes the properties keep in memory besides the struct itself.
    #[must_use]
    pub fn weight(&self) -> usize {
        let texts = [&self.content_type, &self.response_topic];
        let texts: usize = texts.into_iter().flatten().map(Utf8Bytes::len).sum();
        let user: usize = self
            .user_properties
            .iter()
            .map(|(name, value)| size_of::<(Utf8Bytes, Utf8Bytes)>() + name.len() + value.len())
            .sum();
        texts + user + self.correlation_data.as_ref().map_or(0, Bytes::len)
    }
}

/// CONNACK: the answer to CONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnAck {
    /// Does the connection go on with a stored session?
    pub session_present: bool,
    /// Accepted, or why not.
    pub reason: ReasonCode,
    /// MQTT 5 properties.
    pub properties: ConnAckProperties,
}

/// Properties of CONNACK.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnAckProperties {
    /// How long the session will outlive the connection, in seconds.
    pub session_expiry_interval: Option<u32>,
    /// Unacknowledged QoS 1 and 2 publishes that the server takes at once.
    pub receive_maximum: Option<u16>,
    /// The highest QoS that the server takes; QoS 2 is said by leaving it out.
    pub maximum_qos: Option<Qos>,
    /// Does the server keep retained messages?
    pub retain_available: Option<bool>,
    /// The largest packet that the server takes, in bytes.
    pub maximum_packet_size: Option<u32>,
    /// The client identifier that the server chose for an empty one.
    pub assigned_client_identifier: Option<Utf8Bytes>,
    /// The highest topic alias that the server takes.
    pub topic_alias_maximum: Option<u16>,
    /// A sentence for the reader of the client's log.
    pub reason_string: Option<Utf8Bytes>,
    /// User properties.
    pub user_properties: UserProperties,
    /// May filters have wildcards?
    pub wildcard_subscription_available: Option<bool>,
    /// May SUBSCRIBE have subscription identifiers?
    pub subscription_identifiers_available: Option<bool>,
    /// May filters be shared subscriptions?
    pub shared_subscription_available: Option<bool>,
    /// The keep-alive that holds instead of the client's, in seconds.
    pub server_keep_alive: Option<u16>,
    /// Basis for response topics.
    pub response_information: Option<Utf8Bytes>,
    /// Another server to use.
    pub server_reference: Option<Utf8Bytes>,
    /// Name of the enhanced authentication method.
    pub authentication_method: Option<Utf8Bytes>,
    /// Data of that method.
    pub authentication_data: Option<Bytes>,
}

/// PUBLISH: a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Is it perhaps a second attempt?
    pub dup: bool,
    /// QoS and packet identifier.
    pub delivery: Delivery,
    /// From a client: is it to be retained? To a client: did it come out of the retained messages?
    pub retain: bool,
    /// Topic name as it stands in the packet: empty when the alias alone names the topic.
    pub topic: Utf8Bytes,
    /// Topic alias; 0 is decoded so that it can be refused with its own reason.
    pub topic_alias: Option<u16>,
    /// Subscriptions that matched; only from server to client.
    pub subscription_identifiers: Vec<u32>,
    /// The message's properties.
    pub properties: MessageProperties,
    /// Payload.
    pub payload: Bytes,
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The publish that is spoken of.
    pub packet_id: PacketId,
    /// Accepted, or why not. MQTT 3.1.1 knows success only.
    pub reason: ReasonCode,
    /// MQTT 5 properties.
    pub properties: ReasonProperties,
}

/// Properties of the packets that acknowledge something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReasonProperties {
    /// A sentence for the reader of the log.
    pub reason_string: Option<Utf8Bytes>,
    /// User properties.
    pub user_properties: UserProperties,
}

/// SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Packet identifier.
    pub packet_id: PacketId,
    /// Subscription identifier, 1 to 268,435,455.
    pub subscription_identifier: Option<u32>,
    /// User properties.
    pub user_properties: UserProperties,
    /// At least one.
    pub filters: Vec<Subscription>,
}

/// One filter of a SUBSCRIBE with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Topic filter, not judged.
    pub filter: Utf8Bytes,
    /// The highest QoS that the subscriber wants.
    pub qos: Qos,
    /// Not the subscriber's own messages.
    pub no_local: bool,
    /// Keep the RETAIN flag of forwarded messages as published.
    pub retain_as_published: bool,
    /// When to send retained messages.
    pub retain_handling: RetainHandling,
}

impl Subscription {
    /// A subscription with default options.
    #[must_use]
    pub const fn new(filter: Utf8Bytes, qos: Qos) -> Self {
        Self { filter, qos, no_local: false, retain_as_published: false, retain_handling: RetainHandling::SendAlways }
    }
}

/// When a new subscription gets retained messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RetainHandling {
    /// At every SUBSCRIBE.
    #[default]
    SendAlways = 0,
    /// Only when the subscription did not exist.
    SendIfNew = 1,
    /// Never.
    DoNotSend = 2,
}

/// SUBACK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubAck {
    /// The SUBSCRIBE's packet identifier.
    pub packet_id: PacketId,
    /// MQTT 5 properties.
    pub properties: ReasonProperties,
    /// One for each filter, in order. In MQTT 3.1.1 every refusal is 0x80.
    pub reasons: Vec<ReasonCode>,
}

/// UNSUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe {
    /// Packet identifier.
    pub packet_id: PacketId,
    /// User properties.
    pub user_properties: UserProperties,
    /// At least one; not judged.
    pub filters: Vec<Utf8Bytes>,
}

/// UNSUBACK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsubAck {
    /// The UNSUBSCRIBE's packet identifier.
    pub packet_id: PacketId,
    /// MQTT 5 properties.
    pub properties: ReasonProperties,
    /// One for each filter, in order; MQTT 3.1.1 has none.
    pub reasons: Vec<ReasonCode>,
}

/// DISCONNECT. MQTT 3.1.1 knows it from the client only, without a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnect {
    /// Why.
    pub reason: ReasonCode,
    /// From the client: the session's new lifetime after the connection, in seconds.
    pub session_expiry_interval: Option<u32>,
    /// A sentence for the reader of the log.
    pub reason_string: Option<Utf8Bytes>,
    /// User properties.
    pub user_properties: UserProperties,
    /// Another server to use.
    pub server_reference: Option<Utf8Bytes>,
}

impl Disconnect {
    /// A DISCONNECT with nothing but its reason.
    #[must_use]
    pub const fn new(reason: ReasonCode) -> Self {
        Self {
            reason,
            session_expiry_interval: None,
            reason_string: None,
            user_properties: Vec::new(),
            server_reference: None,
        }
    }
}

/// AUTH, which is decoded so that it can be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// Which step this is.
    pub reason: ReasonCode,
    /// Name of the enhanced authentication method.
    pub authentication_method: Option<Utf8Bytes>,
    /// Data of that method.
    pub authentication_data: Option<Bytes>,
    /// A sentence for the reader of the log.
    pub reason_string: Option<Utf8Bytes>,
    /// User properties.
    pub user_properties: UserProperties,
}

impl Auth {
    /// An AUTH with nothing but its reason.
    #[must_use]
    pub const fn new(reason: ReasonCode) -> Self {
        Self {
            reason,
            authentication_method: None,
            authentication_data: None,
            reason_string: None,
            user_properties: Vec::new(),
        }
    }
}
