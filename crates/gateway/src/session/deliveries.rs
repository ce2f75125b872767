//! What others send to the device.

use std::collections::VecDeque;
use std::time::Duration;

use gatehouse_broker::{Confirmation, Delivery, Lifetime};
use gatehouse_domain::refusal::Refusal;
use gatehouse_mqtt::{Outbound, OutboundMessage, PacketId, ReasonCode};

use tokio::time::Instant;

use super::{End, Followed, Session, WRITE_BYTES};

/// Messages taken out of the mailbox at once. Few: what is taken out does not count towards the mailbox's bounds.
const TAKEN_AT_ONCE: usize = 8;
/// How long deliveries wait when there were too many: a tenth of the burst.
const DELIVERY_PAUSE: Duration = Duration::from_millis(100);
/// Times that the mailbox is looked into before the device is heard again.
const ROUNDS: usize = 16;

impl Session {
    /// Takes what waits in the mailbox: an order to close first, news about permissions, receipts, then messages.
    pub(super) async fn take_mail(&mut self) -> Result<(), End> {
        for _ in 0..ROUNDS {
            self.refresh().await?;
            self.answer_receipts()?;
            // What is pending goes first.
            let room = if self.pending.is_empty() { TAKEN_AT_ONCE } else { 0 };
            let mut taken = Vec::new();
            let close = self.mailbox.take(&mut taken, room);
            self.pending.extend(taken);
            if let Some(reason) = close {
                return Err(End::Closed(reason));
            }
            if self.pending.is_empty() {
                self.fetch_stored().await?;
            }
            if self.pending.is_empty() || self.is_window_full || self.pace.delivers_at.is_some() {
                break;
            }
            self.deliver_pending().await?;
            if !self.pending.is_empty() || self.outbound.len() >= WRITE_BYTES {
                break;
            }
        }
        Ok(())
    }

    /// Reads the next messages that wait in the store.
    async fn fetch_stored(&mut self) -> Result<(), End> {
        if !self.mailbox.take_stored() {
            return Ok(());
        }
        let fetched =
            Box::pin(self.guard.fetch()).await.map_err(|_unavailable| End::Refused(Refusal::RegistryUnavailable))?;
        if !fetched.is_empty() {
            // There may be more.
            self.mailbox.mark_stored();
        }
        self.pending.extend(fetched);
        Ok(())
    }

    /// The device has a message, or must never get it.
    pub(super) fn acknowledge(&mut self, packet_id: PacketId, reason: ReasonCode) {
        if let Some(at) = self.followed.iter().position(|(in_flight, _)| *in_flight == packet_id) {
            match self.followed.swap_remove(at).1 {
                Followed::Stored(key) => self.guard.acknowledge(key),
                Followed::Direct(direct) if reason.is_refusal() => direct.tell(Confirmation::Refused),
                Followed::Direct(direct) => direct.tell(Confirmation::Done),
            }
        }
    }

    /// Gathers what the client's window has room for, up to one write: a device is heard between two writes. Each
    /// delivery is asked of the policies in force when it is made.
    pub(super) async fn deliver_pending(&mut self) -> Result<(), End> {
        self.is_window_full = false;
        while self.outbound.len() < WRITE_BYTES && self.pace.delivers_at.is_none() {
            if !self.may_deliver() {
                break;
            }
            let Some(delivery) = self.pending.pop_front() else {
                self.pending = VecDeque::new();
                break;
            };
            self.refresh().await?;
            if !self.deliver(&delivery) {
                self.pending.push_front(delivery);
                self.is_window_full = true;
                break;
            }
        }
        Ok(())
    }

    /// Whether the connection's rate lets another message through now; if not, when to ask again is noted.
    fn may_deliver(&mut self) -> bool {
        let rate = self.rates.quotas.connection_delivery_rate;
        let has_room = self.pace.deliveries.has_room(self.shared.clock.now(), rate);
        if !has_room && !self.pending.is_empty() {
            self.pace.delivers_at = Some(Instant::now() + DELIVERY_PAUSE);
        }
        has_room
    }

    /// Gathers all that waits for the device, as far as its window goes: the server stops.
    pub(super) async fn deliver_rest(&mut self) {
        if self.refresh().await.is_err() {
            return;
        }
        let mut waiting = Vec::from(std::mem::take(&mut self.pending));
        let _the_stop = self.mailbox.take(&mut waiting, usize::MAX);
        for delivery in &waiting {
            if !self.deliver(delivery) {
                break;
            }
        }
    }

    /// Whether the delivery is done with; `false` when it has to wait for room.
    fn deliver(&mut self, delivery: &Delivery) -> bool {
        let outcome = self.send(delivery);
        if let Sent::Later = outcome {
            return false;
        }
        match (outcome, delivery.key, &delivery.direct) {
            (Sent::Now(Some(packet_id)), Some(key), _) => self.followed.push((packet_id, Followed::Stored(key))),
            (Sent::Now(Some(packet_id)), None, Some(direct)) => {
                self.followed.push((packet_id, Followed::Direct(direct.clone())));
            }
            // It would be read out of the store again.
            (_, Some(key), _) => self.guard.acknowledge(key),
            (Sent::Now(None), None, Some(direct)) => direct.tell(Confirmation::Done),
            (Sent::Withheld, None, Some(direct)) => direct.tell(Confirmation::NotAuthorized),
            (Sent::TooLarge, None, Some(direct)) => direct.tell(Confirmation::TooLarge),
            _ => {}
        }
        true
    }

    fn send(&mut self, delivery: &Delivery) -> Sent {
        let message = &delivery.message;
        let now = self.shared.clock.now();
        let expiry_secs = match message.lifetime(now) {
            Lifetime::Over => return Sent::Expired,
            Lifetime::Secs(secs) => Some(secs),
            Lifetime::Unlimited => None,
        };
        if self.authorization.receive(now, &message.topic).is_err() {
            self.shared.metrics.withheld.inc();
            return Sent::Withheld;
        }
        let outbound = OutboundMessage {
            topic: message.topic.as_str(),
            payload: &message.payload,
            retain: delivery.retain,
            properties: &message.properties,
            expiry_secs,
        };
        match self.connection.deliver(&outbound, delivery.qos, &mut self.outbound) {
            Outbound::Sent(packet_id) => {
                self.pace.deliveries.spend(now, self.rates.quotas.connection_delivery_rate, 1);
                if let Some(counter) = self.shared.metrics.sent.get(usize::from(delivery.qos.value())) {
                    counter.inc();
                }
                Sent::Now(packet_id)
            }
            Outbound::WindowFull => Sent::Later,
            Outbound::TooLarge => Sent::TooLarge,
            // What is in the store stays there.
            Outbound::Closed => Sent::Later,
        }
    }
}

/// What became of an attempt to send a message.
enum Sent {
    /// It is written; above QoS 0 it waits for its acknowledgement.
    Now(Option<PacketId>),
    /// There is no room at the moment.
    Later,
    /// It must not be delivered any more.
    Expired,
    /// The device may not receive it.
    Withheld,
    /// The device does not take messages as large.
    TooLarge,
}
