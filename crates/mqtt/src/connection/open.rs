//! From CONNECT to an open connection or a refusal. Who the client is and what it may do is not asked here.

use std::sync::Arc;

use super::{ConnectRefusal, Connection, ReceivedIds, SentIds, TopicAliases, receive};
use crate::encode::Peer;
use crate::packet::{ConnAckProperties, Connect, Qos, Version, Will};
use crate::reason::ReasonCode;
use crate::settings::{Settings, Wills};

impl Peer {
    /// The client that sent this CONNECT.
    #[must_use]
    pub fn of(connect: &Connect) -> Self {
        Self {
            version: connect.version,
            packet_bytes_max: connect.properties.maximum_packet_size.unwrap_or(u32::MAX),
            wants_problem_information: connect.properties.request_problem_information.unwrap_or(true),
        }
    }

    /// A client of whose CONNECT nothing but the version is known.
    #[must_use]
    pub const fn new(version: Version) -> Self {
        Self { version, packet_bytes_max: u32::MAX, wants_problem_information: true }
    }
}

impl Connection {
    /// Takes a CONNECT by the rules of "MQTT" in AWS's developer guide. The properties are for [`Connection::connack`];
    /// MQTT 3.1.1 does not write them. An empty client identifier is the caller's to fill in; its length and first
    /// character are the caller's to judge.
    pub fn open(connect: &Connect, settings: &Arc<Settings>) -> Result<(Self, ConnAckProperties), ConnectRefusal> {
        judge(connect, settings)?;
        let asked = &connect.properties;
        let asked_expiry_secs = match connect.version {
            Version::V311 if connect.clean_start => 0,
            Version::V311 => settings.session_expiry_max_secs,
            Version::V5 => asked.session_expiry_interval.unwrap_or(0),
        };
        let window = asked.receive_maximum.unwrap_or(u16::MAX).min(settings.in_flight_max);
        let connection = Self {
            settings: Arc::clone(settings),
            peer: Peer::of(connect),
            keep_alive_secs: effective_keep_alive_secs(connect.keep_alive_secs, settings),
            session_expiry_secs: asked_expiry_secs.min(settings.session_expiry_max_secs),
            may_extend_session: asked_expiry_secs > 0,
            is_closed: false,
            aliases: TopicAliases::default(),
            received: ReceivedIds::default(),
            sent: SentIds::new(window),
        };
        let properties = connection.offers();
        Ok((connection, properties))
    }

    /// What AWS puts into the CONNACK of MQTT 5 ("MQTT 5 supported features", CONNACK properties).
    fn offers(&self) -> ConnAckProperties {
        let settings = &self.settings;
        ConnAckProperties {
            session_expiry_interval: Some(self.session_expiry_secs),
            receive_maximum: Some(settings.receive_maximum),
            maximum_qos: Some(Qos::AtLeastOnce),
            retain_available: Some(settings.retain_available),
            maximum_packet_size: Some(settings.packet_bytes_max),
            topic_alias_maximum: Some(settings.topic_alias_maximum),
            wildcard_subscription_available: Some(true),
            subscription_identifiers_available: Some(false),
            shared_subscription_available: Some(settings.shared_subscription_available),
            server_keep_alive: Some(self.keep_alive_secs),
            ..ConnAckProperties::default()
        }
    }
}

fn effective_keep_alive_secs(asked: u16, settings: &Settings) -> u16 {
    match asked {
        0 => settings.keep_alive_max_secs,
        asked => asked.max(settings.keep_alive_min_secs).min(settings.keep_alive_max_secs),
    }
}

fn judge(connect: &Connect, settings: &Settings) -> Result<(), ConnectRefusal> {
    let refuse = |reason, text| Err(ConnectRefusal { reason, text });
    let asked = &connect.properties;
    if asked.authentication_method.is_some() {
        return refuse(ReasonCode::BadAuthenticationMethod, "enhanced authentication is not supported");
    }
    if asked.receive_maximum == Some(0) || asked.maximum_packet_size == Some(0) {
        return refuse(ReasonCode::ProtocolError, "receive maximum and maximum packet size must not be 0");
    }
    if asked.maximum_packet_size.is_some_and(|bytes| bytes < settings.client_packet_bytes_min) {
        return refuse(ReasonCode::ImplementationSpecificError, "maximum packet size is smaller than the server needs");
    }
    if !receive::user_properties_fit(&asked.user_properties, settings.user_properties_bytes_max) {
        return refuse(ReasonCode::QuotaExceeded, "user properties are larger than the server takes");
    }
    // [MQTT-3.1.3-8] of 3.1.1; MQTT 5 allows it.
    if connect.version == Version::V311 && connect.client_id.is_empty() && !connect.clean_start {
        return refuse(ReasonCode::ClientIdentifierNotValid, "client identifier is empty and clean session is 0");
    }
    connect.will.as_ref().map_or(Ok(()), |will| judge_will(will, settings))
}

fn judge_will(will: &Will, settings: &Settings) -> Result<(), ConnectRefusal> {
    let refuse = |reason, text| Err(ConnectRefusal { reason, text });
    // [MQTT-3.2.2-12].
    if will.qos == Qos::ExactlyOnce {
        return refuse(ReasonCode::QosNotSupported, "will with QoS 2 is not supported");
    }
    match settings.wills {
        Wills::Refused => return refuse(ReasonCode::ImplementationSpecificError, "will is not supported"),
        Wills::Ignored => return Ok(()),
        Wills::Kept => {}
    }
    // [MQTT-3.2.2-13].
    if will.retain && !settings.retain_available {
        return refuse(ReasonCode::RetainNotSupported, "retained will is not supported");
    }
    if will.topic.is_empty() {
        return refuse(ReasonCode::TopicNameInvalid, "will topic is empty");
    }
    receive::judge_properties(&will.properties, settings)
        .map_err(|error| ConnectRefusal { reason: error.reason, text: error.text })
}
