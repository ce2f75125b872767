//! A connection's hold on its session: subscribing, publishing, reading what waits, and leaving.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gatehouse_domain::disconnect::DisconnectReason;
use gatehouse_domain::limits;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::session::{MessageKey, SessionId};
use gatehouse_domain::topic::{TopicFilter, TopicName};
use gatehouse_mqtt::Qos;
use gatehouse_store::SubscriptionRecord;

use crate::broker::{Broker, Connecting, Published};
use crate::journal::{Done, Keys};
use crate::mailbox::Mailbox;
use crate::message::{Delivery, Message};
use crate::persistence::{Unavailable, Write};
use crate::realm::Realm;
use crate::session::{Session, SubscribeOutcome, SubscriptionOptions};
use crate::shared::Group;
use crate::tree::Subscriber;

/// Messages of an ended queue removed in one step.
const TRIMMED_AT_ONCE: u32 = 500;
/// Messages read out of the store at once.
const FETCHED_AT_ONCE: u32 = 16;

/// The holder's place among the sessions of its scope. Dropping it parks the session when it outlives its connection, and
/// ends it otherwise; never a session that another connection has taken over.
pub struct SessionGuard {
    broker: Broker,
    realm: Arc<Realm>,
    session: Arc<Session>,
    mailbox: Arc<Mailbox>,
    expiry_secs: u32,
    reason: DisconnectReason,
    /// The last message that was read out of the store.
    cursor: Option<MessageKey>,
}

impl SessionGuard {
    pub(crate) fn new(broker: Broker, realm: Arc<Realm>, session: Arc<Session>, connecting: &Connecting) -> Self {
        Self {
            broker,
            realm,
            session,
            mailbox: Arc::clone(&connecting.mailbox),
            expiry_secs: connecting.expiry_secs,
            reason: DisconnectReason::ServerError,
            cursor: None,
        }
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The way to reach this connection.
    #[must_use]
    pub fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// The scope.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.realm.scope
    }

    /// How long the session is to outlive the connection, in seconds.
    pub fn set_expiry(&mut self, secs: u32) {
        self.expiry_secs = secs;
    }

    /// Why the connection ends.
    pub fn set_reason(&mut self, reason: DisconnectReason) {
        self.reason = reason;
    }

