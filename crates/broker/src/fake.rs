//! A disk in memory for tests: it can fail, and it outlives the brokers on it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::disconnect::DisconnectReason;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::session::{MessageKey, SessionId};
use gatehouse_domain::time::{Clock, Timestamp};
use gatehouse_domain::topic::{TopicFilter, TopicName};
use gatehouse_mqtt::Qos;
use gatehouse_store::{ParkedRecord, SessionRecord, SubscriptionRecord};
use parking_lot::Mutex;

use crate::message::{Delivery, Message};
use crate::persistence::{Kept, KeptGroup, Loaded, Pending, Persistence, Unavailable, Write};

/// A clock that stands still until it is set.
#[derive(Debug)]
pub(crate) struct Now(Mutex<Timestamp>);

impl Now {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Timestamp::from_secs(1_800_000_000))))
    }

    pub(crate) fn pass_secs(&self, secs: i64) {
        let mut now = self.0.lock();
        *now = now.plus_millis(secs * 1000);
    }
}

impl Clock for Now {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

type Queue = BTreeMap<MessageKey, (Arc<Message>, bool)>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    pub(crate) sessions: BTreeMap<SessionId, SessionRecord>,
    pub(crate) subscriptions: BTreeMap<SessionId, BTreeMap<TopicFilter, SubscriptionRecord>>,
    pub(crate) queues: BTreeMap<SessionId, Queue>,
    pub(crate) groups: BTreeMap<SessionId, (Scope, TopicFilter)>,
    pub(crate) retained: BTreeMap<(Scope, TopicName), Arc<Message>>,
    highest: u64,
}

/// The disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) contents: Mutex<Contents>,
    is_broken: AtomicBool,
}

impl Disk {
    pub(crate) fn break_down(&self, is_broken: bool) {
        self.is_broken.store(is_broken, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), Unavailable> {
        if self.is_broken.load(Ordering::SeqCst) { Err(Unavailable::Store) } else { Ok(()) }
    }

    pub(crate) fn session_of(&self, client_id: &str) -> Option<SessionRecord> {
        let client_id = ClientId::parse(client_id).unwrap();
        self.contents.lock().sessions.values().find(|session| session.client_id == client_id).cloned()
    }

    pub(crate) fn queued_count(&self) -> usize {
        self.contents.lock().queues.values().map(BTreeMap::len).sum()
    }
}

impl Contents {
    fn apply(&mut self, write: Write) -> Result<(), Unavailable> {
        match write {
            Write::CreateSession(session) => {
                let is_taken =
                    |other: &SessionRecord| other.scope == session.scope && other.client_id == session.client_id;
                if self.sessions.values().any(is_taken) {
                    return Err(Unavailable::Store);
                }
                self.sessions.insert(session.session_id, *session);
            }
            Write::ResumeSession { session_id, expiry_secs } => {
                let session = self.sessions.get_mut(&session_id).ok_or(Unavailable::Store)?;
                session.expiry_secs = expiry_secs;
                session.parked = None;
            }
            Write::ParkSession { session_id, expiry_secs, parked } => {
                if let Some(session) = self.sessions.get_mut(&session_id) {
                    session.expiry_secs = expiry_secs;
                    session.parked = Some(*parked);
                }
            }
            Write::DeleteSession(session_id) => {
                self.sessions.remove(&session_id);
                self.subscriptions.remove(&session_id);
            }
            Write::PutSubscription(session_id, subscription) => {
                if self.sessions.contains_key(&session_id) {
                    let all = self.subscriptions.entry(session_id).or_default();
                    all.insert(subscription.filter.clone(), *subscription);
                }
            }
            Write::DeleteSubscription(session_id, filter) => {
                self.subscriptions.entry(session_id).or_default().remove(&filter);
            }
            Write::Queue { session_id, key, is_retained, message } => {
                self.highest = self.highest.max(key.number());
                if self.sessions.contains_key(&session_id) {
                    let former = self.queues.entry(session_id).or_default().insert(key, (message, is_retained));
                    assert!(former.is_none(), "a key is used once");
                }
            }
            Write::PutGroup { group_id, scope, filter } => {
                self.groups.insert(group_id, (scope, filter));
            }
            Write::DeleteGroup(group_id) => {
                self.groups.remove(&group_id);
            }
            Write::QueueShared { group_id, key, message } => {
                self.highest = self.highest.max(key.number());
                if self.groups.contains_key(&group_id) {
                    let former = self.queues.entry(group_id).or_default().insert(key, (message, false));
                    assert!(former.is_none(), "a key is used once");
                }
            }
            Write::Unqueue(session_id, key) => {
                self.queues.entry(session_id).or_default().remove(&key);
            }
            Write::Trim(session_id, count) => {
                let queue = self.queues.entry(session_id).or_default();
                for _ in 0..count {
                    queue.pop_first();
                }
            }
            Write::Retain(scope, message) => {
                let place = (scope, message.topic.clone());
                if message.payload.is_empty() {
                    self.retained.remove(&place);
                } else {
                    self.retained.insert(place, message);
                }
            }
            Write::ExpireRetained(scope, topic, now) => {
                let place = (scope, topic);
                let has_expired = |message: &Arc<Message>| message.lifetime(now) == crate::Lifetime::Over;
                if !self.retained.get(&place).is_some_and(has_expired) {
                    return Err(Unavailable::Store);
                }
                self.retained.remove(&place);
            }
        }
        Ok(())
    }
}

impl Persistence for Arc<Disk> {
    fn commit(&self, writes: Vec<Write>, _now: Timestamp) -> Pending<'_, ()> {
        Box::pin(async move {
            self.check()?;
            let mut contents = self.contents.lock();
            let mut changed = contents.clone();
            writes.into_iter().try_for_each(|write| changed.apply(write))?;
            *contents = changed;
            Ok(())
        })
    }

