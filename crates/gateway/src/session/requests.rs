//! What the device asks for; and publishing, which is most of it.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_broker::{Done, Message, Published, Unavailable};
use gatehouse_domain::topic::{TopicName, may_publish};
use gatehouse_mqtt::encode_pingresp;
use gatehouse_mqtt::{Delivery, InboundPublish, PacketId, ReasonCode, Received, Version};

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
    pub(super) reason: ReasonCode,
    pub(super) text: String,
}

impl No {
    pub(super) fn new(reason: ReasonCode, why: impl ToString) -> Self {
        Self { reason, text: why.to_string() }
    }
}

impl Session {
    pub(super) async fn handle(&mut self, received: Received) -> Result<(), End> {
        match received {
            Received::Publish(publish) => self.publish(publish).await,
            Received::Subscribe { packet_id, filters } => self.subscribe(packet_id, filters).await,
            Received::Unsubscribe { packet_id, filters } => self.unsubscribe(packet_id, &filters).await,
            Received::Ping => {
                encode_pingresp(&mut self.outbound);
                Ok(())
            }
            Received::Acknowledged { packet_id, reason } => {
                self.acknowledge(packet_id, reason);
                self.deliver_pending().await
            }
            Received::Stray => Ok(()),
            Received::Disconnect { reason, .. } => {
                Err(End::Disconnected { with_will: reason == ReasonCode::DisconnectWithWill })
            }
        }
    }

    async fn publish(&mut self, publish: InboundPublish) -> Result<(), End> {
        self.refresh().await?;
        let qos = publish.delivery.qos();
        if let Some(counter) = self.shared.metrics.received.get(usize::from(qos.value())) {
            counter.inc();
        }
        let now = self.shared.clock.now();
        if !self.pace.publishes.take(now, self.rates.quotas.connection_publish_rate, 1) {
            return self.discard(&publish, "Publish-In");
        }
        match self.may_publish(&publish) {
            // The account's rate is for those who may publish.
            Ok(_) if !self.rates.may_publish(now) => self.discard(&publish, "Publish-In"),
            Ok((_, topic)) if publish.retain && !self.rates.may_retain(&topic, now) => {
                self.discard(&publish, "PublishRetained")
            }
            Ok((authorized, topic)) => {
                if !self.provision(&authorized, &topic, &publish) {
                    self.route(&authorized, topic, &publish);
                }
                Ok(())
            }
            Err(No { reason, text }) => {
                self.file("Publish-In", &text, publish.topic.as_str());
                self.refuse_publish(publish.delivery, reason, text)
            }
        }
    }

    /// A publish beyond the rates is discarded; the connection goes on. In MQTT 5 the device hears of it.
    fn discard(&mut self, publish: &InboundPublish, operation: &'static str) -> Result<(), End> {
        let text = "too many messages a second are published or retained: the message is discarded";
        self.shared.metrics.throttled(operation);
        if let Some(packet_id) = publish.delivery.packet_id() {
            self.answer_in_line(packet_id, ReasonCode::QuotaExceeded, text.to_owned());
        }
        Ok(())
    }

    fn may_publish(&mut self, publish: &InboundPublish) -> Result<(Authorized<Publish>, TopicName), No> {
        let now = self.shared.clock.now();
        let topic = TopicName::parse(publish.topic.as_str())
            .map_err(|invalid| No::new(ReasonCode::TopicNameInvalid, invalid))?;
        // The policies first: who may not publish learns nothing of what is there.
        let authorized = self
            .authorization
            .publish(now, &topic)
            .map_err(|_| No::new(ReasonCode::NotAuthorized, "no policy allows iot:Publish to this topic"))?;
        if publish.retain && self.authorization.retain_publish(now, &topic).is_err() {
            return Err(No::new(ReasonCode::NotAuthorized, "no policy allows iot:RetainPublish to this topic"));
        }
        may_publish(&topic).map_err(|reserved| No::new(ReasonCode::TopicNameInvalid, reserved))?;
        if publish.retain && topic.is_reserved() {
            return Err(No::new(
                ReasonCode::TopicNameInvalid,
                "messages on topics that begin with $ are not retained: publish without RETAIN",
            ));
        }
        Ok((authorized, topic))
    }

