//! Sessions that outlive their connection.

use std::sync::Arc;

use gatehouse_domain::disconnect::DisconnectReason;
use gatehouse_domain::limits;
use gatehouse_domain::topic::TopicName;

use super::*;
use crate::message::tests::message;
use crate::{Fanout, Unavailable};

/// A persistent subscriber of `a/#`, and a publisher.
async fn pair(house: &House) -> (SessionGuard, SessionGuard) {
    let subscriber = house.join(1, "s", false, 60).await.guard;
    subscribe(&subscriber, "a/#", QOS1).await;
    (subscriber, house.connect(1, "p").await)
}

#[tokio::test]
async fn a_message_waits_for_a_client_that_is_away_and_for_the_next_process() {
    let house = House::open().await;
    let (subscriber, publisher) = pair(&house).await;
    drop(subscriber);
    assert_eq!(publish(&publisher, &with_payload("a/b", "1")).await, Fanout { stored: 1, ..Fanout::default() });
    drop(publisher);
    let house = house.restart().await;
    let publisher = house.connect(1, "p").await;
    publish(&publisher, &with_payload("a/b", "2")).await;
    let Connected { guard: mut subscriber, session_present, .. } = house.join(1, "s", false, 60).await;
    assert!(session_present);
    assert!(subscriber.mailbox().take_stored());
    let waiting = fetch(&mut subscriber).await;
    assert_eq!(payloads(&waiting), ["1", "2"]);
    assert_eq!(subscriber.session().subscriptions(), [(filter("a/#"), QOS1)]);
    // Only what was acknowledged is gone.
    subscriber.acknowledge(waiting[0].key.unwrap());
    drop(subscriber);
    let mut subscriber = house.join(1, "s", false, 60).await.guard;
    assert_eq!(payloads(&fetch(&mut subscriber).await), ["2"]);
}

#[tokio::test]
async fn a_connected_client_is_told_of_what_was_written_down_for_it() {
    let house = House::open().await;
    let (mut subscriber, publisher) = pair(&house).await;
    assert!(!subscriber.mailbox().take_stored());
    publish(&publisher, &with_payload("a/b", "1")).await;
    assert!(subscriber.mailbox().take_stored());
    assert_eq!(payloads(&fetch(&mut subscriber).await), ["1"]);
    publish(&publisher, &with_payload("a/b", "2")).await;
    assert_eq!(payloads(&fetch(&mut subscriber).await), ["2"]);
    // QoS 0 promises nothing: it goes through memory, and past who is away.
    let qos0 = Arc::new(Message { qos: Qos::AtMostOnce, ..Message::clone(&message("a/c")) });
    assert_eq!(publish(&publisher, &qos0).await, Fanout { queued: 1, ..Fanout::default() });
    assert_eq!(take(&subscriber), [("a/c".to_owned(), Qos::AtMostOnce)]);
    drop(subscriber);
    assert_eq!(publish(&publisher, &qos0).await, Fanout::default());
}

#[tokio::test]
async fn a_session_ends_when_its_client_stays_away_too_long() {
    for restarts in [false, true] {
        let house = House::open().await;
        let (subscriber, publisher) = pair(&house).await;
        drop(subscriber);
        publish(&publisher, &message("a/b")).await;
        house.clock.pass_secs(59);
        house.broker.sweep().await;
        assert!(house.disk.session_of("s").is_some());
        let house = if restarts { house.restart().await } else { house };
        house.clock.pass_secs(1);
        let client_id = ClientId::parse("s").unwrap();
        assert!(house.broker.session(scope(1), &client_id).is_none());
        house.broker.sweep().await;
        house.broker.settle().await;
        assert_eq!(house.disk.session_of("s"), None);
        assert_eq!(house.disk.queued_count(), 0);
        assert!(!house.join(1, "s", false, 60).await.session_present);
    }
}

