//! Shared subscriptions.

use std::collections::BTreeSet;

use gatehouse_domain::limits;

use super::*;
use crate::Fanout;
use crate::message::tests::message;

#[tokio::test]
async fn each_message_goes_to_one_member_of_each_group() {
    let house = House::open().await;
    let publisher = house.connect(1, "p").await;
    let members = [house.connect(1, "a").await, house.connect(1, "b").await, house.connect(1, "c").await];
    for member in &members {
        subscribe(member, "$share/g/t/+", QOS1).await;
    }
    let (alone, plain) = (house.connect(1, "alone").await, house.connect(1, "plain").await);
    subscribe(&alone, "$share/other/t/#", QOS0).await;
    subscribe(&plain, "t/x", QOS1).await;
    for _ in 0..30 {
        assert_eq!(publish(&publisher, &message("t/x")).await, Fanout { queued: 3, ..Fanout::default() });
    }
    let counts: Vec<usize> = members.iter().map(|member| take(member).len()).collect();
    assert_eq!(counts, [10, 10, 10]);
    assert_eq!(take(&alone), vec![("t/x".to_owned(), Qos::AtMostOnce); 30]);
    assert_eq!(take(&plain).len(), 30);
    // A member that is gone gets nothing; the last one takes the group with it.
    drop(members);
    assert_eq!(publish(&publisher, &message("t/x")).await.queued, 2);
    assert!(unsubscribe(&alone, "$share/other/t/#").await);
    assert_eq!(publish(&publisher, &message("t/x")).await.queued, 1);
    assert_eq!(house.connect(2, "x").await.publish(&message("t/x"), false, || Box::new(|_| {})).fanout().queued, 0);
}

#[tokio::test]
async fn a_member_that_has_no_room_is_passed_over() {
    let house = House::open().await;
    let (slow, quick) = (house.connect(1, "slow").await, house.connect(1, "quick").await);
    for member in [&slow, &quick] {
        subscribe(member, "$share/g/t", QOS1).await;
    }
    for _ in 0..2 * limits::OUTBOUND_QUEUE {
        assert_eq!(house.broker.publish(scope(1), &message("t")).queued, 1);
        take(&quick);
    }
    assert_eq!(house.broker.publish(scope(1), &message("t")).queued, 1);
    assert_eq!(slow.mailbox().close_reason(), None, "it is not to blame: others can have its share");
    assert_eq!(take(&slow).len(), limits::OUTBOUND_QUEUE);
}

#[tokio::test]
async fn what_nobody_was_there_for_waits_for_the_first_member_that_outlives_its_connection() {
    let house = House::open().await;
    let first = house.join(1, "first", false, 600).await.guard;
    let second = house.join(1, "second", false, 600).await.guard;
    let fleeting = house.connect(1, "fleeting").await;
    for member in [&first, &second, &fleeting] {
        subscribe(member, "$share/g/t", QOS1).await;
    }
    drop((first, second, fleeting));
    let publisher = house.connect(1, "p").await;
    for number in 0..50 {
        let fanout = publish(&publisher, &with_payload("t", &number.to_string())).await;
        assert_eq!(fanout, Fanout { stored: 1, ..Fanout::default() });
    }
    let qos0 = Arc::new(Message { qos: Qos::AtMostOnce, ..Message::clone(&message("t")) });
    assert_eq!(publish(&publisher, &qos0).await, Fanout { dropped: 1, ..Fanout::default() });
    drop(publisher);
    let house = house.restart().await;
    let mut second = house.join(1, "second", false, 600).await.guard;
    assert!(second.mailbox().take_stored());
    let expected: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    assert_eq!(payloads(&fetch(&mut second).await), expected);
    // They are its own now.
    let mut first = house.join(1, "first", false, 600).await.guard;
    assert_eq!(fetch(&mut first).await, []);
    drop(second);
    let mut second = house.join(1, "second", false, 600).await.guard;
    assert_eq!(fetch(&mut second).await.len(), 50);
}

