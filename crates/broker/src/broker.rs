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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gatehouse_domain::limits;
    use gatehouse_domain::scope::AccountId;
    use gatehouse_domain::topic::{TopicFilter, matches};
    use gatehouse_mqtt::Qos;
    use proptest::prelude::*;

    use super::*;
    use crate::message::tests::message;
    use crate::session::{SubscribeOutcome, SubscriptionOptions};

    const QOS1: SubscriptionOptions = SubscriptionOptions::new(Qos::AtLeastOnce);

    fn scope(number: u64) -> Scope {
        Scope::new(AccountId::from_number(number), "us-east-1".parse().unwrap())
    }

    fn connect(broker: &Broker, scope_number: u64, client_id: &str) -> SessionGuard {
        broker.connect(scope(scope_number), ClientId::parse(client_id).unwrap(), Arc::new(Mailbox::new()))
    }

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::parse(text).unwrap()
    }

    fn take(guard: &SessionGuard) -> Vec<(String, Qos)> {
        let mut taken = Vec::new();
        let _ = guard.session().mailbox().take(&mut taken, usize::MAX);
        taken.into_iter().map(|delivery| (delivery.message.topic.to_string(), delivery.qos)).collect()
    }

    fn close_reason(guard: &SessionGuard) -> Option<CloseReason> {
        guard.session().mailbox().close_reason()
    }

    #[test]
    fn a_message_reaches_its_subscribers_with_the_lower_qos() {
        let broker = Broker::new();
        let (publisher, subscriber) = (connect(&broker, 1, "p"), connect(&broker, 1, "s"));
        let table = [
            (Qos::AtMostOnce, Qos::AtMostOnce, Qos::AtMostOnce),
            (Qos::AtMostOnce, Qos::AtLeastOnce, Qos::AtMostOnce),
            (Qos::AtLeastOnce, Qos::AtMostOnce, Qos::AtMostOnce),
            (Qos::AtLeastOnce, Qos::AtLeastOnce, Qos::AtLeastOnce),
            (Qos::AtLeastOnce, Qos::ExactlyOnce, Qos::AtLeastOnce),
            (Qos::ExactlyOnce, Qos::ExactlyOnce, Qos::AtLeastOnce),
        ];
        for (published, granted, delivered) in table {
            subscriber.subscribe(filter("a/+"), SubscriptionOptions::new(granted));
            let message = Arc::new(Message { qos: published, ..Message::clone(&message("a/b")) });
            assert_eq!(publisher.publish(&message), Fanout { queued: 1, ..Fanout::default() });
            assert_eq!(take(&subscriber), [("a/b".to_owned(), delivered)], "{published:?} {granted:?}");
        }
        assert_eq!(take(&publisher), []);
    }

    #[test]
    fn overlapping_subscriptions_bring_one_copy_with_the_highest_qos() {
        let broker = Broker::new();
        let guard = connect(&broker, 1, "c");
        for (text, qos) in [("a/b", Qos::AtMostOnce), ("a/+", Qos::AtLeastOnce), ("#", Qos::AtMostOnce)] {
            guard.subscribe(filter(text), SubscriptionOptions::new(qos));
        }
        assert_eq!(guard.publish(&message("a/b")).queued, 1);
        assert_eq!(take(&guard), [("a/b".to_owned(), Qos::AtLeastOnce)]);
    }

    #[test]
    fn no_local_leaves_out_the_sessions_own_messages_only() {
        let broker = Broker::new();
        let (own, other) = (connect(&broker, 1, "own"), connect(&broker, 1, "other"));
        own.subscribe(filter("a"), SubscriptionOptions { no_local: true, ..QOS1 });
        assert_eq!(own.publish(&message("a")).queued, 0);
        assert_eq!(other.publish(&message("a")).queued, 1);
        assert_eq!(broker.publish(scope(1), &message("a")).queued, 1);
        // Another subscription without the option brings them.
        own.subscribe(filter("+"), QOS1);
        assert_eq!(own.publish(&message("a")).queued, 1);
    }

    #[test]
    fn a_session_has_so_many_subscriptions_and_no_more() {
        let broker = Broker::new();
        let guard = connect(&broker, 1, "c");
        for number in 0..limits::SUBSCRIPTIONS_PER_CONNECTION {
            assert_eq!(guard.subscribe(filter(&format!("a/{number}")), QOS1), SubscribeOutcome::Added);
        }
        assert_eq!(guard.subscribe(filter("b"), QOS1), SubscribeOutcome::LimitReached);
        assert_eq!(guard.publish(&message("b")).queued, 0);
        let qos0 = SubscriptionOptions::new(Qos::AtMostOnce);
        assert_eq!(guard.subscribe(filter("a/0"), qos0), SubscribeOutcome::Replaced);
        assert!(guard.session().subscriptions().contains(&(filter("a/0"), qos0)));
        assert!(guard.unsubscribe(&filter("a/0")));
        assert!(!guard.unsubscribe(&filter("a/0")));
        assert_eq!(guard.publish(&message("a/0")).queued, 0);
        assert_eq!(guard.subscribe(filter("b"), QOS1), SubscribeOutcome::Added);
    }

    #[test]
    fn a_slow_subscriber_harms_itself_alone() {
        let broker = Broker::new();
        let (slow, quick) = (connect(&broker, 1, "slow"), connect(&broker, 1, "quick"));
        slow.subscribe(filter("a"), QOS1);
        quick.subscribe(filter("a"), QOS1);
        for _ in 0..limits::OUTBOUND_QUEUE {
            assert_eq!(broker.publish(scope(1), &message("a")).queued, 2);
            take(&quick);
        }
        assert_eq!(broker.publish(scope(1), &message("a")), Fanout { queued: 1, dropped: 0, overflowed: 1 });
        assert_eq!(broker.publish(scope(1), &message("a")), Fanout { queued: 1, dropped: 0, overflowed: 0 });
        assert_eq!(close_reason(&slow), Some(CloseReason::SlowConsumer));
        assert_eq!(close_reason(&quick), None);
    }

    #[test]
    fn the_same_client_id_in_another_scope_is_another_client() {
        let broker = Broker::new();
        let (one, two) = (connect(&broker, 1, "c"), connect(&broker, 2, "c"));
        assert_eq!((close_reason(&one), close_reason(&two)), (None, None));
        one.subscribe(filter("#"), QOS1);
        two.subscribe(filter("#"), QOS1);
        assert_eq!(one.publish(&message("a")).queued, 1);
        assert_eq!(broker.publish(scope(1), &message("b")).queued, 1);
        assert_eq!(take(&one).len(), 2);
        assert_eq!(take(&two), []);
        assert_eq!(broker.publish(scope(3), &message("a")), Fanout::default());
        assert_eq!(broker.connections(scope(3)).len(), 0);
    }

    #[test]
    fn an_older_session_that_goes_leaves_the_newer_one_alone() {
        let broker = Broker::new();
        let older = connect(&broker, 1, "c");
        older.subscribe(filter("a"), QOS1);
        let newer = connect(&broker, 1, "c");
        newer.subscribe(filter("a"), QOS1);
        assert_eq!(close_reason(&older), Some(CloseReason::TakenOver));
        assert_eq!(broker.publish(scope(1), &message("a")).queued, 1);
        drop(older);
        assert_eq!(broker.publish(scope(1), &message("a")).queued, 1);
        assert_eq!(take(&newer).len(), 2);
        assert_eq!(close_reason(&newer), None);
        assert_eq!(broker.connections(scope(1)).len(), 1);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Connect(u64, u8),
        Drop(usize),
        Subscribe(usize, u8),
        Unsubscribe(usize, u8),
    }

    const FILTERS: [&str; 5] = ["a/b", "a/+", "a/#", "#", "+/b"];

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let index = || any::<prop::sample::Index>().prop_map(|index| index.index(1 << 16));
        let step = prop_oneof![
            3 => (0..2_u64, 0..3_u8).prop_map(|(scope, id)| Step::Connect(scope, id)),
            2 => index().prop_map(Step::Drop),
            4 => (index(), 0..5_u8).prop_map(|(guard, filter)| Step::Subscribe(guard, filter)),
            1 => (index(), 0..5_u8).prop_map(|(guard, filter)| Step::Unsubscribe(guard, filter)),
        ];
        prop::collection::vec(step, 0..60)
    }

    proptest! {
        #[test]
        fn exactly_the_newest_session_of_an_id_is_reachable_and_nothing_stays_behind(steps in steps()) {
            let broker = Broker::new();
            let mut guards: Vec<SessionGuard> = Vec::new();
            let mut newest: BTreeMap<(Scope, ClientId), u64> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Connect(scope_number, id) => {
                        let guard = connect(&broker, scope_number, &id.to_string());
                        newest.insert((guard.scope(), guard.session().client_id().clone()), guard.session().number);
                        guards.push(guard);
                    }
                    _ if guards.is_empty() => {}
                    Step::Drop(at) => drop(guards.swap_remove(at % guards.len())),
                    Step::Subscribe(at, filter_at) => {
                        guards[at % guards.len()].subscribe(filter(FILTERS[usize::from(filter_at)]), QOS1);
                    }
                    Step::Unsubscribe(at, filter_at) => {
                        guards[at % guards.len()].unsubscribe(&filter(FILTERS[usize::from(filter_at)]));
                    }
                }
                let message = message("a/b");
                for scope in [scope(0), scope(1)] {
                    broker.publish(scope, &message);
                    prop_assert_eq!(
                        broker.connections(scope).len(),
                        guards.iter().filter(|guard| guard.scope() == scope && is_newest(guard, &newest)).count()
                    );
                }
                for guard in &guards {
                    let is_newest = is_newest(guard, &newest);
                    let subscriptions = guard.session().subscriptions();
                    let is_subscribed = subscriptions.iter().any(|(filter, _)| matches(filter, &message.topic));
                    prop_assert_eq!(take(guard).len(), usize::from(is_newest && is_subscribed));
                    prop_assert_eq!(close_reason(guard), (!is_newest).then_some(CloseReason::TakenOver));
                    let found = broker.connection(guard.scope(), guard.session().client_id());
                    if is_newest {
                        prop_assert_eq!(found.map(|session| session.number), Some(guard.session().number));
                    }
                }
            }
            let realms: Vec<_> = broker.shared.realms.read().values().map(Arc::clone).collect();
            drop(guards);
            prop_assert!(broker.shared.realms.read().is_empty());
            prop_assert!(realms.iter().all(|realm| realm.tree.read().is_empty()));
        }
    }

    fn is_newest(guard: &SessionGuard, newest: &BTreeMap<(Scope, ClientId), u64>) -> bool {
        newest.get(&(guard.scope(), guard.session().client_id().clone())) == Some(&guard.session().number)
    }

    #[test]
    fn threads_that_fight_for_a_client_id_leave_one_winner_and_then_nothing() {
        const THREADS: usize = 4;
        let broker = Broker::new();
        // The first scope dies and is born again all the time, the second keeps the last sessions.
        let last: Vec<SessionGuard> = std::thread::scope(|threads| {
            let fight = || {
                for _ in 0..500 {
                    let guard = connect(&broker, 1, "c");
                    guard.subscribe(filter("a/+"), QOS1);
                    // Nobody can take over the subscription itself: either it is reached, or the session was closed.
                    let reached = guard.publish(&message("a/b")).queued;
                    assert!(reached > 0 || close_reason(&guard).is_some());
                }
                connect(&broker, 2, "c")
            };
            let running: Vec<_> = (0..THREADS).map(|_| threads.spawn(fight)).collect();
            running.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let open: Vec<_> = last.iter().filter(|guard| close_reason(guard).is_none()).collect();
        assert_eq!(open.len(), 1);
        let reachable = broker.connection(scope(2), &ClientId::parse("c").unwrap()).unwrap();
        assert_eq!(reachable.number, open[0].session().number);
        assert_eq!(broker.shared.realms.read().len(), 1);
        drop(last);
        assert!(broker.shared.realms.read().is_empty());
    }
}
