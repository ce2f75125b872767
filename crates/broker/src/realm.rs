//! One scope: its sessions, what they subscribe to, and the way of a message through it.
//!
//! Memory is always ahead of the disk: a change is made here first and entered in the journal under the same lock, so
//! that the journal's order is the order of the changes. Whoever must know that a change is on the disk waits for it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::disconnect::DisconnectReason;
use gatehouse_domain::quotas::{Quotas, SharedPace, has_room};
use gatehouse_domain::scope::Scope;
use gatehouse_domain::session::SessionId;
use gatehouse_domain::time::Timestamp;
use gatehouse_domain::topic::{TopicFilter, TopicName};
use gatehouse_mqtt::Qos;
use gatehouse_store::{ParkedRecord, SessionRecord, SubscriptionRecord};
use parking_lot::{Mutex, RwLock};

use crate::broker::{Connecting, Fanout, Published};
use crate::departed::{Departed, DepartedClients};
use crate::guard::{end_of_group, trim};
use crate::journal::{Done, Journal, Keys, Receipt};
use crate::mailbox::{CloseReason, Mailbox, Pushed};
use crate::message::{Delivery, Message};
use crate::persistence::{Unavailable, Write, qos};
use crate::session::{Session, State, SubscriptionOptions};
use crate::shared::{Given, Group};
use crate::tree::{Subscriber, Tree};

/// What the broker keeps of one scope, from its first session to its last.
#[derive(Debug)]
pub(crate) struct Realm {
    pub(crate) scope: Scope,
    pub(crate) tree: RwLock<Tree>,
    pub(crate) journal: Arc<Journal>,
    roster: Mutex<Roster>,
    quotas: Arc<Quotas>,
    queued: SharedPace,
    pub(crate) subscriptions: AtomicUsize,
}

#[derive(Debug, Default)]
struct Roster {
    /// The newest session of each client id.
    sessions: HashMap<ClientId, Arc<Session>>,
    /// When sessions end whose clients are gone: one entry for each that is parked.
    expiring: BTreeSet<(Timestamp, ClientId)>,
    departed: DepartedClients,
    /// Guards alive, those of sessions taken over included.
    guards: usize,
}

impl Roster {
    /// A parked session is taken up again, or ends.
    fn expires_no_more(&mut self, session: &Session) {
        if let State::Parked { expires_at, .. } = &*session.state.read() {
            self.expiring.remove(&(*expires_at, session.client_id().clone()));
        }
    }
}

/// What a new session would be.
pub(crate) struct Wish {
    pub(crate) number: u64,
    /// The id of a session that is to outlive its connection.
    pub(crate) session_id: Option<SessionId>,
    pub(crate) now: Timestamp,
}

/// A client that was entered.
pub(crate) struct Entered {
    pub(crate) realm: Arc<Realm>,
    pub(crate) session: Arc<Session>,
    pub(crate) session_present: bool,
    pub(crate) version: u64,
    /// Tells when what outlives the connection is written, if anything does.
    pub(crate) written: Option<Receipt>,
}

impl Realm {
    pub(crate) fn new(scope: Scope, journal: Arc<Journal>, quotas: Arc<Quotas>) -> Self {
        Self {
            scope,
            tree: RwLock::default(),
            journal,
            roster: Mutex::default(),
            quotas,
            queued: SharedPace::default(),
            subscriptions: AtomicUsize::new(0),
        }
    }

    /// Takes in a session that was kept.
    pub(crate) fn take_back(&self, session: Session, subscriptions: Vec<SubscriptionRecord>) {
        let session = Arc::new(session);
        let mut roster = self.roster.lock();
        if let State::Parked { expires_at, .. } = &*session.state.read() {
            roster.expiring.insert((*expires_at, session.client_id().clone()));
        }
        for record in subscriptions {
            let options = SubscriptionOptions {
                qos: qos(record.qos),
                no_local: record.no_local,
                retain_as_published: record.retain_as_published,
            };
            session.subscriptions.lock().push((record.filter.clone(), options));
            self.subscriptions.fetch_add(1, Ordering::Relaxed);
            // Groups with members like this one were taken back before.
            self.tree.write().insert(&record.filter, Subscriber { session: Arc::clone(&session), options }, || None);
        }
        roster.sessions.insert(session.client_id().clone(), session);
    }

    /// Takes in a shared subscription that was kept; its members follow.
    pub(crate) fn take_back_group(&self, group_id: SessionId, filter: TopicFilter, queued: u32) {
        self.tree.write().insert_group(Group::new(filter, group_id, queued));
    }

