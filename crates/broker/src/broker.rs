//! The sessions of every scope, and publishing to them.
//!
//! Locks, in the order they are taken: `realms`, then a realm's `roster`. A session's subscriptions, then a realm's
//! `tree`. None is held while a message is handed out.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::scope::Scope;
use parking_lot::{Mutex, RwLock};

use crate::mailbox::{CloseReason, Mailbox, Pushed};
use crate::message::{Delivery, Message};
use crate::session::{Session, SessionGuard};
use crate::tree::Tree;

/// The sessions and subscriptions of this process. Cheap to clone; clones are one broker.
#[derive(Clone, Debug, Default)]
pub struct Broker {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    realms: RwLock<HashMap<Scope, Arc<Realm>>>,
    next_session: AtomicU64,
}

/// What the broker keeps of one scope, from its first session to its last.
#[derive(Debug)]
pub(crate) struct Realm {
    pub(crate) scope: Scope,
    pub(crate) tree: RwLock<Tree>,
    roster: Mutex<Roster>,
}

#[derive(Debug, Default)]
struct Roster {
    /// The newest session of each client id.
    sessions: HashMap<ClientId, Arc<Session>>,
    /// Guards alive, those of sessions taken over included.
    guards: usize,
}

/// How far a message came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fanout {
    /// Connections it waits for.
    pub queued: usize,
    /// Connections that were too full for a QoS 0 message.
    pub dropped: usize,
    /// Connections that this message ended, too full for QoS 1.
    pub overflowed: usize,
}

impl Broker {
    /// A broker without sessions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters a session. One of the same client id in the scope is closed as taken over and reachable no more
    /// ([MQTT-3.1.4-2] in 3.1.1, [MQTT-3.1.4-3] in 5).
    pub fn connect(&self, scope: Scope, client_id: ClientId, mailbox: Arc<Mailbox>) -> SessionGuard {
        let number = self.shared.next_session.fetch_add(1, Ordering::Relaxed);
        let session = Arc::new(Session::new(number, client_id, mailbox));
        let (realm, previous) = self.enter(scope, &session);
        if let Some(previous) = previous {
            previous.mailbox().close(CloseReason::TakenOver);
        }
        SessionGuard::new(self.clone(), realm, session)
    }

    /// Publishes a message that comes from no session of this broker: from the server itself, or over HTTPS. One copy
    /// goes to each session with a matching subscription, with the lower of the message's and the granted QoS.
    pub fn publish(&self, scope: Scope, message: &Arc<Message>) -> Fanout {
        let realm = self.shared.realms.read().get(&scope).map(Arc::clone);
        realm.map_or_else(Fanout::default, |realm| realm.publish(None, message))
    }

    /// The sessions of a scope, in no order.
    #[must_use]
    pub fn connections(&self, scope: Scope) -> Vec<Arc<Session>> {
        let realm = self.shared.realms.read().get(&scope).map(Arc::clone);
        realm.map_or_else(Vec::new, |realm| realm.roster.lock().sessions.values().map(Arc::clone).collect())
    }

    /// The session of a client id.
    #[must_use]
    pub fn connection(&self, scope: Scope, client_id: &ClientId) -> Option<Arc<Session>> {
        let realm = self.shared.realms.read().get(&scope).map(Arc::clone)?;
        realm.roster.lock().sessions.get(client_id).map(Arc::clone)
    }

    /// Enters the session in the scope's realm. `realms` stays locked meanwhile: else the realm could be taken out as
    /// deserted in between.
    fn enter(&self, scope: Scope, session: &Arc<Session>) -> (Arc<Realm>, Option<Arc<Session>>) {
        if let Some(realm) = self.shared.realms.read().get(&scope) {
            return (Arc::clone(realm), realm.enter(session));
        }
        let mut realms = self.shared.realms.write();
        let realm = realms.entry(scope).or_insert_with(|| Arc::new(Realm::new(scope)));
        (Arc::clone(realm), realm.enter(session))
    }

    /// Takes a session out, and its realm when it was the last.
    pub(crate) fn leave(&self, realm: &Realm, session: &Arc<Session>) {
        if realm.leave(session) > 0 {
            return;
        }
        let mut realms = self.shared.realms.write();
        if let Entry::Occupied(entry) = realms.entry(realm.scope) {
            // Somebody may have come, or come and gone, since.
            if std::ptr::eq(&raw const **entry.get(), realm) && realm.roster.lock().guards == 0 {
                entry.remove();
            }
        }
    }
}

impl Realm {
    fn new(scope: Scope) -> Self {
        Self { scope, tree: RwLock::default(), roster: Mutex::default() }
    }

    fn enter(&self, session: &Arc<Session>) -> Option<Arc<Session>> {
        let mut roster = self.roster.lock();
        roster.guards += 1;
        roster.sessions.insert(session.client_id().clone(), Arc::clone(session))
    }

    /// Answers how many guards are left.
    fn leave(&self, session: &Arc<Session>) -> usize {
        let mut roster = self.roster.lock();
        if let Entry::Occupied(entry) = roster.sessions.entry(session.client_id().clone())
            && Arc::ptr_eq(entry.get(), session)
        {
            entry.remove();
        }
        roster.guards -= 1;
        roster.guards
    }

    pub(crate) fn publish(&self, publisher: Option<u64>, message: &Arc<Message>) -> Fanout {
        let matches = self.tree.read().find(&message.topic);
        let mut fanout = Fanout::default();
        matches.for_each_session(publisher, |subscriber| {
            let delivery = Delivery { message: Arc::clone(message), qos: message.qos.min(subscriber.qos) };
            match subscriber.mailbox.push(delivery) {
                Pushed::Queued => fanout.queued += 1,
                Pushed::DroppedQos0 => fanout.dropped += 1,
                Pushed::Overflow => fanout.overflowed += 1,
                Pushed::Closed => {}
            }
        });
        fanout
    }
}
