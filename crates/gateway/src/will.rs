//! The will: what the broker publishes for a device that goes without saying goodbye.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_broker::{CloseReason, Message};
use gatehouse_domain::fleet_provisioning::{NEEDS_A_CONNECTION, request};
use gatehouse_domain::limits::message_expiry_secs;
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::topic::{TopicName, may_publish};
use gatehouse_mqtt::{MessageProperties, Qos, packet};

use crate::session::{End, Session};

/// A will that its owner was allowed to leave.
pub(crate) struct Will {
    pub(crate) topic: TopicName,
    payload: Bytes,
    qos: Qos,
    pub(crate) retain: bool,
    properties: MessageProperties,
}

impl Will {
    /// Reads a will; its topic must be one that clients may publish to.
    pub(crate) fn read(will: &packet::Will) -> Result<Self, String> {
        let topic = TopicName::parse(will.topic.as_str()).map_err(|invalid| invalid.to_string())?;
        may_publish(&topic).map_err(|reserved| reserved.to_string())?;
        if request(&topic).is_some() {
            return Err(NEEDS_A_CONNECTION.to_owned());
        }
        if will.retain && topic.is_reserved() {
            return Err("messages on topics that begin with $ are not retained".to_owned());
        }
        Ok(Self {
            topic,
            payload: Bytes::copy_from_slice(&will.payload),
            qos: will.qos.min(Qos::AtLeastOnce),
            retain: will.retain,
            properties: MessageProperties {
                message_expiry_interval: will.properties.message_expiry_interval.map(message_expiry_secs),
                ..will.properties.detached()
            },
        })
    }
}

impl Session {
    /// Publishes the will, unless the device said goodbye or has lost its rights: a certificate that was revoked speaks
    /// no more, not even through its will.
    pub(crate) async fn publish_will(&mut self, end: &End) {
        let speaks = match end {
            End::Disconnected { with_will } => *with_will,
            // Nothing stands against the device, as far as is known.
            End::Refused(Refusal::RegistryUnavailable)
            | End::Closed(CloseReason::Refused(Refusal::RegistryUnavailable)) => true,
            End::Refused(_) | End::Closed(CloseReason::Refused(_) | CloseReason::Deleted { prevent_will: true }) => {
                false
            }
            End::Lost | End::Silent | End::Broke { .. } | End::Closed(_) => true,
        };
        let Some(will) = self.will.take().filter(|_| speaks) else { return };
        // The device may have gone just before it was cut, and its permissions may have changed since CONNECT.
        let is_cut =
            |reason| matches!(reason, CloseReason::Refused(refusal) if refusal != Refusal::RegistryUnavailable);
        if self.mailbox.close_reason().is_some_and(is_cut) || self.refresh().await.is_err() {
            return;
        }
        let now = self.shared.clock.now();
        if self.authorization.publish(now, &will.topic).is_err()
            || (will.retain && self.authorization.retain_publish(now, &will.topic).is_err())
        {
            return;
        }
        if !self.rates.may_publish(now) || (will.retain && !self.rates.may_retain(&will.topic, now)) {
            self.shared.metrics.throttled("Publish-In");
            return;
        }
        let Will { topic, payload, qos, retain, properties } = *will;
        let message = Message { topic, payload, qos, properties, published_at: now, retain };
        self.guard.publish(&Arc::new(message), false, || Box::new(|_nobody_waits| {}));
    }
}