    /// What is to be on the disk before a session that outlives its connection is a member of a shared subscription.
    pub(crate) fn group_record(&self, filter: &TopicFilter) -> Option<Write> {
        let group = self.tree.read().group(filter)?;
        Some(Write::PutGroup { group_id: group.group_id, scope: self.scope, filter: filter.clone() })
    }

    /// Gives the client its session: the one it had, or a new one. Nothing when the client id connects too often, or when there are as many sessions, connected or not, as there may
    /// be connections.
    pub(crate) fn enter(realm: &Arc<Self>, connecting: &Connecting, wish: &Wish) -> Option<Entered> {
        let mut roster = realm.roster.lock();
        let is_new = !roster.sessions.contains_key(&connecting.client_id);
        let has_room = !is_new || has_room(realm.quotas.connections, roster.sessions.len());
        if !has_room || !realm.may_connect(&roster, &connecting.client_id, wish.now) {
            return None;
        }
        roster.guards += 1;
        let mut writes = Vec::new();
        let mut endings = Vec::new();
        let known = roster.sessions.get(&connecting.client_id).map(Arc::clone);
        if let Some(session) = &known {
            roster.expires_no_more(session);
        }
        let departed = roster.departed.take(&connecting.client_id);
        let last_version = known.as_ref().map(|session| session.version()).or(departed.map(|gone| gone.version));
        let version = last_version.map_or(0, |version| version.saturating_add(1));
        let resumed = known.filter(|session| {
            let is_wanted = !connecting.clean_start
                && session.session_id.is_some()
                && session.protocol_level == connecting.protocol_level
                && !session.has_expired(wish.now);
            if !is_wanted {
                realm.end(session, &mut endings);
                roster.sessions.remove(&connecting.client_id);
            }
            is_wanted
        });
        let session_present = resumed.is_some();
        let session = match resumed {
            Some(session) => {
                session.link(connecting, version);
                // What was under way to the former connection is to be sent again.
                connecting.mailbox.mark_stored();
                if let Some(session_id) = session.session_id {
                    writes.push(Write::ResumeSession { session_id, expiry_secs: connecting.expiry_secs });
                }
                session
            }
            None => realm.begin(&mut roster, connecting, wish, version, &mut writes),
        };
        let is_written = !writes.is_empty() || !endings.is_empty();
        if !endings.is_empty() {
            // Tried until it is done, whatever becomes of the new session: memory has forgotten the former one.
            realm.journal.note(endings);
        }
        let written = is_written.then(|| realm.journal.entered(writes));
        drop(roster);
        Some(Entered { realm: Arc::clone(realm), session, session_present, version, written })
    }

    /// Begins a new session of a client that has none.
    fn begin(
        &self,
        roster: &mut Roster,
        connecting: &Connecting,
        wish: &Wish,
        version: u64,
        writes: &mut Vec<Write>,
    ) -> Arc<Session> {
        let session = Arc::new(Session::new(wish.number, wish.session_id, connecting, version));
        if let Some(session_id) = wish.session_id {
            writes.push(Write::CreateSession(Box::new(SessionRecord {
                session_id,
                scope: self.scope,
                client_id: connecting.client_id.clone(),
                protocol_level: connecting.protocol_level,
                expiry_secs: connecting.expiry_secs,
                created_at: wish.now,
                parked: None,
            })));
        }
        roster.sessions.insert(connecting.client_id.clone(), Arc::clone(&session));
        session
    }

    /// AWS takes one CONNECT a second of a client id: two devices that share one must not keep each other, and the
    /// server, busy with taking over.
    fn may_connect(&self, roster: &Roster, client_id: &ClientId, now: Timestamp) -> bool {
        let rate = i64::from(self.quotas.client_connect_rate);
        if rate == 0 {
            return true;
        }
        let known = roster.sessions.get(client_id).map(|session| session.connected_at());
        let last = known.or_else(|| roster.departed.get(client_id).map(|departed| departed.connected_at));
        let since_ms = |last: Timestamp| now.millis_since(last);
        // A clock that was set back keeps nobody out.
        last.is_none_or(|last| since_ms(last) < 0 || since_ms(last) >= 1_000 / rate)
    }

    /// Ends a session for good; the caller takes it out of the roster.
    fn end(&self, session: &Arc<Session>, writes: &mut Vec<Write>) {
        let former = std::mem::replace(&mut *session.state.write(), State::Ended);
        if let State::Connected { mailbox, .. } = former {
            mailbox.close(CloseReason::TakenOver);
        }
        let subscriptions = std::mem::take(&mut *session.subscriptions.lock());
        self.subscriptions.fetch_sub(subscriptions.len(), Ordering::Relaxed);
        if !subscriptions.is_empty() {
            let mut tree = self.tree.write();
            for (filter, _) in &subscriptions {
                if let Some(group) = tree.remove(filter, session.number) {
                    writes.extend(end_of_group(&group));
                }
            }
        }
        if let Some(session_id) = session.session_id {
            writes.push(Write::DeleteSession(session_id));
            writes.extend(trim(session_id, session.queued()));
        }
    }

