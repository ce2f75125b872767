//! A session: one client of a scope, what it subscribed to, and its connection if it has one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::disconnect::DisconnectReason;
use gatehouse_domain::limits;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::session::SessionId;
use gatehouse_domain::time::Timestamp;
use gatehouse_domain::topic::TopicFilter;
use gatehouse_mqtt::Qos;
use parking_lot::{Mutex, RwLock};

use crate::broker::Connecting;
use crate::departed::Departed;
use crate::mailbox::{CloseReason, Mailbox, Offered, Pushed};
use crate::message::Delivery;
use crate::persistence::Kept;

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