#[tokio::test]
async fn a_member_that_outlives_its_connection_keeps_its_share() {
    let house = House::open().await;
    let publisher = house.connect(1, "p").await;
    let lasting = house.join(1, "lasting", false, 600).await.guard;
    let fleeting = house.connect(1, "fleeting").await;
    for member in [&lasting, &fleeting] {
        subscribe(member, "$share/g/t", QOS1).await;
    }
    for number in 0..10 {
        publish(&publisher, &with_payload("t", &number.to_string())).await;
    }
    let of_fleeting = take(&fleeting).len();
    assert_eq!(of_fleeting, 5);
    drop(lasting);
    publish(&publisher, &with_payload("t", "10")).await;
    assert_eq!(take(&fleeting).len(), 1, "who is there gets what comes now");
    let mut lasting = house.join(1, "lasting", false, 600).await.guard;
    let kept: BTreeSet<String> = payloads(&fetch(&mut lasting).await).into_iter().collect();
    assert_eq!(kept.len(), 5);
}

#[tokio::test]
async fn the_last_member_takes_what_waits_with_it() {
    let house = House::open().await;
    let publisher = house.connect(1, "p").await;
    let lasting = house.join(1, "lasting", false, 600).await.guard;
    subscribe(&lasting, "$share/g/t", QOS1).await;
    drop(lasting);
    publish(&publisher, &message("t")).await;
    assert_eq!(house.disk.queued_count(), 1);
    drop(house.join(1, "lasting", true, 0).await);
    house.broker.settle().await;
    assert_eq!(house.disk.queued_count(), 0);
    assert!(house.disk.contents.lock().groups.is_empty());
    assert_eq!(publish(&publisher, &message("t")).await, Fanout::default());
}

#[tokio::test]
async fn groups_and_their_members_are_bounded() {
    let house = House::open().await;
    let mut guards = Vec::new();
    for number in 0..limits::SHARED_MEMBERS {
        let guard = house.connect(1, &format!("member-{number}")).await;
        assert_eq!(subscribe(&guard, "$share/g/t", QOS1).await, SubscribeOutcome::Added);
        guards.push(guard);
    }
    let late = house.connect(1, "late").await;
    assert_eq!(subscribe(&late, "$share/g/t", QOS1).await, SubscribeOutcome::SharedLimitReached);
    assert_eq!(late.session().subscriptions(), []);
    assert_eq!(subscribe(&guards[0], "$share/g/t", QOS0).await, SubscribeOutcome::Replaced);
    for number in 1..limits::SHARED_GROUPS {
        let guard = &guards[number % 10];
        assert_eq!(subscribe(guard, &format!("$share/{number}/t"), QOS1).await, SubscribeOutcome::Added);
    }
    assert_eq!(subscribe(&late, "$share/more/t", QOS1).await, SubscribeOutcome::SharedLimitReached);
    // Other scopes have their own, and a place that is freed can be had.
    let other = house.connect(2, "other").await;
    assert_eq!(subscribe(&other, "$share/more/t", QOS1).await, SubscribeOutcome::Added);
    guards.pop();
    assert_eq!(subscribe(&late, "$share/g/t", QOS1).await, SubscribeOutcome::Added);
}

#[tokio::test]
async fn what_is_counted_and_not_there_is_looked_for_once() {
    let house = House::open().await;
    let publisher = house.connect(1, "p").await;
    let lasting = house.join(1, "lasting", false, 600).await.guard;
    subscribe(&lasting, "$share/g/t", QOS1).await;
    drop(lasting);
    publish(&publisher, &message("t")).await;
    house.disk.contents.lock().queues.clear();
    let mut lasting = house.join(1, "lasting", false, 600).await.guard;
    assert!(lasting.mailbox().take_stored());
    assert_eq!(fetch(&mut lasting).await, []);
    assert!(!lasting.mailbox().take_stored());
}

#[tokio::test]
async fn a_session_that_has_ended_takes_nothing_out_of_its_groups() {
    let house = House::open().await;
    let publisher = house.connect(1, "p").await;
    let other = house.join(1, "other", false, 600).await.guard;
    subscribe(&other, "$share/g/t", QOS1).await;
    let mut ended = house.join(1, "ended", false, 600).await.guard;
    subscribe(&ended, "$share/g/t", QOS1).await;
    drop(other);
    let subscriptions = ended.session().subscriptions();
    drop(house.join(1, "ended", true, 600).await);
    publish(&publisher, &message("t")).await;
    // As if its task had looked at its subscriptions just before.
    *ended.session().subscriptions.lock() = subscriptions;
    assert_eq!(fetch(&mut ended).await, []);
    ended.session().subscriptions.lock().clear();
    let mut other = house.join(1, "other", false, 600).await.guard;
    assert_eq!(fetch(&mut other).await.len(), 1);
}
