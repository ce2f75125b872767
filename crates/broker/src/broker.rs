//! The sessions of every scope, and publishing to them.
//!
//! Locks, in the order they are taken: `realms`, then a realm's `roster`, a session's `state`, its subscriptions, the
//! realm's `tree`, the journal's line. None is held while a message is handed out, or across an `.await`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::quotas::Quotas;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::session::SessionId;
use gatehouse_domain::time::Clock;
use parking_lot::RwLock;

use crate::departed::Departed;
use crate::guard::SessionGuard;
use crate::journal::{Journal, Keys, receipt};
use crate::mailbox::Mailbox;
use crate::message::Message;
use crate::persistence::{Loaded, Persistence, Unavailable, Write};
use crate::realm::{Realm, Wish};
use crate::session::{ConnectionInfo, Session};

/// How often the broker looks for what has expired.
const SWEEP: Duration = Duration::from_secs(5);
/// Expired retained messages removed at once.
const SWEPT_AT_ONCE: u32 = 1_000;

/// The sessions and subscriptions of this process. Cheap to clone; clones are one broker.
#[derive(Clone)]
pub struct Broker {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) realms: RwLock<HashMap<Scope, Arc<Realm>>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) persistence: Arc<dyn Persistence>,
    random: Random,
    quotas: Arc<Quotas>,
    next_session: AtomicU64,
    keys: Arc<Keys>,
}

/// Where session ids come from: 16 random bytes, or nothing when the system has none.
pub type Random = Box<dyn Fn() -> Option<[u8; 16]> + Send + Sync>;

/// A client that wants a session.
#[derive(Clone, Debug)]
pub struct Connecting {
    /// Its client id.
    pub client_id: ClientId,
    /// 4 for MQTT 3.1.1, 5 for MQTT 5. A session made with one is not resumed with the other.
    pub protocol_level: u8,
    /// Whether it wants a new session.
    pub clean_start: bool,
    /// How long the session is to outlive the connection, in seconds.
    pub expiry_secs: u32,
    /// The way to reach it.
    pub mailbox: Arc<Mailbox>,
    /// What others may want to know of the connection.
    pub info: Arc<ConnectionInfo>,
}

/// A client that has a session.
#[derive(Debug)]
pub struct Connected {
    /// Its place among the sessions.
    pub guard: SessionGuard,
    /// Whether the session was there before.
    pub session_present: bool,
    /// Counts the connections of the client id; begins again when there was none for an hour.
    pub version: u64,
}

/// How far a message came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fanout {
    /// Connections it waits for.
    pub queued: usize,
    /// Sessions it waits for in the store.
    pub stored: usize,
    /// Connections that were too full for a QoS 0 message, and sessions for which too many wait in the store.
    pub dropped: usize,
    /// Connections that this message ended, too full for QoS 1.
    pub overflowed: usize,
}

/// Whether a message is safe with everybody who must get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It is.
    Settled(Fanout),
    /// It is being written: the receipt will tell.
    Pending(Fanout),
}

impl Published {
    /// How far the message came.
    #[must_use]
    pub const fn fanout(self) -> Fanout {
        match self {
            Self::Settled(fanout) | Self::Pending(fanout) => fanout,
        }
    }
}