    /// The connection of `mailbox` is over: its session waits for the client, or ends.
    pub(crate) fn leave(
        &self,
        session: &Arc<Session>,
        mailbox: &Arc<Mailbox>,
        expiry_secs: u32,
        reason: DisconnectReason,
        now: Timestamp,
    ) {
        let mut roster = self.roster.lock();
        roster.guards -= 1;
        if !session.is_linked_to(mailbox) {
            // Another connection has the session, or has ended it.
            return;
        }
        match session.session_id.filter(|_| expiry_secs > 0) {
            Some(session_id) => {
                let expires_at = now.plus_millis(i64::from(expiry_secs) * 1000);
                *session.state.write() =
                    State::Parked { disconnected_at: now, reason: reason.as_str().into(), expires_at };
                roster.expiring.insert((expires_at, session.client_id().clone()));
                let parked = ParkedRecord { disconnected_at: now, disconnect_reason: reason.to_string(), expires_at };
                self.journal.note(vec![Write::ParkSession { session_id, expiry_secs, parked: Box::new(parked) }]);
            }
            None => {
                roster.departed.remember(session.client_id().clone(), session.departed(now, reason));
                self.remove(&mut roster, session);
            }
        }
    }

    fn remove(&self, roster: &mut Roster, session: &Arc<Session>) {
        let is_current = roster.sessions.get(session.client_id()).is_some_and(|current| Arc::ptr_eq(current, session));
        if is_current {
            roster.sessions.remove(session.client_id());
        }
        roster.expires_no_more(session);
        let mut writes = Vec::new();
        self.end(session, &mut writes);
        if !writes.is_empty() {
            self.journal.note(writes);
        }
    }

    /// Ends the sessions whose clients have stayed away too long.
    pub(crate) fn expire(&self, now: Timestamp) {
        let mut roster = self.roster.lock();
        roster.departed.forget(now);
        while let Some((expires_at, client_id)) = roster.expiring.first().cloned() {
            if expires_at > now {
                break;
            }
            roster.expiring.pop_first();
            let session = roster.sessions.get(&client_id).map(Arc::clone);
            if let Some(session) = session.filter(|session| session.has_expired(now)) {
                self.remove(&mut roster, &session);
            }
        }
    }

    /// Ends the connection of a client, and its session where `clean_session` asks for it; answers whether there was
    /// either.
    pub(crate) fn delete_connection(
        &self,
        client_id: &ClientId,
        clean_session: bool,
        prevent_will: bool,
        now: Timestamp,
    ) -> bool {
        let mut roster = self.roster.lock();
        let session = roster.sessions.get(client_id).map(Arc::clone);
        let Some(session) = session.filter(|session| !session.has_expired(now)) else { return false };
        if let Some(mailbox) = session.mailbox() {
            mailbox.close(CloseReason::Deleted { prevent_will });
        }
        if clean_session {
            if session.is_connected() {
                // The connection will find no session to leave.
                let departed = session.departed(now, DisconnectReason::ApiInitiated);
                roster.departed.remember(client_id.clone(), departed);
            }
            self.remove(&mut roster, &session);
        }
        true
    }

    pub(crate) fn session(&self, client_id: &ClientId, now: Timestamp) -> Option<Arc<Session>> {
        let session = self.roster.lock().sessions.get(client_id).map(Arc::clone);
        session.filter(|session| !session.has_expired(now))
    }

    #[cfg(test)]
    pub(crate) fn parked_count(&self) -> usize {
        self.roster.lock().expiring.len()
    }

    pub(crate) fn departed(&self, client_id: &ClientId) -> Option<Departed> {
        self.roster.lock().departed.get(client_id)
    }

    pub(crate) fn connected(&self) -> Vec<Arc<Session>> {
        let roster = self.roster.lock();
        roster.sessions.values().filter(|session| session.is_connected()).map(Arc::clone).collect()
    }

    pub(crate) fn is_deserted(&self) -> bool {
        let roster = self.roster.lock();
        roster.guards == 0 && roster.sessions.is_empty() && roster.departed.is_empty() && self.journal.is_idle()
    }

    /// Whether the scope may have one more subscription.
    pub(crate) fn has_room_for_subscription(&self) -> bool {
        has_room(self.quotas.subscriptions, self.subscriptions.load(Ordering::Relaxed))
    }

    pub(crate) fn has_subscribers(&self, topic: &TopicName) -> bool {
        !self.tree.read().find(topic).is_empty()
    }

