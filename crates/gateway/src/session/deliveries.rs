//! What others send to the device.

use std::collections::VecDeque;

use gatehouse_broker::{Delivery, Lifetime};
use gatehouse_mqtt::{Outbound, OutboundMessage};

use super::{End, Session, WRITE_BYTES};

/// Messages taken out of the mailbox at once. Few: what is taken out does not count towards the mailbox's bounds.
const TAKEN_AT_ONCE: usize = 8;
/// Times that the mailbox is looked into before the device is heard again.
const ROUNDS: usize = 16;

impl Session {
    /// Takes what waits in the mailbox: an order to close first, news about permissions, then messages.
    pub(super) async fn take_mail(&mut self) -> Result<(), End> {
        for _ in 0..ROUNDS {
            self.refresh().await?;
            let mut taken = Vec::new();
            let close = self.mailbox.take(&mut taken, TAKEN_AT_ONCE);
            if taken.is_empty() && close.is_none() {
                break;
            }
            self.pending = VecDeque::from(taken);
            if let Some(reason) = close {
                return Err(End::Closed(reason));
            }
            self.deliver_pending().await?;
            if !self.pending.is_empty() || self.outbound.len() >= WRITE_BYTES {
                break;
            }
        }
        Ok(())
    }

    /// Gathers what the client's window has room for, up to one write: a device is heard between two writes. Each
    /// delivery is asked of the policies in force when it is made.
    pub(super) async fn deliver_pending(&mut self) -> Result<(), End> {
        self.is_window_full = false;
        while self.outbound.len() < WRITE_BYTES {
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
        let message = &delivery.message;
        let now = self.shared.clock.now();
        let expiry_secs = match message.lifetime(now) {
            Lifetime::Over => return true,
            Lifetime::Secs(secs) => Some(secs),
            Lifetime::Unlimited => None,
        };
        if self.authorization.receive(now, &message.topic).is_err() {
            self.shared.metrics.withheld.inc();
            return true;
        }
        let outbound = OutboundMessage {
            topic: message.topic.as_str(),
            payload: &message.payload,
            retain: false,
            properties: &message.properties,
            expiry_secs,
        };
        match self.connection.deliver(&outbound, delivery.qos, &mut self.outbound) {
            Outbound::Sent(_) => {
                if let Some(counter) = self.shared.metrics.sent.get(usize::from(delivery.qos.value())) {
                    counter.inc();
                }
                true
            }
            Outbound::WindowFull => false,
            Outbound::TooLarge | Outbound::Closed => true,
        }
    }
}
