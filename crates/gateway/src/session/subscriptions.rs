//! Subscribing and unsubscribing.

use gatehouse_broker::{SubscribeOutcome, SubscriptionOptions};
use gatehouse_domain::topic::{TopicFilter, TopicName, may_subscribe};
use gatehouse_mqtt::packet::{RetainHandling, Subscription};
use gatehouse_mqtt::{PacketId, Qos, ReasonCode, Utf8Bytes};

use super::requests::No;
use super::{End, Session};

/// A subscription that the policies and the rules of topics let through.
type Permitted = (TopicFilter, SubscriptionOptions);

impl Session {
    /// Judges each filter, subscribes to all that passed at once, answers, and then sends what is retained.
    pub(super) async fn subscribe(&mut self, packet_id: PacketId, filters: Vec<Subscription>) -> Result<(), End> {
        self.refresh().await?;
        let judged: Vec<Result<Permitted, No>> =
            filters.iter().map(|subscription| self.may_subscribe(subscription)).collect();
        let permitted: Vec<Permitted> = judged.iter().flatten().cloned().collect();
        let subscribed = self.guard.subscribe(permitted).await;
        let mut outcomes = subscribed.as_ref().map_or(&[][..], Vec::as_slice).iter();
        let mut reasons = Vec::with_capacity(filters.len());
        let mut explained = String::new();
        let mut retained = Vec::new();
        for (subscription, judged) in filters.iter().zip(judged) {
            let verdict = judged.and_then(|(filter, options)| match (&subscribed, outcomes.next()) {
                (Err(unavailable), _) => Err(No::new(ReasonCode::UnspecifiedError, unavailable)),
                (Ok(_), Some(SubscribeOutcome::LimitReached) | None) => {
                    Err(No::new(ReasonCode::QuotaExceeded, "the connection has as many subscriptions as it may have"))
                }
                (Ok(_), Some(SubscribeOutcome::ScopeLimitReached)) => {
                    Err(No::new(ReasonCode::QuotaExceeded, "the account has as many subscriptions as it may have"))
                }
                (Ok(_), Some(SubscribeOutcome::SharedLimitReached)) => Err(No::new(
                    ReasonCode::QuotaExceeded,
                    "there are as many shared subscriptions, or members of this one, as there may be",
                )),
                (Ok(_), Some(outcome)) => {
                    let is_new = *outcome == SubscribeOutcome::Added;
                    // Shared subscriptions bring none.
                    if wants_retained(subscription.retain_handling, is_new)
                        && !filter.is_shared()
                        && let Ok(topic) = TopicName::parse(filter.as_str())
                    {
                        retained.push((topic, options.qos));
                    }
                    Ok(options.qos)
                }
            });
            reasons.push(match verdict {
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
        let granted: Vec<&str> = filters
            .iter()
            .zip(&reasons)
            .filter(|(_, reason)| !reason.is_refusal())
            .map(|(subscription, _)| subscription.filter.as_str())
            .collect();
        if !granted.is_empty() {
            self.lifecycle.subscribed(&granted, self.shared.clock.now());
        }
        let answer = self.connection.suback(packet_id, reasons, &explained);
        self.push(&answer);
        self.send_retained(retained).await;
        Ok(())
    }

    fn may_subscribe(&mut self, subscription: &Subscription) -> Result<Permitted, No> {
        let filter = TopicFilter::parse(subscription.filter.as_str())
            .map_err(|invalid| No::new(ReasonCode::TopicFilterInvalid, invalid))?;
        self.authorization
            .subscribe(self.shared.clock.now(), &filter)
            .map_err(|_| No::new(ReasonCode::NotAuthorized, "no policy allows iot:Subscribe to this filter"))?;
        may_subscribe(&filter).map_err(|reserved| No::new(ReasonCode::TopicFilterInvalid, reserved))?;
        if !self.rates.may_subscribe(self.shared.clock.now()) {
            self.shared.metrics.throttled("Subscribe");
            return Err(No::new(
                ReasonCode::QuotaExceeded,
                "too many subscriptions a second are made: subscribe later",
            ));
        }
        let options = SubscriptionOptions {
            qos: subscription.qos.min(Qos::AtLeastOnce),
            no_local: subscription.no_local,
            retain_as_published: subscription.retain_as_published,
        };
        Ok((filter, options))
    }

    /// Sends the retained messages of topics just subscribed to. AWS looks for them only where the filter is the topic.
    async fn send_retained(&mut self, topics: Vec<(TopicName, Qos)>) {
        for (topic, qos) in topics {
            match Box::pin(self.guard.retained(&topic)).await {
                Ok(Some(message)) => self.guard.deliver_retained(message, qos),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, %topic, "a retained message is not sent"),
            }
        }
    }

    pub(super) async fn unsubscribe(&mut self, packet_id: PacketId, filters: &[Utf8Bytes]) -> Result<(), End> {
        let parsed: Vec<Option<TopicFilter>> =
            filters.iter().map(|text| TopicFilter::parse(text.as_str()).ok()).collect();
        let known: Vec<TopicFilter> = parsed.iter().flatten().cloned().collect();
        let mut text = String::new();
        let outcomes = self.guard.unsubscribe(&known).await;
        let mut removed = outcomes.as_ref().map_or(&[][..], Vec::as_slice).iter();
        let reasons = parsed
            .iter()
            .map(|filter| match (filter, &outcomes) {
                (None, _) => ReasonCode::TopicFilterInvalid,
                (Some(_), Err(unavailable)) => {
                    text = unavailable.to_string();
                    ReasonCode::UnspecifiedError
                }
                (Some(_), Ok(_)) if removed.next().is_some_and(|removed| *removed) => ReasonCode::Success,
                (Some(_), Ok(_)) => ReasonCode::NoSubscriptionExisted,
            })
            .collect();
        let gone = outcomes.as_ref().map_or(&[][..], Vec::as_slice).iter();
        let topics: Vec<&str> =
            known.iter().zip(gone).filter(|(_, gone)| **gone).map(|(filter, _)| filter.as_str()).collect();
        if !topics.is_empty() {
            self.lifecycle.unsubscribed(&topics, self.shared.clock.now());
        }
        let answer = self.connection.unsuback(packet_id, reasons, &text);
        self.push(&answer);
        Ok(())
    }
}

/// MQTT 5, 3.8.3.1; MQTT 3.1.1 clients always want them ([MQTT-3.8.4-3] there).
const fn wants_retained(handling: RetainHandling, is_new: bool) -> bool {
    match handling {
        RetainHandling::SendAlways => true,
        RetainHandling::SendIfNew => is_new,
        RetainHandling::DoNotSend => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retained_messages_are_sent_as_the_subscription_says() {
        for (handling, new, known) in [
            (RetainHandling::SendAlways, true, true),
            (RetainHandling::SendIfNew, true, false),
            (RetainHandling::DoNotSend, false, false),
        ] {
            assert_eq!((wants_retained(handling, true), wants_retained(handling, false)), (new, known));
        }
    }
}