#[tokio::test]
async fn clean_start_forgets_the_session_and_what_waits_for_it() {
    let house = House::open().await;
    let (subscriber, publisher) = pair(&house).await;
    publish(&publisher, &message("a/b")).await;
    let Connected { guard: mut second, session_present, .. } = house.join(1, "s", true, 60).await;
    assert!(!session_present);
    assert_eq!(subscriber.mailbox().close_reason(), Some(CloseReason::TakenOver));
    assert_eq!(fetch(&mut second).await, []);
    assert_eq!(house.disk.queued_count(), 0);
    // What the former connection still does concerns nobody.
    subscribe(&subscriber, "b", QOS1).await;
    drop(subscriber);
    house.broker.settle().await;
    assert_eq!(publish(&publisher, &message("b")).await, Fanout::default());
    assert_eq!(publish(&publisher, &message("a/b")).await, Fanout::default());
    assert!(second.session().is_connected());
}

#[tokio::test]
async fn a_session_belongs_to_the_version_it_was_made_with() {
    let house = House::open().await;
    drop(pair(&house).await);
    let connecting = Connecting { protocol_level: 4, ..connecting("s", false, 60) };
    let connected = house.broker.connect(scope(1), connecting).await.unwrap();
    assert!(!connected.session_present);
    assert_eq!(connected.guard.session().subscriptions(), []);
}

#[tokio::test]
async fn a_takeover_goes_on_where_the_former_connection_stood() {
    let house = House::open().await;
    let (mut first, publisher) = pair(&house).await;
    publish(&publisher, &with_payload("a/b", "1")).await;
    assert_eq!(fetch(&mut first).await.len(), 1);
    let Connected { guard: mut second, session_present, .. } = house.join(1, "s", false, 60).await;
    assert!(session_present);
    assert_eq!(first.mailbox().close_reason(), Some(CloseReason::TakenOver));
    drop(first);
    assert!(second.session().is_connected(), "the former connection's end is not the session's");
    assert_eq!(payloads(&fetch(&mut second).await), ["1"]);
    assert_eq!(house.disk.session_of("s").unwrap().parked, None);
}

