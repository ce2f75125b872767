//! What a client sends on an open connection, and what it may not send.

use super::{Connection, InboundPublish, ProtocolError, Received};
use crate::packet::{
    Acknowledgement, Delivery, Disconnect, MessageProperties, Packet, Publish, Qos, Subscribe, Unsubscribe,
    UserProperties, Version,
};
use crate::reason::ReasonCode;
use crate::settings::Settings;
use crate::text::Utf8Bytes;

const fn error(reason: ReasonCode, text: &'static str) -> ProtocolError {
    ProtocolError { reason, text }
}

impl Connection {
    /// Judges the client's next packet. After an error or a DISCONNECT everything is refused.
    pub fn receive(&mut self, packet: Packet) -> Result<Received, ProtocolError> {
        if self.is_closed {
            return Err(error(ReasonCode::ProtocolError, "connection is closed"));
        }
        let outcome = self.judge(packet);
        if outcome.is_err() {
            self.is_closed = true;
        }
        outcome
    }

    fn judge(&mut self, packet: Packet) -> Result<Received, ProtocolError> {
        match packet {
            Packet::Publish(publish) => self.publish(publish).map(Received::Publish),
            Packet::PubAck(acknowledgement) => Ok(self.acknowledged(&acknowledgement)),
            Packet::Subscribe(subscribe) => self.subscribe(subscribe),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(unsubscribe),
            Packet::PingReq => Ok(Received::Ping),
            Packet::Disconnect(disconnect) => self.disconnected(disconnect),
            // [MQTT-3.1.0-2].
            Packet::Connect(_) => Err(error(ReasonCode::ProtocolError, "second CONNECT on a connection")),
            Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => {
                Err(error(ReasonCode::ProtocolError, "QoS 2 is not supported"))
            }
            Packet::Auth(_) => Err(error(ReasonCode::ProtocolError, "AUTH is not supported")),
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                Err(error(ReasonCode::ProtocolError, "only servers send this packet type"))
            }
        }
    }

    fn publish(&mut self, publish: Publish) -> Result<InboundPublish, ProtocolError> {
        if matches!(publish.delivery, Delivery::ExactlyOnce(_)) {
            return Err(error(ReasonCode::QosNotSupported, "QoS 2 is not supported"));
        }
        if publish.retain && !self.settings.retain_available {
            return Err(error(ReasonCode::RetainNotSupported, "retained messages are not supported"));
        }
        if publish.payload.len() > self.settings.payload_bytes_max {
            return Err(error(ReasonCode::PacketTooLarge, "payload is larger than the server takes"));
        }
        // [MQTT-3.3.4-6].
        if !publish.subscription_identifiers.is_empty() {
            return Err(error(ReasonCode::ProtocolError, "PUBLISH of a client with a subscription identifier"));
        }
        judge_properties(&publish.properties, &self.settings)?;
        let topic = self.resolve(publish.topic, publish.topic_alias)?;
        if let Delivery::AtLeastOnce(packet_id) = publish.delivery {
            if self.received.insert(packet_id) {
                if self.received.len() > usize::from(self.settings.receive_maximum) {
                    return Err(error(ReasonCode::ReceiveMaximumExceeded, "too many unacknowledged publishes"));
                }
            } else if self.version() == Version::V5 {
                // MQTT 3.1.1 clients may send again on the same connection, MQTT 5 ones may not ([MQTT-4.4.0-1]).
                return Err(error(ReasonCode::ProtocolError, "packet identifier is in use"));
            }
        }
        let mut properties = publish.properties;
        properties.message_expiry_interval =
            properties.message_expiry_interval.map(|secs| secs.clamp(1, self.settings.message_expiry_max_secs.max(1)));
        Ok(InboundPublish {
            topic,
            payload: publish.payload,
            delivery: publish.delivery,
            retain: publish.retain,
            properties,
        })
    }

    /// The topic name that a PUBLISH means.
    fn resolve(&mut self, topic: Utf8Bytes, alias: Option<u16>) -> Result<Utf8Bytes, ProtocolError> {
        let Some(alias) = alias else {
            return if topic.is_empty() {
                Err(error(ReasonCode::ProtocolError, "topic name is empty and there is no topic alias"))
            } else {
                Ok(topic)
            };
        };
        // [MQTT-3.3.2-8], [MQTT-3.3.2-9].
        if alias == 0 || alias > self.settings.topic_alias_maximum {
            return Err(error(ReasonCode::TopicAliasInvalid, "topic alias is 0 or above the topic alias maximum"));
        }
        if topic.is_empty() {
            return self
                .aliases
                .topic(alias)
                .cloned()
                .ok_or(error(ReasonCode::ProtocolError, "topic alias was never set"));
        }
        if topic.len() > self.settings.aliased_topic_bytes_max {
            return Err(error(ReasonCode::TopicNameInvalid, "topic name is too long for a topic alias"));
        }
        self.aliases.set(alias, self.settings.topic_alias_maximum, &topic);
        Ok(topic)
    }

    fn acknowledged(&mut self, acknowledgement: &Acknowledgement) -> Received {
        if self.sent.remove(acknowledgement.packet_id) {
            Received::Acknowledged { packet_id: acknowledgement.packet_id, reason: acknowledgement.reason }
        } else {
            Received::Stray
        }
    }

    fn subscribe(&self, subscribe: Subscribe) -> Result<Received, ProtocolError> {
        if subscribe.subscription_identifier.is_some() {
            return Err(error(
                ReasonCode::SubscriptionIdentifiersNotSupported,
                "subscription identifiers are not supported",
            ));
        }
        self.judge_filter_count(subscribe.filters.len())?;
        self.judge_user_properties(&subscribe.user_properties)?;
        for subscription in &subscribe.filters {
            if subscription.qos == Qos::ExactlyOnce {
                return Err(error(ReasonCode::QosNotSupported, "QoS 2 is not supported"));
            }
            // [MQTT-3.8.3-4].
            if subscription.no_local && subscription.filter.as_bytes().starts_with(b"$share/") {
                return Err(error(ReasonCode::ProtocolError, "shared subscription with no local"));
            }
        }
        Ok(Received::Subscribe { packet_id: subscribe.packet_id, filters: subscribe.filters })
    }

    fn unsubscribe(&self, unsubscribe: Unsubscribe) -> Result<Received, ProtocolError> {
        self.judge_filter_count(unsubscribe.filters.len())?;
        self.judge_user_properties(&unsubscribe.user_properties)?;
        Ok(Received::Unsubscribe { packet_id: unsubscribe.packet_id, filters: unsubscribe.filters })
    }

    fn disconnected(&mut self, disconnect: Disconnect) -> Result<Received, ProtocolError> {
        if let Some(secs) = disconnect.session_expiry_interval {
            if secs > 0 && !self.may_extend_session {
                return Err(error(ReasonCode::ProtocolError, "session expiry interval was 0 in CONNECT"));
            }
            self.session_expiry_secs = secs.min(self.settings.session_expiry_max_secs);
        }
        self.is_closed = true;
        Ok(Received::Disconnect { reason: disconnect.reason, reason_string: disconnect.reason_string })
    }

    fn judge_filter_count(&self, filters: usize) -> Result<(), ProtocolError> {
        if filters > self.settings.filters_max {
            return Err(error(ReasonCode::QuotaExceeded, "packet has more topic filters than the server takes"));
        }
        Ok(())
    }

    fn judge_user_properties(&self, properties: &UserProperties) -> Result<(), ProtocolError> {
        if !user_properties_fit(properties, self.settings.user_properties_bytes_max) {
            return Err(error(ReasonCode::QuotaExceeded, "user properties are larger than the server takes"));
        }
        Ok(())
    }
}

