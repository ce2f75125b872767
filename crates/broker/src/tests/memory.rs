//! Sessions that end with their connection: everything goes through memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::limits;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::topic::matches;
use gatehouse_mqtt::Qos;
use proptest::prelude::*;

use super::*;
use crate::Fanout;
use crate::message::tests::message;

#[tokio::test]
async fn a_message_reaches_its_subscribers_with_the_lower_qos() {
    let house = House::open().await;
    let (publisher, subscriber) = (house.connect(1, "p").await, house.connect(1, "s").await);
    let table = [
        (Qos::AtMostOnce, Qos::AtMostOnce, Qos::AtMostOnce),
        (Qos::AtMostOnce, Qos::AtLeastOnce, Qos::AtMostOnce),
        (Qos::AtLeastOnce, Qos::AtMostOnce, Qos::AtMostOnce),
        (Qos::AtLeastOnce, Qos::AtLeastOnce, Qos::AtLeastOnce),
        (Qos::AtLeastOnce, Qos::ExactlyOnce, Qos::AtLeastOnce),
        (Qos::ExactlyOnce, Qos::ExactlyOnce, Qos::AtLeastOnce),
    ];
    for (published, granted, delivered) in table {
        subscribe(&subscriber, "a/+", SubscriptionOptions::new(granted)).await;
        let message = Arc::new(Message { qos: published, ..Message::clone(&message("a/b")) });
        assert_eq!(publish(&publisher, &message).await, Fanout { queued: 1, ..Fanout::default() });
        assert_eq!(take(&subscriber), [("a/b".to_owned(), delivered)], "{published:?} {granted:?}");
    }
    assert_eq!(take(&publisher), []);
}

#[tokio::test]
async fn overlapping_subscriptions_bring_one_copy_with_the_highest_qos() {
    let house = House::open().await;
    let guard = house.connect(1, "c").await;
    for (text, qos) in [("a/b", Qos::AtMostOnce), ("a/+", Qos::AtLeastOnce), ("#", Qos::AtMostOnce)] {
        subscribe(&guard, text, SubscriptionOptions::new(qos)).await;
    }
    assert_eq!(publish(&guard, &message("a/b")).await.queued, 1);
    assert_eq!(take(&guard), [("a/b".to_owned(), Qos::AtLeastOnce)]);
}

#[tokio::test]
async fn no_local_leaves_out_the_sessions_own_messages_only() {
    let house = House::open().await;
    let broker = &house.broker;
    let (own, other) = (house.connect(1, "own").await, house.connect(1, "other").await);
    subscribe(&own, "a", SubscriptionOptions { no_local: true, ..QOS1 }).await;
    assert_eq!(publish(&own, &message("a")).await.queued, 0);
    assert_eq!(publish(&other, &message("a")).await.queued, 1);
    assert_eq!(broker.publish(scope(1), &message("a")).queued, 1);
    // Another subscription without the option brings them.
    subscribe(&own, "+", QOS1).await;
    assert_eq!(publish(&own, &message("a")).await.queued, 1);
}

#[tokio::test]
async fn a_session_has_so_many_subscriptions_and_no_more() {
    let house = House::open().await;
    let guard = house.connect(1, "c").await;
    for number in 0..limits::SUBSCRIPTIONS_PER_CONNECTION {
        assert_eq!(subscribe(&guard, &format!("a/{number}"), QOS1).await, SubscribeOutcome::Added);
    }
    assert_eq!(subscribe(&guard, "b", QOS1).await, SubscribeOutcome::LimitReached);
    assert_eq!(publish(&guard, &message("b")).await.queued, 0);
    let qos0 = SubscriptionOptions::new(Qos::AtMostOnce);
    assert_eq!(subscribe(&guard, "a/0", qos0).await, SubscribeOutcome::Replaced);
    assert!(guard.session().subscriptions().contains(&(filter("a/0"), qos0)));
    assert!(unsubscribe(&guard, "a/0").await);
    assert!(!unsubscribe(&guard, "a/0").await);
    assert_eq!(publish(&guard, &message("a/0")).await.queued, 0);
    assert_eq!(subscribe(&guard, "b", QOS1).await, SubscribeOutcome::Added);
}

#[tokio::test]
async fn a_slow_subscriber_harms_itself_alone() {
    let house = House::open().await;
    let broker = &house.broker;
    let (slow, quick) = (house.connect(1, "slow").await, house.connect(1, "quick").await);
    subscribe(&slow, "a", QOS1).await;
    subscribe(&quick, "a", QOS1).await;
    for _ in 0..limits::OUTBOUND_QUEUE {
        assert_eq!(broker.publish(scope(1), &message("a")).queued, 2);
        take(&quick);
    }
    assert_eq!(broker.publish(scope(1), &message("a")), Fanout { queued: 1, overflowed: 1, ..Fanout::default() });
    assert_eq!(broker.publish(scope(1), &message("a")), Fanout { queued: 1, ..Fanout::default() });
    assert_eq!(slow.mailbox().close_reason(), Some(CloseReason::SlowConsumer));
    assert_eq!(quick.mailbox().close_reason(), None);
}