    pub(super) fn file(&self, event_type: &'static str, details: &str, topic: &str) {
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
        let message = Arc::new(Message {
            topic,
            payload: detached(&publish.payload),
            qos: publish.delivery.qos(),
            properties: publish.properties.detached(),
            published_at: self.shared.clock.now(),
            retain: publish.retain,
        });
        let Some(packet_id) = publish.delivery.packet_id() else {
            self.guard.publish(&message, false, || Box::new(|_nobody_waits| {}));
            return;
        };
        // The answers come in the order of the publishes ([MQTT-4.6.0-2]).
        let in_line = self.receipts_awaited > 0;
        let mailbox = &self.mailbox;
        let receipt = || -> Done {
            let mailbox = Arc::clone(mailbox);
            Box::new(move |outcome| mailbox.put_receipt((packet_id, outcome)))
        };
        match self.guard.publish(&message, in_line, receipt) {
            Published::Settled(_) => self.answer_publish(packet_id, ReasonCode::Success, ""),
            Published::Pending(_) => self.receipts_awaited += 1,
        }
    }

    /// Answers the publishes that have been written down, or could not be.
    pub(super) fn answer_receipts(&mut self) -> Result<(), End> {
        if self.receipts_awaited == 0 {
            return Ok(());
        }
        for (packet_id, outcome) in self.mailbox.take_receipts() {
            self.receipts_awaited = self.receipts_awaited.saturating_sub(1);
            if let Some(at) = self.refusals_in_line.iter().position(|(refused, ..)| *refused == packet_id) {
                let (_, reason, text) = self.refusals_in_line.swap_remove(at);
                self.answer_publish(packet_id, reason, &text);
                continue;
            }
            match outcome {
                Ok(()) => self.answer_publish(packet_id, ReasonCode::Success, ""),
                Err(unavailable) => {
                    let reason = match unavailable {
                        Unavailable::Store | Unavailable::Throttled => ReasonCode::UnspecifiedError,
                        Unavailable::RetainedLimit => ReasonCode::QuotaExceeded,
                    };
                    let text = format!("{unavailable}: publish it again later");
                    self.tell_unkept(packet_id, reason, text)?;
                }
            }
        }
        Ok(())
    }

    /// MQTT 5 tells a refused QoS 1 publish in its PUBACK. For QoS 0, and in MQTT 3.1.1, only ending the connection
    /// tells the device anything, which is what AWS does.
    fn refuse_publish(&mut self, delivery: Delivery, reason: ReasonCode, text: String) -> Result<(), End> {
        match delivery.packet_id().filter(|_| self.connection.version() == Version::V5) {
            Some(packet_id) => {
                self.answer_in_line(packet_id, reason, text);
                Ok(())
            }
            None => Err(End::Broke { reason, text }),
        }
    }

    /// A publish that could not be kept, whose turn it is.
    fn tell_unkept(&mut self, packet_id: PacketId, reason: ReasonCode, text: String) -> Result<(), End> {
        if self.connection.version() == Version::V311 {
            return Err(End::Broke { reason, text });
        }
        self.answer_publish(packet_id, reason, &text);
        Ok(())
    }

    /// Answers behind the receipts that are still to come ([MQTT-4.6.0-2]).
    pub(crate) fn answer_in_line(&mut self, packet_id: PacketId, reason: ReasonCode, text: String) {
        if self.receipts_awaited == 0 {
            return self.answer_publish(packet_id, reason, &text);
        }
        self.refusals_in_line.push((packet_id, reason, text));
        self.receipts_awaited += 1;
        let mailbox = Arc::clone(&self.mailbox);
        self.guard.after_publishes(Box::new(move |_settled| mailbox.put_receipt((packet_id, Ok(())))));
    }

    fn answer_publish(&mut self, packet_id: PacketId, reason: ReasonCode, text: &str) {
        if let Some(packet) = self.connection.puback(packet_id, reason, text) {
            self.push(&packet);
        }
    }
}
