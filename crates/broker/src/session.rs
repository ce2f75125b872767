//! A session: one connected client of a scope, and what it subscribed to.

use std::fmt;
use std::sync::Arc;

use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::limits;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::topic::TopicFilter;
use gatehouse_mqtt::Qos;
use parking_lot::Mutex;

use crate::broker::{Broker, Fanout, Realm};
use crate::mailbox::Mailbox;
use crate::message::Message;
use crate::tree::Subscriber;

/// A connected client.
#[derive(Debug)]
pub struct Session {
    /// Grows with every connection of this process.
    pub(crate) number: u64,
    client_id: ClientId,
    mailbox: Arc<Mailbox>,
    subscriptions: Mutex<Vec<(TopicFilter, SubscriptionOptions)>>,
}

/// What a subscription was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionOptions {
    /// The highest QoS of deliveries; above QoS 1 counts as QoS 1.
    pub qos: Qos,
    /// Not the session's own messages ([MQTT-3.8.3-3]).
    pub no_local: bool,
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
}

/// The holder's place among the sessions of its scope. Dropping it takes the session and its subscriptions out, and
/// never a newer session of the same client id.
pub struct SessionGuard {
    broker: Broker,
    realm: Arc<Realm>,
    session: Arc<Session>,
}

impl SubscriptionOptions {
    /// Deliveries up to `qos`, everything else by default.
    #[must_use]
    pub const fn new(qos: Qos) -> Self {
        Self { qos, no_local: false }
    }
}

impl Session {
    pub(crate) fn new(number: u64, client_id: ClientId, mailbox: Arc<Mailbox>) -> Self {
        Self { number, client_id, mailbox, subscriptions: Mutex::default() }
    }

    /// The client id.
    #[must_use]
    pub fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// The way to reach the connection.
    #[must_use]
    pub fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// The filters subscribed to, oldest first.
    #[must_use]
    pub fn subscriptions(&self) -> Vec<(TopicFilter, SubscriptionOptions)> {
        self.subscriptions.lock().clone()
    }
}

impl SessionGuard {
    pub(crate) fn new(broker: Broker, realm: Arc<Realm>, session: Arc<Session>) -> Self {
        Self { broker, realm, session }
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The scope.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.realm.scope
    }

    /// Subscribes to `filter`. Takes effect before it returns.
    pub fn subscribe(&self, filter: TopicFilter, options: SubscriptionOptions) -> SubscribeOutcome {
        let options = SubscriptionOptions { qos: options.qos.min(Qos::AtLeastOnce), ..options };
        let mut subscriptions = self.session.subscriptions.lock();
        let known = subscriptions.iter_mut().find(|(known, _)| *known == filter);
        if known.is_none() && subscriptions.len() >= limits::SUBSCRIPTIONS_PER_CONNECTION {
            return SubscribeOutcome::LimitReached;
        }
        self.realm.tree.write().insert(
            &filter,
            Subscriber {
                session: self.session.number,
                qos: options.qos,
                no_local: options.no_local,
                mailbox: Arc::clone(&self.session.mailbox),
            },
        );
        if let Some((_, known)) = subscriptions.iter_mut().find(|(known, _)| *known == filter) {
            *known = options;
            SubscribeOutcome::Replaced
        } else {
            subscriptions.push((filter, options));
            SubscribeOutcome::Added
        }
    }

    /// Ends the subscription to `filter`; answers whether there was one. Messages published before may still come.
    pub fn unsubscribe(&self, filter: &TopicFilter) -> bool {
        let mut subscriptions = self.session.subscriptions.lock();
        let Some(at) = subscriptions.iter().position(|(known, _)| known == filter) else { return false };
        subscriptions.remove(at);
        self.realm.tree.write().remove(filter, self.session.number);
        true
    }

    /// Publishes a message of this session to the subscribers in its scope.
    pub fn publish(&self, message: &Arc<Message>) -> Fanout {
        self.realm.publish(Some(self.session.number), message)
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        let subscriptions = std::mem::take(&mut *self.session.subscriptions.lock());
        if !subscriptions.is_empty() {
            let mut tree = self.realm.tree.write();
            for (filter, _) in &subscriptions {
                tree.remove(filter, self.session.number);
            }
        }
        self.broker.leave(&self.realm, &self.session);
    }
}

impl fmt::Debug for SessionGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionGuard").field("scope", &self.realm.scope).field("session", &self.session).finish()
    }
}