/// Limits of a message's properties ("AWS IoT Core endpoints and quotas"), and what a response topic is (MQTT 5, 3.3.2.3.5).
pub(super) fn judge_properties(properties: &MessageProperties, settings: &Settings) -> Result<(), ProtocolError> {
    if properties.content_type.as_ref().is_some_and(|text| text.len() > settings.content_type_bytes_max) {
        return Err(error(ReasonCode::QuotaExceeded, "content type is longer than the server takes"));
    }
    if properties.correlation_data.as_ref().is_some_and(|data| data.len() > settings.correlation_data_bytes_max) {
        return Err(error(ReasonCode::QuotaExceeded, "correlation data is longer than the server takes"));
    }
    if !user_properties_fit(&properties.user_properties, settings.user_properties_bytes_max) {
        return Err(error(ReasonCode::QuotaExceeded, "user properties are larger than the server takes"));
    }
    // [MQTT-3.3.2-14].
    if properties.response_topic.as_ref().is_some_and(|topic| topic.is_empty() || has_wildcard(topic)) {
        return Err(error(ReasonCode::ProtocolError, "response topic is empty or has a wildcard"));
    }
    Ok(())
}

fn has_wildcard(topic: &Utf8Bytes) -> bool {
    topic.as_bytes().iter().any(|byte| matches!(byte, b'#' | b'+'))
}

/// Are names and values together within this many bytes? The number of properties is bounded too, by the five bytes that
/// even an empty one takes on the wire: else empty ones would cost memory and count for nothing.
pub(super) fn user_properties_fit(properties: &UserProperties, bytes_max: usize) -> bool {
    let bytes: usize = properties.iter().map(|(name, value)| name.len() + value.len()).sum();
    bytes <= bytes_max && properties.len() <= bytes_max / 5
}