    /// Hands a message to everybody who subscribes to its topic. `publisher` is the session whose message it is;
    /// `in_line` asks that the receipt come after those that are still to come.
    pub(crate) fn publish(
        &self,
        publisher: Option<u64>,
        message: &Arc<Message>,
        in_line: bool,
        receipt: impl FnOnce() -> Done,
    ) -> Published {
        let retained = self.retain(message);
        let matches = self.tree.read().find(&message.topic);
        let mut fanout = Fanout::default();
        let mut keepers = Vec::new();
        matches.for_each_session(publisher, |subscriber| {
            let qos = message.qos.min(subscriber.options.qos);
            let retain = message.retain && subscriber.options.retain_as_published;
            let session = &subscriber.session;
            if qos > Qos::AtMostOnce && session.session_id.is_some() {
                if !session.is_connected() && !self.queued.take(message.published_at, self.quotas.queue_rate, 1) {
                    tracing::debug!(event_type = "Queued", status = "Failure", topic = %message.topic, client_id = %session.client_id(), "Throttled while queueing offline message");
                    fanout.dropped += 1;
                } else if session.queue_up() {
                    keepers.push(Arc::clone(session));
                } else {
                    tracing::debug!(event_type = "Queued", status = "Failure", topic = %message.topic, client_id = %session.client_id(), "too many messages wait for the session");
                    fanout.dropped += 1;
                }
                return;
            }
            match session.push(Delivery { message: Arc::clone(message), qos, retain, key: None, direct: None }) {
                Pushed::Queued => fanout.queued += 1,
                Pushed::DroppedQos0 => fanout.dropped += 1,
                Pushed::Overflow => fanout.overflowed += 1,
                Pushed::Closed => {}
            }
        });
        let mut waiting_groups = Vec::new();
        for group in matches.groups() {
            match group.give(message) {
                Given::Mailbox => fanout.queued += 1,
                Given::Queue(session) => keepers.push(session),
                Given::Group => waiting_groups.push(Arc::clone(group)),
                Given::Nobody => fanout.dropped += 1,
            }
        }
        fanout.stored = keepers.len() + waiting_groups.len();
        if fanout.stored == 0 && !in_line && !message.retain {
            return Published::Settled(fanout);
        }
        let receipt = receipt();
        let receipt: Done = match retained {
            None => receipt,
            // Entered before, and so settled before.
            Some(retained) => Box::new(move |outcome| receipt(outcome.and(*retained.lock()))),
        };
        self.keep(message, keepers, waiting_groups, receipt);
        Published::Pending(fanout)
    }

    /// Retains the message, if it is to be. Before the subscribers are found: whoever subscribes meanwhile finds either
    /// this entry or the message. Answers where its outcome will be, once what is entered later is settled; nobody hears
    /// of a message of QoS 0, and it is tried again instead.
    fn retain(&self, message: &Arc<Message>) -> Option<Arc<Mutex<Result<(), Unavailable>>>> {
        if !message.retain {
            return None;
        }
        let writes = vec![Write::Retain(self.scope, Arc::clone(message))];
        if message.qos == Qos::AtMostOnce {
            self.journal.note(writes);
            return None;
        }
        let outcome = Arc::new(Mutex::new(Ok(())));
        let written = Arc::clone(&outcome);
        self.journal.submit(writes, Box::new(move |outcome| *written.lock() = outcome));
        Some(outcome)
    }

    /// Writes the message down for each of the sessions and groups, and tells those that are connected.
    fn keep(&self, message: &Arc<Message>, keepers: Vec<Arc<Session>>, groups: Vec<Arc<Group>>, receipt: Done) {
        let session_ids: Vec<SessionId> = keepers.iter().filter_map(|session| session.session_id).collect();
        let group_ids: Vec<SessionId> = groups.iter().map(|group| group.group_id).collect();
        let message = Arc::clone(message);
        let queue = move |keys: &Keys| {
            let queue = |session_id| Write::Queue {
                session_id,
                key: keys.next(),
                is_retained: false,
                message: Arc::clone(&message),
            };
            let queue_shared =
                |group_id| Write::QueueShared { group_id, key: keys.next(), message: Arc::clone(&message) };
            let of_sessions = session_ids.into_iter().map(queue);
            of_sessions.chain(group_ids.into_iter().map(queue_shared)).collect()
        };
        self.journal.submit_keyed(
            queue,
            Box::new(move |outcome| {
                for session in keepers {
                    match outcome {
                        Ok(()) => session.tell_stored(),
                        Err(_) => session.queue_down(1),
                    }
                }
                for group in groups {
                    match outcome {
                        Ok(()) => group.tell_stored(),
                        Err(_) => group.queue_down(1),
                    }
                }
                receipt(outcome);
            }),
        );
    }
}
