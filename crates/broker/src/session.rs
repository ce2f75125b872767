//! A session: one client of a scope, what it subscribed to, and its connection if it has one.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::disconnect::DisconnectReason;
use gatehouse_domain::limits;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::session::{MessageKey, SessionId};
use gatehouse_domain::time::Timestamp;
use gatehouse_domain::topic::{TopicFilter, TopicName};
use gatehouse_mqtt::Qos;
use gatehouse_store::SubscriptionRecord;
use parking_lot::{Mutex, RwLock};

use crate::broker::{Broker, Connecting, Published};
use crate::departed::Departed;
use crate::journal::{Done, Keys};
use crate::mailbox::{CloseReason, Mailbox, Offered, Pushed};
use crate::message::{Delivery, Message};
use crate::persistence::{Kept, Unavailable, Write};
use crate::realm::Realm;
use crate::shared::Group;
use crate::tree::Subscriber;

/// Messages of an ended queue removed in one step.
const TRIMMED_AT_ONCE: u32 = 500;
/// Messages read out of the store at once.
const FETCHED_AT_ONCE: u32 = 16;

/// A client and its subscriptions. It outlives its connections when it has an id.
#[derive(Debug)]
pub struct Session {
    /// Grows with every session of this process.
    pub(crate) number: u64,
    pub(crate) session_id: Option<SessionId>,
    pub(crate) protocol_level: u8,
    client_id: ClientId,
    /// The number of its last connection.
    version: AtomicU64,
    /// When that began, in epoch milliseconds.
    connected_at_ms: AtomicI64,
    pub(crate) state: RwLock<State>,
    pub(crate) subscriptions: Mutex<Vec<(TopicFilter, SubscriptionOptions)>>,
    /// Messages that wait in the store.
    pub(crate) queued: AtomicU32,
}

/// What others may want to know of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// Since when.
    pub connected_at: Timestamp,
    /// Tells this connection from all others.
    pub session_identifier: Box<str>,
    /// Who it is: a certificate id, or an access key id.
    pub principal: Box<str>,
    /// The thing that the principal belongs to alone.
    pub thing_name: Option<ThingName>,
    /// The effective keep-alive, in seconds.
    pub keep_alive_secs: u16,
    /// Whether the client wanted a new session.
    pub clean_start: bool,
    /// How long the session outlives the connection, in seconds.
    pub session_expiry_secs: u32,
    /// The client's address.
    pub source: SocketAddr,
    /// Ours, where it is known.
    pub target: Option<SocketAddr>,
}

/// Whether the client is there.
#[derive(Debug)]
pub(crate) enum State {
    Connected { mailbox: Arc<Mailbox>, info: Arc<ConnectionInfo> },
    Parked { disconnected_at: Timestamp, reason: Box<str>, expires_at: Timestamp },
    Ended,
}

/// What a subscription was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionOptions {
    /// The highest QoS of deliveries; above QoS 1 counts as QoS 1.
    pub qos: Qos,
    /// Not the session's own messages ([MQTT-3.8.3-3]).
    pub no_local: bool,
    /// Live messages keep the publisher's RETAIN flag ([MQTT-3.3.1-13]).
    pub retain_as_published: bool,
}

/// What became of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeOutcome {
    /// The filter is new to the session.
    Added,
    /// The session had the filter; the new options hold now.
    Replaced,
    /// Refused: the session has `limits::SUBSCRIPTIONS_PER_CONNECTION` filters.
    LimitReached,
    /// Refused: the scope has as many subscriptions as it may have.
    ScopeLimitReached,
    /// Refused: the scope has `limits::SHARED_GROUPS` shared subscriptions, or this one `limits::SHARED_MEMBERS` members.
    SharedLimitReached,
}

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

impl State {
    fn connected(connecting: &Connecting) -> Self {
        Self::Connected { mailbox: Arc::clone(&connecting.mailbox), info: Arc::clone(&connecting.info) }
    }
}

impl SubscriptionOptions {
    /// Deliveries up to `qos`, everything else by default.
    #[must_use]
    pub const fn new(qos: Qos) -> Self {
        Self { qos, no_local: false, retain_as_published: false }
    }
}

impl Session {
    pub(crate) fn new(number: u64, session_id: Option<SessionId>, connecting: &Connecting, version: u64) -> Self {
        Self {
            number,
            session_id,
            version: AtomicU64::new(version),
            connected_at_ms: AtomicI64::new(connecting.info.connected_at.as_millis()),
            protocol_level: connecting.protocol_level,
            client_id: connecting.client_id.clone(),
            state: RwLock::new(State::connected(connecting)),
            subscriptions: Mutex::default(),
            queued: AtomicU32::new(0),
        }
    }

