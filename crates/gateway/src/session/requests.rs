//! What the device asks for: publish, subscribe, unsubscribe.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_broker::{Message, SubscribeOutcome, SubscriptionOptions};
use gatehouse_domain::topic::{TopicFilter, TopicName, may_publish, may_subscribe};
use gatehouse_mqtt::encode_pingresp;
use gatehouse_mqtt::packet::Subscription;
use gatehouse_mqtt::{Delivery, InboundPublish, PacketId, Qos, ReasonCode, Received, Utf8Bytes, Version};

use super::{End, Session};
use crate::authorization::{Authorized, Publish};
use crate::report::Denial;

/// A payload up to this size is copied out of the read buffer: a message may wait for a slow subscriber, and must not
/// keep a whole buffer alive for a few bytes.
const COPIED_BYTES: usize = 16 * 1024;

fn detached(payload: &Bytes) -> Bytes {
    if payload.len() <= COPIED_BYTES { Bytes::copy_from_slice(payload) } else { payload.clone() }
}

/// Why a publish or subscription is not done.
pub(super) struct No {
    reason: ReasonCode,
    text: String,
}

impl No {
    fn new(reason: ReasonCode, why: impl ToString) -> Self {
        Self { reason, text: why.to_string() }
    }
}

impl Session {
    pub(super) async fn handle(&mut self, received: Received) -> Result<(), End> {
        match received {
            Received::Publish(publish) => self.publish(publish).await,
            Received::Subscribe { packet_id, filters } => self.subscribe(packet_id, filters).await,
            Received::Unsubscribe { packet_id, filters } => {
                self.unsubscribe(packet_id, &filters);
                Ok(())
            }
            Received::Ping => {
                encode_pingresp(&mut self.outbound);
                Ok(())
            }
            Received::Acknowledged { .. } => self.deliver_pending().await,
            Received::Stray => Ok(()),
            Received::Disconnect { reason, .. } => {
                Err(End::Disconnected { with_will: reason == ReasonCode::DisconnectWithWill })
            }
        }
    }

    async fn publish(&mut self, publish: InboundPublish) -> Result<(), End> {
        self.refresh().await?;
        let now = self.shared.clock.now();
        let qos = publish.delivery.qos();
        let outcome = match TopicName::parse(publish.topic.as_str()) {
            Err(invalid) => Err(No::new(ReasonCode::TopicNameInvalid, invalid)),
            Ok(topic) => match (may_publish(&topic), self.authorization.publish(now, &topic)) {
                // The policy first: who may not publish learns nothing of what is there.
                (_, Err(_)) => Err(No::new(ReasonCode::NotAuthorized, "no policy allows iot:Publish to this topic")),
                (Err(reserved), Ok(_)) => Err(No::new(ReasonCode::TopicNameInvalid, reserved)),
                (Ok(()), Ok(authorized)) => {
                    self.route(&authorized, topic, &publish);
                    Ok(())
                }
            },
        };
        if let Some(counter) = self.shared.metrics.received.get(usize::from(qos.value())) {
            counter.inc();
        }
        match outcome {
            Ok(()) => self.answer_publish(publish.delivery, ReasonCode::Success, ""),
            Err(No { reason, text }) => {
                self.file("Publish-In", &text, publish.topic.as_str());
                self.refuse_publish(publish.delivery, reason, text)
            }
        }
    }

    fn file(&self, event_type: &'static str, details: &str, topic: &str) {
        let denial = Denial {
            event_type,
            details,
            topic,
            principal: &self.identity.principal(),
            scope: self.identity.scope(),
            client_id: Some(self.guard.session().client_id().as_str()),
        };
        self.shared.reporter.deny(&denial, self.shared.clock.now());
    }

    fn route(&mut self, _authorized: &Authorized<Publish>, topic: TopicName, publish: &InboundPublish) {
        let message = Message {
            topic,
            payload: detached(&publish.payload),
            qos: publish.delivery.qos(),
            properties: publish.properties.detached(),
            published_at: self.shared.clock.now(),
        };
        self.guard.publish(&Arc::new(message));
    }

    /// MQTT 5 tells a refused QoS 1 publish in its PUBACK. For QoS 0, and in MQTT 3.1.1, only ending the connection
    /// tells the device anything, which is what AWS does.
    fn refuse_publish(&mut self, delivery: Delivery, reason: ReasonCode, text: String) -> Result<(), End> {
        let can_be_told = self.connection.version() == Version::V5 && delivery.packet_id().is_some();
        if can_be_told { self.answer_publish(delivery, reason, &text) } else { Err(End::Broke { reason, text }) }
    }

    fn answer_publish(&mut self, delivery: Delivery, reason: ReasonCode, text: &str) -> Result<(), End> {
        if let Some(packet_id) = delivery.packet_id()
            && let Some(packet) = self.connection.puback(packet_id, reason, text)
        {
            self.push(&packet);
        }
        Ok(())
    }

    async fn subscribe(&mut self, packet_id: PacketId, filters: Vec<Subscription>) -> Result<(), End> {
        self.refresh().await?;
        let mut reasons = Vec::with_capacity(filters.len());
        let mut explained = String::new();
        for subscription in filters {
            reasons.push(match self.subscribe_one(&subscription) {
                Ok(Qos::AtMostOnce) => ReasonCode::Success,
                Ok(_) => ReasonCode::GrantedQos1,
                Err(No { reason, text }) => {
                    self.file("Subscribe", &text, subscription.filter.as_str());
                    if explained.is_empty() {
                        explained = format!("{}: {text}", subscription.filter.as_str());
                    }
                    reason
                }
            });
        }
        let answer = self.connection.suback(packet_id, reasons, &explained);
        self.push(&answer);
        Ok(())
    }

    fn subscribe_one(&mut self, subscription: &Subscription) -> Result<Qos, No> {
        let filter = TopicFilter::parse(subscription.filter.as_str())
            .map_err(|invalid| No::new(ReasonCode::TopicFilterInvalid, invalid))?;
        self.authorization
            .subscribe(self.shared.clock.now(), &filter)
            .map_err(|_| No::new(ReasonCode::NotAuthorized, "no policy allows iot:Subscribe to this filter"))?;
        may_subscribe(&filter).map_err(|reserved| No::new(ReasonCode::TopicFilterInvalid, reserved))?;
        let qos = subscription.qos.min(Qos::AtLeastOnce);
        let options = SubscriptionOptions { qos, no_local: subscription.no_local };
        match self.guard.subscribe(filter, options) {
            SubscribeOutcome::LimitReached => {
                Err(No::new(ReasonCode::QuotaExceeded, "the connection has as many subscriptions as it may have"))
            }
            _ => Ok(qos),
        }
    }

    fn unsubscribe(&mut self, packet_id: PacketId, filters: &[Utf8Bytes]) {
        let reasons = filters
            .iter()
            .map(|text| match TopicFilter::parse(text.as_str()) {
                Err(_) => ReasonCode::TopicFilterInvalid,
                Ok(filter) if self.guard.unsubscribe(&filter) => ReasonCode::Success,
                Ok(_) => ReasonCode::NoSubscriptionExisted,
            })
            .collect();
        let answer = self.connection.unsuback(packet_id, reasons, "");
        self.push(&answer);
    }
}