    fn queued(&self, session_id: SessionId, after: Option<MessageKey>, limit: u32) -> Pending<'_, Vec<Delivery>> {
        Box::pin(async move {
            self.check()?;
            let contents = self.contents.lock();
            let queue = contents.queues.get(&session_id).into_iter().flatten();
            let behind = queue.filter(|(key, _)| after.is_none_or(|after| **key > after));
            Ok(behind
                .take(limit as usize)
                .map(|(key, (message, is_retained))| Delivery {
                    message: Arc::clone(message),
                    qos: Qos::AtLeastOnce,
                    retain: *is_retained,
                    key: Some(*key),
                    direct: None,
                })
                .collect())
        })
    }

    fn retained(&self, scope: Scope, topic: TopicName) -> Pending<'_, Option<Arc<Message>>> {
        Box::pin(async move {
            self.check()?;
            Ok(self.contents.lock().retained.get(&(scope, topic)).map(Arc::clone))
        })
    }

    fn expired_retained(&self, now: Timestamp, _limit: u32) -> Pending<'_, Vec<(Scope, TopicName)>> {
        Box::pin(async move {
            self.check()?;
            let contents = self.contents.lock();
            let has_expired = |message: &Arc<Message>| message.lifetime(now) == crate::Lifetime::Over;
            let expired = contents.retained.iter().filter(|(_, message)| has_expired(message));
            Ok(expired.map(|(place, _)| place.clone()).collect())
        })
    }

    fn load(&self, now: Timestamp) -> Pending<'_, Loaded> {
        Box::pin(async move {
            self.check()?;
            let mut contents = self.contents.lock();
            for session in contents.sessions.values_mut().filter(|session| session.parked.is_none()) {
                session.parked = Some(ParkedRecord {
                    disconnected_at: now,
                    disconnect_reason: DisconnectReason::ServerError.to_string(),
                    expires_at: now.plus_millis(i64::from(session.expiry_secs) * 1000),
                });
            }
            let waiting = |id: SessionId| {
                contents.queues.get(&id).map_or(0, |queue| u32::try_from(queue.len()).unwrap_or(u32::MAX))
            };
            let groups = contents.groups.iter().map(|(group_id, (scope, filter))| KeptGroup {
                group_id: *group_id,
                scope: *scope,
                filter: filter.clone(),
                queued: waiting(*group_id),
            });
            let sessions = contents.sessions.values().map(|session| Kept {
                session: session.clone(),
                subscriptions: contents
                    .subscriptions
                    .get(&session.session_id)
                    .into_iter()
                    .flat_map(|all| all.values().cloned())
                    .collect(),
                queued: waiting(session.session_id),
            });
            Ok(Loaded { sessions: sessions.collect(), groups: groups.collect(), last_message: contents.highest })
        })
    }
}