impl Broker {
    /// The broker, with the sessions that were kept.
    ///
    /// # Errors
    /// [`Unavailable`] when they cannot be read.
    pub async fn open(
        persistence: Arc<dyn Persistence>,
        clock: Arc<dyn Clock>,
        random: Random,
        quotas: Arc<Quotas>,
    ) -> Result<Self, Unavailable> {
        let Loaded { sessions, groups, last_message } = persistence.load(clock.now()).await?;
        let process = random()
            .map_or(0, |bytes| bytes.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte)));
        let keys = Arc::new(Keys::new(Arc::clone(&clock), last_message, process));
        let broker = Self {
            shared: Arc::new(Shared {
                realms: RwLock::default(),
                clock,
                persistence,
                random,
                quotas,
                next_session: AtomicU64::new(0),
                keys,
            }),
        };
        for group in groups {
            broker.realm(group.scope).take_back_group(group.group_id, group.filter, group.queued);
        }
        for kept in sessions {
            let session = Session::kept(broker.next_session(), &kept);
            broker.realm(kept.session.scope).take_back(session, kept.subscriptions);
        }
        Ok(broker)
    }

    /// Gives a client its session: the one it had, or a new one. A connection of the same client id in the scope is
    /// closed as taken over ([MQTT-3.1.4-2] in 3.1.1, [MQTT-3.1.4-3] in 5). What outlives the connection is on the disk
    /// when this returns.
    ///
    /// # Errors
    /// [`Unavailable`]; the client has no session then, or the one that it had before waits for it. A client id that
    /// connects too often changes nothing.
    pub async fn connect(&self, scope: Scope, connecting: Connecting) -> Result<Connected, Unavailable> {
        let session_id = if connecting.expiry_secs > 0 { Some(self.new_session_id()?) } else { None };
        let wish = Wish { number: self.next_session(), session_id, now: self.shared.clock.now() };
        let entered = self.enter(scope, &connecting, &wish).ok_or(Unavailable::Throttled)?;
        let mut guard = SessionGuard::new(self.clone(), entered.realm, entered.session, &connecting);
        let written = match entered.written {
            None => Ok(()),
            Some(written) => written.await.unwrap_or(Err(Unavailable::Store)),
        };
        if let Err(error) = written {
            if !entered.session_present {
                guard.set_expiry(0);
            }
            return Err(error);
        }
        Ok(Connected { guard, session_present: entered.session_present, version: entered.version })
    }

    /// Publishes a message that comes from no session of this broker, and waits for nothing. One copy goes to each
    /// session with a matching subscription, with the lower of the message's and the granted QoS.
    pub fn publish(&self, scope: Scope, message: &Arc<Message>) -> Fanout {
        let realm = if message.retain { Some(self.realm(scope)) } else { self.known_realm(scope) };
        realm.map_or_else(Fanout::default, |realm| realm.publish(None, message, false, || Box::new(|_| {})).fanout())
    }

    /// As [`publish`](Self::publish); what is answered waits until the message is safe with everybody who must get it.
    /// The message is on its way before that, so that many can be published before any is waited for.
    ///
    /// # Errors
    /// [`Unavailable`] when it is not.
    pub fn publish_durably(
        &self,
        scope: Scope,
        message: &Arc<Message>,
    ) -> impl Future<Output = Result<Fanout, Unavailable>> + Send + use<> {
        let realm = if message.retain { Some(self.realm(scope)) } else { self.known_realm(scope) };
        let (done, receipt) = receipt();
        let nobody = Published::Settled(Fanout::default());
        let published = realm.map_or(nobody, |realm| realm.publish(None, message, false, || done));
        async move {
            match published {
                Published::Settled(fanout) => Ok(fanout),
                Published::Pending(fanout) => receipt.await.unwrap_or(Err(Unavailable::Store)).map(|()| fanout),
            }
        }
    }

    /// Whether anybody subscribes to what is published to `topic`: for messages that cost something to make.
    #[must_use]
    pub fn has_subscribers(&self, scope: Scope, topic: &gatehouse_domain::topic::TopicName) -> bool {
        self.known_realm(scope).is_some_and(|realm| realm.has_subscribers(topic))
    }

    /// The sessions of a scope whose clients are connected, in no order.
    #[must_use]
    pub fn connections(&self, scope: Scope) -> Vec<Arc<Session>> {
        self.known_realm(scope).map_or_else(Vec::new, |realm| realm.connected())
    }

    /// The session of a client id, connected or not.
    #[must_use]
    pub fn session(&self, scope: Scope, client_id: &ClientId) -> Option<Arc<Session>> {
        self.known_realm(scope)?.session(client_id, self.shared.clock.now())
    }

    /// When and why a client went that left no session.
    #[must_use]
    pub fn departed(&self, scope: Scope, client_id: &ClientId) -> Option<Departed> {
        self.known_realm(scope)?.departed(client_id)
    }

    /// The sessions of every scope whose clients are connected, in no order.
    #[must_use]
    pub fn all_connections(&self) -> Vec<(Scope, Arc<Session>)> {
        let realms: Vec<Arc<Realm>> = self.shared.realms.read().values().map(Arc::clone).collect();
        let of_realm = |realm: Arc<Realm>| {
            let scope = realm.scope;
            realm.connected().into_iter().map(move |session| (scope, session))
        };
        realms.into_iter().flat_map(of_realm).collect()
    }

    /// Ends the connection of a client, if it has one, and its session where `clean_session` asks for it. Answers whether
    /// there was either.
    pub fn delete_connection(
        &self,
        scope: Scope,
        client_id: &ClientId,
        clean_session: bool,
        prevent_will: bool,
    ) -> bool {
        let now = self.shared.clock.now();
        let realm = self.known_realm(scope);
        realm.is_some_and(|realm| realm.delete_connection(client_id, clean_session, prevent_will, now))
    }

    /// Waits until everything that was entered of a scope so far is on the disk.
    ///
    /// # Errors
    /// [`Unavailable`] when some of it may not be; it is tried again.
    pub async fn settle_scope(&self, scope: Scope) -> Result<(), Unavailable> {
        match self.known_realm(scope) {
            Some(realm) => realm.journal.settled().await,
            None => Ok(()),
        }
    }

    /// Ends what has expired: sessions whose client stayed away, retained messages.
    pub async fn sweep(&self) {
        let now = self.shared.clock.now();
        let realms: Vec<Arc<Realm>> = self.shared.realms.read().values().map(Arc::clone).collect();
        for realm in realms {
            realm.expire(now);
            self.forget_if_deserted(&realm);
        }
        match self.shared.persistence.expired_retained(now, SWEPT_AT_ONCE).await {
            Ok(topics) => {
                for (scope, topic) in topics {
                    self.realm(scope).journal.note(vec![Write::ExpireRetained(scope, topic, now)]);
                }
            }
            Err(error) => tracing::warn!(%error, "expired retained messages stay for the moment"),
        }
    }

    /// Sweeps every few seconds; runs until dropped.
    pub async fn keep_swept(self) {
        loop {
            tokio::time::sleep(SWEEP).await;
            self.sweep().await;
        }
    }

    /// Waits until everything that was entered so far is on the disk.
    pub async fn settle(&self) {
        let realms: Vec<Arc<Realm>> = self.shared.realms.read().values().map(Arc::clone).collect();
        for realm in realms {
            if let Err(error) = realm.journal.settled().await {
                tracing::error!(%error, scope = %realm.scope, "not everything of the sessions is written");
            }
        }
    }

    fn next_session(&self) -> u64 {
        self.shared.next_session.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn new_session_id(&self) -> Result<SessionId, Unavailable> {
        (self.shared.random)().map(SessionId::from_bytes).ok_or(Unavailable::Store)
    }

    fn known_realm(&self, scope: Scope) -> Option<Arc<Realm>> {
        self.shared.realms.read().get(&scope).map(Arc::clone)
    }

    pub(crate) fn realm(&self, scope: Scope) -> Arc<Realm> {
        if let Some(realm) = self.known_realm(scope) {
            return realm;
        }
        Arc::clone(self.shared.realms.write().entry(scope).or_insert_with(|| self.new_realm(scope)))
    }

    fn new_realm(&self, scope: Scope) -> Arc<Realm> {
        let shared = &self.shared;
        let journal =
            Journal::new(Arc::clone(&shared.persistence), Arc::clone(&shared.clock), Arc::clone(&shared.keys));
        Arc::new(Realm::new(scope, journal, Arc::clone(&shared.quotas)))
    }

    /// Enters the session in the scope's realm. `realms` stays locked meanwhile: else the realm could be taken out as
    /// deserted in between.
    fn enter(&self, scope: Scope, connecting: &Connecting, wish: &Wish) -> Option<crate::realm::Entered> {
        if let Some(realm) = self.shared.realms.read().get(&scope) {
            return Realm::enter(realm, connecting, wish);
        }
        let mut realms = self.shared.realms.write();
        let realm = realms.entry(scope).or_insert_with(|| self.new_realm(scope));
        Realm::enter(realm, connecting, wish)
    }

    /// Takes a realm out when nobody is in it any more.
    pub(crate) fn forget_if_deserted(&self, realm: &Realm) {
        if !realm.is_deserted() {
            return;
        }
        let mut realms = self.shared.realms.write();
        if let Entry::Occupied(entry) = realms.entry(realm.scope) {
            // Somebody may have come, or come and gone, since.
            if std::ptr::eq(&raw const **entry.get(), realm) && realm.is_deserted() {
                entry.remove();
            }
        }
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").field("realms", &self.shared.realms.read().len()).finish_non_exhaustive()
    }
}