#[tokio::test]
async fn the_end_of_a_session_is_what_the_client_said_last() {
    let house = House::open().await;
    let (mut subscriber, _publisher) = pair(&house).await;
    subscriber.set_expiry(600);
    subscriber.set_reason(DisconnectReason::ClientInitiated);
    drop(subscriber);
    house.broker.settle().await;
    let parked = house.disk.session_of("s").unwrap().parked.unwrap();
    assert_eq!(parked.disconnect_reason, "CLIENT_INITIATED_DISCONNECT");
    assert_eq!(parked.expires_at.millis_since(parked.disconnected_at), 600_000);
    let mut back = house.join(1, "s", false, 60).await.guard;
    back.set_expiry(0);
    drop(back);
    house.broker.settle().await;
    assert_eq!(house.disk.session_of("s"), None);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_promised_while_the_disk_is_broken() {
    let house = House::open().await;
    let (mut subscriber, publisher) = pair(&house).await;
    house.disk.break_down(true);
    let (answer, answered) = tokio::sync::oneshot::channel();
    let receipt = || -> crate::Done { Box::new(move |outcome| answer.send(outcome).unwrap()) };
    publisher.publish(&message("a/b"), false, receipt);
    assert_eq!(answered.await.unwrap(), Err(Unavailable::Store));
    assert_eq!(subscriber.subscribe(vec![(filter("b"), QOS1)]).await, Err(Unavailable::Store));
    assert_eq!(subscriber.session().subscriptions(), [(filter("a/#"), QOS1)]);
    let refused = house.broker.connect(scope(1), connecting("t", false, 60)).await;
    assert_eq!(refused.unwrap_err(), Unavailable::Store);
    assert!(house.broker.session(scope(1), &ClientId::parse("t").unwrap()).is_none());
    // What needs no disk goes on.
    let other = house.connect(1, "other").await;
    subscribe(&other, "c", QOS1).await;
    assert_eq!(publish(&publisher, &message("c")).await.queued, 1);
    house.disk.break_down(false);
    publish(&publisher, &with_payload("a/b", "2")).await;
    assert_eq!(payloads(&fetch(&mut subscriber).await), ["2"]);
    // A goodbye while the disk is broken is written down later.
    house.disk.break_down(true);
    drop(subscriber);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    house.disk.break_down(false);
    house.broker.settle().await;
    assert!(house.disk.session_of("s").unwrap().parked.is_some());
}

#[tokio::test]
async fn so_many_messages_wait_for_a_session_and_no_more() {
    let house = House::open().await;
    let (subscriber, publisher) = pair(&house).await;
    subscriber.session().queued.store(limits::QUEUED_PER_SESSION, Ordering::Relaxed);
    assert_eq!(publish(&publisher, &message("a/b")).await, Fanout { dropped: 1, ..Fanout::default() });
    subscriber.session().queue_down(1);
    assert_eq!(publish(&publisher, &message("a/b")).await, Fanout { stored: 1, ..Fanout::default() });
}

#[tokio::test]
async fn receipts_asked_for_in_line_come_after_those_that_are_to_come() {
    let house = House::open().await;
    let (_subscriber, publisher) = pair(&house).await;
    let order = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let receipt = |number: u8| {
        let order = Arc::clone(&order);
        move || -> crate::Done { Box::new(move |_| order.lock().push(number)) }
    };
    assert!(matches!(publisher.publish(&message("a/b"), false, receipt(1)), Published::Pending(_)));
    assert!(matches!(publisher.publish(&message("nobody"), true, receipt(2)), Published::Pending(_)));
    assert!(matches!(publisher.publish(&message("nobody"), false, receipt(3)), Published::Settled(_)));
    house.broker.settle().await;
    assert_eq!(*order.lock(), [1, 2]);
}

#[tokio::test]
async fn a_retained_message_is_there_for_who_comes_later() {
    let house = House::open().await;
    let (publisher, live) = (house.connect(1, "p").await, house.connect(1, "live").await);
    subscribe(&live, "a", QOS1).await;
    subscribe(&live, "+", SubscriptionOptions { retain_as_published: true, ..QOS0 }).await;
    let retained = Arc::new(Message { retain: true, ..Message::clone(&with_payload("a", "1")) });
    publish(&publisher, &retained).await;
    let mut taken = Vec::new();
    let _close = live.mailbox().take(&mut taken, usize::MAX);
    assert_eq!(taken.len(), 1);
    assert!(!taken[0].retain, "the subscription with the highest QoS decides");
    let topic = TopicName::parse("a").unwrap();
    assert_eq!(live.retained(&topic).await.unwrap(), Some(Arc::clone(&retained)));
    assert_eq!(house.connect(2, "x").await.retained(&topic).await.unwrap(), None);

    // A session that outlives its connection has it in its queue.
    let mut late = house.join(1, "late", false, 60).await.guard;
    let found = late.retained(&topic).await.unwrap().unwrap();
    late.deliver_retained(Arc::clone(&found), Qos::AtLeastOnce);
    late.deliver_retained(found, Qos::AtMostOnce);
    house.broker.settle().await;
    let waiting = fetch(&mut late).await;
    assert_eq!(payloads(&waiting), ["1"]);
    assert!(waiting[0].retain);
    assert_eq!(take(&late).len(), 1);

    let empty = Arc::new(Message { payload: Bytes::new(), ..Message::clone(&retained) });
    publish(&publisher, &empty).await;
    assert_eq!(live.retained(&topic).await.unwrap(), None);
}

#[tokio::test]
async fn a_retained_message_expires() {
    let house = House::open().await;
    let publisher = house.connect(1, "p").await;
    let mut message = Message { retain: true, ..Message::clone(&message("a")) };
    message.properties.message_expiry_interval = Some(10);
    message.published_at = gatehouse_domain::time::Clock::now(&*house.clock);
    publish(&publisher, &Arc::new(message)).await;
    let topic = TopicName::parse("a").unwrap();
    assert!(publisher.retained(&topic).await.unwrap().is_some());
    house.clock.pass_secs(10);
    assert!(publisher.retained(&topic).await.unwrap().is_none());
    assert_eq!(house.disk.contents.lock().retained.len(), 1);
    house.broker.sweep().await;
    house.broker.settle().await;
    assert_eq!(house.disk.contents.lock().retained.len(), 0);
}

#[tokio::test]
async fn a_connection_can_be_deleted_with_its_session_or_without() {
    let house = House::open().await;
    let (subscriber, _publisher) = pair(&house).await;
    let client_id = ClientId::parse("s").unwrap();
    assert!(!house.broker.delete_connection(scope(2), &client_id, false, false));
    assert!(house.broker.delete_connection(scope(1), &client_id, false, true));
    assert_eq!(subscriber.mailbox().close_reason(), Some(CloseReason::Deleted { prevent_will: true }));
    drop(subscriber);
    let connected = house.join(1, "s", false, 60).await;
    assert!(connected.session_present);
    assert!(house.broker.delete_connection(scope(1), &client_id, true, false));
    assert_eq!(connected.guard.mailbox().close_reason(), Some(CloseReason::Deleted { prevent_will: false }));
    drop(connected);
    house.broker.settle().await;
    assert_eq!(house.disk.session_of("s"), None);
    let departed = house.broker.departed(scope(1), &client_id).map(|departed| departed.reason);
    assert_eq!(departed, Some(DisconnectReason::ApiInitiated));
    assert!(!house.broker.delete_connection(scope(1), &client_id, true, false));
    // One whose client is away goes as well.
    drop(house.join(1, "s", false, 60).await);
    assert!(house.broker.delete_connection(scope(1), &client_id, false, false));
    assert!(house.broker.delete_connection(scope(1), &client_id, true, false));
    assert!(!house.join(1, "s", false, 60).await.session_present);
}

#[tokio::test]
async fn connections_of_a_client_are_counted_until_it_is_gone_for_an_hour() {
    let house = House::open().await;
    for (expiry_secs, clean_start) in [(0, true), (7_200, false)] {
        for version in 0..3 {
            let connected = house.join(1, "c", clean_start, expiry_secs).await;
            assert_eq!((connected.version, connected.guard.session().version()), (version, version));
            let newer = house.join(1, "other", clean_start, expiry_secs).await;
            assert_eq!(newer.version, version);
        }
        house.clock.pass_secs(3_599);
        house.broker.sweep().await;
        assert_eq!(house.join(1, "c", clean_start, expiry_secs).await.version, 3);
        house.clock.pass_secs(7_200);
        house.broker.sweep().await;
        assert_eq!(house.join(1, "c", true, 0).await.version, 0);
        house.be_forgotten().await;
    }
}

#[tokio::test]
async fn why_a_client_went_is_remembered_for_a_while() {
    let house = House::open().await;
    let mut guard = house.connect(1, "c").await;
    guard.set_reason(DisconnectReason::KeepAliveTimeout);
    drop(guard);
    let client_id = ClientId::parse("c").unwrap();
    let departed = house.broker.departed(scope(1), &client_id).unwrap();
    assert_eq!(departed.reason, DisconnectReason::KeepAliveTimeout);
    assert_eq!(house.broker.departed(scope(2), &client_id), None);
    drop(house.connect(1, "c").await);
    assert_eq!(house.broker.departed(scope(1), &client_id).unwrap().version, 1);
    house.be_forgotten().await;
    assert_eq!(house.broker.departed(scope(1), &client_id), None);
}

#[tokio::test]
async fn quotas_of_a_scope_hold() {
    let quotas =
        Quotas { client_connect_rate: 1, connections: 2, queue_rate: 5, subscriptions: 3, ..Quotas::UNLIMITED };
    let house = House::with(quotas).await;
    let now = gatehouse_domain::time::Clock::now(&*house.clock);
    let join = |client_id, at| {
        let info = Arc::new(ConnectionInfo { connected_at: at, ..info() });
        house.broker.connect(scope(1), Connecting { info, ..connecting(client_id, false, 60) })
    };
    let first = join("s", now).await.unwrap();
    assert_eq!(join("s", now).await.unwrap_err(), Unavailable::Throttled);
    assert!(!first.guard.is_superseded(), "who connects too often takes nothing over");
    subscribe(&first.guard, "a", QOS1).await;
    drop(first);
    let publisher = house.connect(1, "p").await;
    assert_eq!(join("more", now).await.unwrap_err(), Unavailable::Throttled, "sessions that wait count");
    let stored = |_| async { publish(&publisher, &message("a")).await.stored };
    let mut kept = 0;
    for number in 0..20 {
        kept += stored(number).await;
    }
    assert_eq!(kept, 5, "more than so many a second are dropped");
    house.clock.pass_secs(1);
    let now = gatehouse_domain::time::Clock::now(&*house.clock);
    let back = join("s", now).await.unwrap();
    assert!(back.session_present);
    assert_eq!(subscribe(&back.guard, "b", QOS1).await, SubscribeOutcome::Added);
    assert_eq!(subscribe(&publisher, "c", QOS1).await, SubscribeOutcome::Added);
    assert_eq!(subscribe(&publisher, "d", QOS1).await, SubscribeOutcome::ScopeLimitReached);
    assert_eq!(subscribe(&publisher, "c", QOS0).await, SubscribeOutcome::Replaced);
    assert!(unsubscribe(&back.guard, "b").await);
    assert_eq!(subscribe(&publisher, "d", QOS1).await, SubscribeOutcome::Added);
}

#[tokio::test]
async fn each_of_many_messages_tells_whether_it_is_kept() {
    let house = House::open().await;
    let sleeper = house.join(1, "s", false, 60).await;
    subscribe(&sleeper.guard, "t/+", QOS1).await;
    drop(sleeper);
    // All are on their way before the first is waited for, in their order; one that nobody gets is safe.
    let messages = ["t/1", "nobody", "t/2"].map(message);
    let receipts = messages.each_ref().map(|message| house.broker.publish_durably(scope(1), message));
    let mut stored = Vec::new();
    for receipt in receipts {
        stored.push(receipt.await.unwrap().stored);
    }
    assert_eq!((stored.as_slice(), house.disk.queued_count()), ([1, 0, 1].as_slice(), 2));
    house.disk.break_down(true);
    let receipts = messages.each_ref().map(|message| house.broker.publish_durably(scope(1), message));
    let mut safe = Vec::new();
    for receipt in receipts {
        safe.push(receipt.await.is_ok());
    }
    assert_eq!((safe.as_slice(), house.disk.queued_count()), ([false, true, false].as_slice(), 2));
}

#[tokio::test]
async fn a_retained_message_that_is_not_kept_is_not_acknowledged() {
    let house = House::open().await;
    let publisher = house.connect(1, "p").await;
    house.disk.break_down(true);
    let retained = Arc::new(Message { retain: true, ..Message::clone(&message("a")) });
    let outcome = house.broker.publish_durably(scope(1), &retained).await;
    assert_eq!(outcome, Err(Unavailable::Store));
    house.disk.break_down(false);
    assert_eq!(publisher.retained(&TopicName::parse("a").unwrap()).await, Ok(None));
    assert!(house.broker.publish_durably(scope(1), &retained).await.is_ok());
    assert!(publisher.retained(&TopicName::parse("a").unwrap()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_client_that_comes_and_goes_leaves_one_trace() {
    let house = House::open().await;
    for secs in 0..10 {
        drop(house.join(1, "c", false, 60 + secs).await);
        house.clock.pass_secs(1);
    }
    let realm = house.broker.realm(scope(1));
    assert_eq!(realm.parked_count(), 1);
    drop(house.join(1, "c", true, 0).await);
    assert_eq!(realm.parked_count(), 0);
}