#[tokio::test]
async fn the_same_client_id_in_another_scope_is_another_client() {
    let house = House::open().await;
    let broker = &house.broker;
    let (one, two) = (house.connect(1, "c").await, house.connect(2, "c").await);
    assert_eq!((one.mailbox().close_reason(), two.mailbox().close_reason()), (None, None));
    subscribe(&one, "#", QOS1).await;
    subscribe(&two, "#", QOS1).await;
    assert_eq!(publish(&one, &message("a")).await.queued, 1);
    assert_eq!(broker.publish(scope(1), &message("b")).queued, 1);
    assert_eq!(take(&one).len(), 2);
    assert_eq!(take(&two), []);
    assert_eq!(broker.publish(scope(3), &message("a")), Fanout::default());
    assert_eq!(broker.connections(scope(3)).len(), 0);
}

#[tokio::test]
async fn an_older_session_that_goes_leaves_the_newer_one_alone() {
    let house = House::open().await;
    let broker = &house.broker;
    let older = house.connect(1, "c").await;
    subscribe(&older, "a", QOS1).await;
    let newer = house.connect(1, "c").await;
    subscribe(&newer, "a", QOS1).await;
    assert_eq!(older.mailbox().close_reason(), Some(CloseReason::TakenOver));
    assert_eq!(broker.publish(scope(1), &message("a")).queued, 1);
    drop(older);
    assert_eq!(broker.publish(scope(1), &message("a")).queued, 1);
    assert_eq!(take(&newer).len(), 2);
    assert_eq!(newer.mailbox().close_reason(), None);
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
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(follow(steps))?;
    }
}

async fn follow(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let house = House::open().await;
    let broker = &house.broker;
    let mut guards: Vec<SessionGuard> = Vec::new();
    let mut newest: BTreeMap<(Scope, ClientId), u64> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Connect(scope_number, id) => {
                let guard = house.connect(scope_number, &id.to_string()).await;
                newest.insert((guard.scope(), guard.session().client_id().clone()), guard.session().number);
                guards.push(guard);
            }
            _ if guards.is_empty() => {}
            Step::Drop(at) => drop(guards.swap_remove(at % guards.len())),
            Step::Subscribe(at, filter_at) => {
                subscribe(&guards[at % guards.len()], FILTERS[usize::from(filter_at)], QOS1).await;
            }
            Step::Unsubscribe(at, filter_at) => {
                unsubscribe(&guards[at % guards.len()], FILTERS[usize::from(filter_at)]).await;
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
            prop_assert_eq!(guard.mailbox().close_reason(), (!is_newest).then_some(CloseReason::TakenOver));
            let found = broker.session(guard.scope(), guard.session().client_id());
            if is_newest {
                prop_assert_eq!(found.map(|session| session.number), Some(guard.session().number));
            }
        }
    }
    let realms: Vec<_> = broker.shared.realms.read().values().map(Arc::clone).collect();
    drop(guards);
    house.be_forgotten().await;
    prop_assert!(broker.shared.realms.read().is_empty());
    prop_assert!(realms.iter().all(|realm| realm.tree.read().is_empty()));
    Ok(())
}

fn is_newest(guard: &SessionGuard, newest: &BTreeMap<(Scope, ClientId), u64>) -> bool {
    newest.get(&(guard.scope(), guard.session().client_id().clone())) == Some(&guard.session().number)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_that_fight_for_a_client_id_leave_one_winner_and_then_nothing() {
    const THREADS: usize = 4;
    let house = Arc::new(House::open().await);
    // The first scope dies and is born again all the time, the second keeps the last sessions.
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..THREADS {
        let house = Arc::clone(&house);
        running.spawn(async move {
            for _ in 0..500 {
                let guard = house.connect(1, "c").await;
                subscribe(&guard, "a/+", QOS1).await;
                // Nobody can take over the subscription itself: either it is reached, or the session was closed.
                let reached = publish(&guard, &message("a/b")).await.queued;
                assert!(reached > 0 || guard.mailbox().close_reason().is_some());
            }
            house.connect(2, "c").await
        });
    }
    let last: Vec<SessionGuard> = running.join_all().await;
    let broker = &house.broker;
    let open: Vec<_> = last.iter().filter(|guard| guard.mailbox().close_reason().is_none()).collect();
    assert_eq!(open.len(), 1);
    let reachable = broker.session(scope(2), &ClientId::parse("c").unwrap()).unwrap();
    assert_eq!(reachable.number, open[0].session().number);
    drop(last);
    house.be_forgotten().await;
    assert!(broker.shared.realms.read().is_empty());
}