    /// Whether another connection has taken the session over, or it was ended.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        !self.session.is_linked_to(&self.mailbox)
    }

    /// Subscribes to each of `filters`. Takes effect before it returns, and is on the disk then when the session outlives
    /// its connection.
    ///
    /// # Errors
    /// [`Unavailable`]; none of the new filters is subscribed to then.
    pub async fn subscribe(
        &self,
        filters: Vec<(TopicFilter, SubscriptionOptions)>,
    ) -> Result<Vec<SubscribeOutcome>, Unavailable> {
        let mut outcomes = Vec::with_capacity(filters.len());
        let mut writes = Vec::new();
        let mut added = Vec::new();
        for (filter, options) in filters {
            let options = SubscriptionOptions { qos: options.qos.min(Qos::AtLeastOnce), ..options };
            let outcome = self.enter(&filter, options);
            let is_subscribed = matches!(outcome, SubscribeOutcome::Added | SubscribeOutcome::Replaced);
            if is_subscribed && let Some(session_id) = self.session.session_id {
                writes.extend(self.realm.group_record(&filter));
                writes.push(Write::PutSubscription(session_id, Box::new(self.record(&filter, options))));
            }
            if outcome == SubscribeOutcome::Added {
                added.push(filter);
            }
            outcomes.push(outcome);
        }
        if !writes.is_empty()
            && let Err(error) = self.realm.journal.write(writes).await
        {
            for filter in &added {
                self.remove(filter);
            }
            return Err(error);
        }
        Ok(outcomes)
    }

    fn enter(&self, filter: &TopicFilter, options: SubscriptionOptions) -> SubscribeOutcome {
        let mut subscriptions = self.session.subscriptions.lock();
        let known = subscriptions.iter().position(|(known, _)| known == filter);
        if known.is_none() && subscriptions.len() >= limits::SUBSCRIPTIONS_PER_CONNECTION {
            return SubscribeOutcome::LimitReached;
        }
        if known.is_none() && !self.realm.has_room_for_subscription() {
            return SubscribeOutcome::ScopeLimitReached;
        }
        // Ended by another connection of the same client: what comes too late must leave nothing behind.
        if self.session.has_ended() {
            return SubscribeOutcome::Added;
        }
        let subscriber = Subscriber { session: Arc::clone(&self.session), options };
        if !self.realm.tree.write().insert(filter, subscriber, || self.broker.new_session_id().ok()) {
            return SubscribeOutcome::SharedLimitReached;
        }
        match known.and_then(|at| subscriptions.get_mut(at)) {
            Some((_, known)) => {
                *known = options;
                SubscribeOutcome::Replaced
            }
            None => {
                subscriptions.push((filter.clone(), options));
                self.realm.subscriptions.fetch_add(1, Ordering::Relaxed);
                SubscribeOutcome::Added
            }
        }
    }

    fn record(&self, filter: &TopicFilter, options: SubscriptionOptions) -> SubscriptionRecord {
        SubscriptionRecord {
            filter: filter.clone(),
            qos: options.qos.value(),
            no_local: options.no_local,
            retain_as_published: options.retain_as_published,
            subscribed_at: self.broker.shared.clock.now(),
        }
    }

    fn remove(&self, filter: &TopicFilter) -> bool {
        let mut subscriptions = self.session.subscriptions.lock();
        let Some(at) = subscriptions.iter().position(|(known, _)| known == filter) else { return false };
        subscriptions.remove(at);
        self.realm.subscriptions.fetch_sub(1, Ordering::Relaxed);
        let deserted = self.realm.tree.write().remove(filter, self.session.number);
        if let Some(group) = deserted {
            self.realm.journal.note(end_of_group(&group));
        }
        true
    }

    /// Ends the subscriptions to `filters`; answers for each whether there was one. Messages published before may still
    /// come.
    ///
    /// # Errors
    /// [`Unavailable`] when that is not on the disk: after a restart the subscriptions may be there again.
    pub async fn unsubscribe(&self, filters: &[TopicFilter]) -> Result<Vec<bool>, Unavailable> {
        let removed: Vec<bool> = filters.iter().map(|filter| self.remove(filter)).collect();
        if let Some(session_id) = self.session.session_id {
            let gone = filters.iter().zip(&removed).filter(|(_, removed)| **removed);
            let writes: Vec<Write> =
                gone.map(|(filter, _)| Write::DeleteSubscription(session_id, filter.clone())).collect();
            if !writes.is_empty() {
                self.realm.journal.write(writes).await?;
            }
        }
        Ok(removed)
    }

    /// Publishes a message of this session to the subscribers in its scope. When others must have it on the disk first,
    /// `receipt` hears of that; `in_line` asks that it do so in any case, after receipts that are still to come.
    pub fn publish(&self, message: &Arc<Message>, in_line: bool, receipt: impl FnOnce() -> Done) -> Published {
        self.realm.publish(Some(self.session.number), message, in_line, receipt)
    }

    /// Calls `settled` when all that was published before is settled.
    pub fn after_publishes(&self, settled: Done) {
        self.realm.journal.submit(Vec::new(), settled);
    }

    /// The next messages that wait in the store, a few at a time; none when there are no more.
    ///
    /// # Errors
    /// [`Unavailable`]; ask again later.
    pub async fn fetch(&mut self) -> Result<Vec<Delivery>, Unavailable> {
        let Some(session_id) = self.session.session_id else { return Ok(Vec::new()) };
        let deliveries = self.broker.shared.persistence.queued(session_id, self.cursor, FETCHED_AT_ONCE).await?;
        if let Some(last) = deliveries.last() {
            self.cursor = last.key;
            return Ok(deliveries);
        }
        // Its own first; then what waits for whoever of a group comes first.
        if self.take_over_from_groups(session_id).await? == 0 {
            return Ok(Vec::new());
        }
        let deliveries = self.broker.shared.persistence.queued(session_id, self.cursor, FETCHED_AT_ONCE).await?;
        if let Some(last) = deliveries.last() {
            self.cursor = last.key;
        }
        Ok(deliveries)
    }

    /// Moves messages from the queues of its shared subscriptions to the session's own; answers how many.
    async fn take_over_from_groups(&self, session_id: SessionId) -> Result<u32, Unavailable> {
        let filters: Vec<TopicFilter> = {
            let subscriptions = self.session.subscriptions.lock();
            let shared =
                subscriptions.iter().filter(|(filter, options)| filter.is_shared() && options.qos > Qos::AtMostOnce);
            shared.map(|(filter, _)| filter.clone()).collect()
        };
        for filter in filters {
            let group = self.realm.tree.read().group(&filter);
            let Some(group) = group else { continue };
            let Some(_draining) = group.begin_to_drain() else { continue };
            let group_id = group.group_id;
            let counted = group.queued();
            // What is counted is entered, and written when this is settled.
            self.realm.journal.settled().await?;
            let waiting = self.broker.shared.persistence.queued(group_id, None, FETCHED_AT_ONCE).await?;
            if waiting.is_empty() {
                // Counted and not there: nobody is to look for it again.
                group.queue_down(counted);
                continue;
            }
            let count = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
            let session = Arc::clone(&self.session);
            let moves = move |keys: &Keys| {
                // A session that has ended would take them with it.
                if session.has_ended() {
                    return Vec::new();
                }
                let mut writes = Vec::with_capacity(2 * waiting.len());
                for delivery in waiting {
                    writes.extend(delivery.key.map(|key| Write::Unqueue(group_id, key)));
                    writes.push(Write::Queue {
                        session_id,
                        key: keys.next(),
                        is_retained: false,
                        message: delivery.message,
                    });
                }
                writes
            };
            self.realm.journal.write_keyed(moves).await?;
            if self.session.has_ended() {
                return Ok(0);
            }
            group.queue_down(count);
            self.session.queued.fetch_add(count, Ordering::Relaxed);
            return Ok(count);
        }
        Ok(0)
    }

    /// The client has a message that waited in the store, or must never get it.
    pub fn acknowledge(&self, key: MessageKey) {
        if let Some(session_id) = self.session.session_id {
            self.session.queue_down(1);
            self.realm.journal.note(vec![Write::Unqueue(session_id, key)]);
        }
    }

    /// The message retained for `topic`, if there is one that has not expired; everything published before counts.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn retained(&self, topic: &TopicName) -> Result<Option<Arc<Message>>, Unavailable> {
        // What is not written yet is not promised to anybody either.
        let _written = self.realm.journal.settled().await;
        let retained = self.broker.shared.persistence.retained(self.scope(), topic.clone()).await?;
        let now = self.broker.shared.clock.now();
        Ok(retained.filter(|message| message.lifetime(now) != crate::Lifetime::Over))
    }

    /// Hands a retained message to this session, with `qos` at most. A session that outlives its connection gets it even
    /// when the connection ends before it is acknowledged.
    pub fn deliver_retained(&self, message: Arc<Message>, qos: Qos) {
        let qos = message.qos.min(qos);
        match self.session.session_id.filter(|_| qos > Qos::AtMostOnce) {
            None => {
                let _full = self.mailbox.push(Delivery { message, qos, retain: true, key: None, direct: None });
            }
            Some(session_id) => {
                self.session.queued.fetch_add(1, Ordering::Relaxed);
                let queue =
                    move |keys: &Keys| vec![Write::Queue { session_id, key: keys.next(), is_retained: true, message }];
                let session = Arc::clone(&self.session);
                self.realm.journal.submit_keyed(
                    queue,
                    Box::new(move |outcome| match outcome {
                        Ok(()) => session.tell_stored(),
                        Err(_) => session.queue_down(1),
                    }),
                );
            }
        }
    }
}

/// What a group leaves behind that lost its last member.
pub(crate) fn end_of_group(group: &Group) -> Vec<Write> {
    let mut writes = vec![Write::DeleteGroup(group.group_id)];
    writes.extend(trim(group.group_id, group.queued()));
    writes
}

/// The removal of all messages of a queue, in steps.
pub(crate) fn trim(queue: SessionId, count: u32) -> impl Iterator<Item = Write> {
    (0..count.div_ceil(TRIMMED_AT_ONCE)).map(move |_| Write::Trim(queue, TRIMMED_AT_ONCE))
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        let now = self.broker.shared.clock.now();
        self.realm.leave(&self.session, &self.mailbox, self.expiry_secs, self.reason, now);
        self.broker.forget_if_deserted(&self.realm);
    }
}

impl fmt::Debug for SessionGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionGuard").field("scope", &self.realm.scope).field("session", &self.session).finish()
    }
}
