//! A message on its way, shared by all who get it.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::session::MessageKey;
use gatehouse_domain::time::Timestamp;
use gatehouse_domain::topic::TopicName;
use gatehouse_mqtt::{MessageProperties, Qos};

use crate::direct::Direct;

/// An application message. It may outlive the packet it came in by far: payload and properties that are views of a read
/// buffer keep the whole buffer alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it was published.
    pub topic: TopicName,
    /// The payload.
    pub payload: Bytes,
    /// The QoS it was published with: subscribers get it with this or less.
    pub qos: Qos,
    /// What travels from publisher to subscriber in MQTT 5.
    pub properties: MessageProperties,
    /// When the server took it: its expiry interval starts here.
    pub published_at: Timestamp,
    /// Whether it is to be retained; one without payload ends what is retained.
    pub retain: bool,
}

/// How long a message may still be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// The publisher set no expiry interval.
    Unlimited,
    /// So many whole seconds; 0 during the last.
    Secs(u32),
    /// It must not be delivered any more ([MQTT-3.3.2-5]).
    Over,
}

impl Message {
    /// What is left of the message's lifetime at `now`. The publisher decides, so that it holds for subscribers of
    /// MQTT 3.1.1 too.
    #[must_use]
    pub fn lifetime(&self, now: Timestamp) -> Lifetime {
        let Some(interval_secs) = self.properties.message_expiry_interval else { return Lifetime::Unlimited };
        // A clock that was set back must not lengthen the life of a message.
        let age_ms = now.millis_since(self.published_at).max(0);
        let left_ms = (i64::from(interval_secs) * 1000).saturating_sub(age_ms);
        match u32::try_from(left_ms / 1000) {
            Ok(secs) if left_ms > 0 => Lifetime::Secs(secs),
            _ => Lifetime::Over,
        }
    }

    /// About how many bytes it keeps in memory.
    #[must_use]
    pub fn weight(&self) -> usize {
        size_of::<Self>() + self.topic.as_str().len() + self.payload.len() + self.properties.weight()
    }
}

/// A message for one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The message.
    pub message: Arc<Message>,
    /// The QoS it is delivered with.
    pub qos: Qos,
    /// The RETAIN flag it is delivered with.
    pub retain: bool,
    /// Its place in the session's queue in the store: to be acknowledged there as well.
    pub key: Option<MessageKey>,
    /// Who waits for it to arrive.
    pub direct: Option<Direct>,
}

impl Delivery {
    /// A message that was just published, for a session whose subscription says nothing about RETAIN.
    #[must_use]
    pub const fn live(message: Arc<Message>, qos: Qos) -> Self {
        Self { message, qos, retain: false, key: None, direct: None }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use gatehouse_mqtt::Utf8Bytes;

    use super::*;

    /// A message of QoS 1 with its topic as payload.
    pub(crate) fn message(topic: &str) -> Arc<Message> {
        Arc::new(Message {
            topic: TopicName::parse(topic).unwrap(),
            payload: Bytes::copy_from_slice(topic.as_bytes()),
            qos: Qos::AtLeastOnce,
            properties: MessageProperties::NONE,
            published_at: Timestamp::from_secs(0),
            retain: false,
        })
    }

    #[test]
    fn every_property_has_weight() {
        let text = |text: &str| Utf8Bytes::try_from(Bytes::copy_from_slice(text.as_bytes())).unwrap();
        let light = Message::clone(&message("a"));
        for properties in [
            MessageProperties { content_type: Some(text("12345678")), ..MessageProperties::NONE },
            MessageProperties { response_topic: Some(text("12345678")), ..MessageProperties::NONE },
            MessageProperties { correlation_data: Some(Bytes::from_static(b"12345678")), ..MessageProperties::NONE },
            MessageProperties { user_properties: vec![(text("1234"), text("5678"))], ..MessageProperties::NONE },
        ] {
            assert_eq!(properties.detached(), properties);
            let heavy = Message { properties, ..light.clone() };
            assert!(heavy.weight() >= light.weight() + 8, "{heavy:?}");
        }
    }

    #[test]
    fn a_message_lives_as_long_as_its_publisher_said() {
        let mut message = Message::clone(&message("a"));
        let table = [
            (None, 1 << 50, Lifetime::Unlimited),
            (Some(10), 0, Lifetime::Secs(10)),
            (Some(10), 1, Lifetime::Secs(9)),
            (Some(10), 9_999, Lifetime::Secs(0)),
            (Some(10), 10_000, Lifetime::Over),
            (Some(10), i64::MAX, Lifetime::Over),
            (Some(10), -5_000, Lifetime::Secs(10)),
            (Some(u32::MAX), 0, Lifetime::Secs(u32::MAX)),
        ];
        for (interval, now_ms, expected) in table {
            message.properties.message_expiry_interval = interval;
            assert_eq!(message.lifetime(Timestamp::from_millis(now_ms)), expected, "{interval:?} {now_ms}");
        }
    }
}