    /// A session that was kept; its subscriptions are entered by the realm.
    pub(crate) fn kept(number: u64, kept: &Kept) -> Self {
        let state = match &kept.session.parked {
            Some(parked) => State::Parked {
                disconnected_at: parked.disconnected_at,
                reason: parked.disconnect_reason.as_str().into(),
                expires_at: parked.expires_at,
            },
            None => State::Ended,
        };
        Self {
            number,
            session_id: Some(kept.session.session_id),
            version: AtomicU64::new(0),
            connected_at_ms: AtomicI64::new(0),
            protocol_level: kept.session.protocol_level,
            client_id: kept.session.client_id.clone(),
            state: RwLock::new(state),
            subscriptions: Mutex::default(),
            queued: AtomicU32::new(kept.queued),
        }
    }

    /// The client id.
    #[must_use]
    pub fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// The way to reach the connection, if there is one.
    #[must_use]
    pub fn mailbox(&self) -> Option<Arc<Mailbox>> {
        match &*self.state.read() {
            State::Connected { mailbox, .. } => Some(Arc::clone(mailbox)),
            State::Parked { .. } | State::Ended => None,
        }
    }

    /// Whether the client is connected.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(&*self.state.read(), State::Connected { .. })
    }

    /// Since when the client is gone, why in AWS's words, and until when the session waits for it.
    #[must_use]
    pub fn parked(&self) -> Option<(Timestamp, String, Timestamp)> {
        match &*self.state.read() {
            State::Parked { disconnected_at, reason, expires_at } => {
                Some((*disconnected_at, reason.to_string(), *expires_at))
            }
            State::Connected { .. } | State::Ended => None,
        }
    }

    /// What is known of the connection, if there is one.
    #[must_use]
    pub fn connection(&self) -> Option<Arc<ConnectionInfo>> {
        match &*self.state.read() {
            State::Connected { info, .. } => Some(Arc::clone(info)),
            State::Parked { .. } | State::Ended => None,
        }
    }

    pub(crate) fn connected_at(&self) -> Timestamp {
        Timestamp::from_millis(self.connected_at_ms.load(Ordering::Relaxed))
    }

    /// The client as it is remembered when it is gone.
    pub(crate) fn departed(&self, now: Timestamp, reason: DisconnectReason) -> Departed {
        Departed { connected_at: self.connected_at(), disconnected_at: now, reason, version: self.version() }
    }

    /// Counts the connections of the client id.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    /// The filters subscribed to, oldest first.
    #[must_use]
    pub fn subscriptions(&self) -> Vec<(TopicFilter, SubscriptionOptions)> {
        self.subscriptions.lock().clone()
    }

    /// How many messages wait for it in the store.
    #[must_use]
    pub fn queued(&self) -> u32 {
        self.queued.load(Ordering::Relaxed)
    }

    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        match &*self.state.read() {
            State::Connected { .. } => false,
            State::Parked { expires_at, .. } => *expires_at <= now,
            State::Ended => true,
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(&*self.state.read(), State::Ended)
    }

    pub(crate) fn is_linked_to(&self, mailbox: &Arc<Mailbox>) -> bool {
        matches!(&*self.state.read(), State::Connected { mailbox: linked, .. } if Arc::ptr_eq(linked, mailbox))
    }

    /// Gives the session to another connection; the former one is closed as taken over.
    pub(crate) fn link(&self, connecting: &Connecting, version: u64) {
        self.version.store(version, Ordering::Relaxed);
        self.connected_at_ms.store(connecting.info.connected_at.as_millis(), Ordering::Relaxed);
        let former = std::mem::replace(&mut *self.state.write(), State::connected(connecting));
        if let State::Connected { mailbox, .. } = former {
            mailbox.close(CloseReason::TakenOver);
        }
    }

    pub(crate) fn push(&self, delivery: Delivery) -> Pushed {
        match &*self.state.read() {
            State::Connected { mailbox, .. } => mailbox.push(delivery),
            State::Parked { .. } | State::Ended => Pushed::Closed,
        }
    }

    /// As [`push`](Self::push), for a message that somebody else can have.
    pub(crate) fn offer(&self, delivery: Delivery) -> Offered {
        match &*self.state.read() {
            State::Connected { mailbox, .. } => mailbox.offer(delivery),
            State::Parked { .. } | State::Ended => Offered::Declined,
        }
    }

    pub(crate) fn tell_stored(&self) {
        if let State::Connected { mailbox, .. } = &*self.state.read() {
            mailbox.mark_stored();
        }
    }

    /// Counts a message that is to wait in the store; `false` when too many do.
    pub(crate) fn queue_up(&self) -> bool {
        let count = |queued: u32| (queued < limits::QUEUED_PER_SESSION).then_some(queued + 1);
        self.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).is_ok()
    }

    pub(crate) fn queue_down(&self, count: u32) {
        let _never_none =
            self.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |queued| Some(queued.saturating_sub(count)));
    }
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
            self.realm.journal.settled().await;
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
        self.realm.journal.settled().await;
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
