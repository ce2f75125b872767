//! Messages to subscribers: each once, in order, within the window, and never at the cost of others.

use gatehouse_mqtt::packet::Publish;
use gatehouse_mqtt::{Delivery, MessageProperties, Packet, Qos};

use crate::harness::{Client, Gate, HeldTime, id, publish, text};

/// Publishes with QoS 1 from `client`, and waits for the PUBACK.
async fn publish_all(client: &mut Client, topic: &str, count: usize) {
    for number in 0..count {
        client.publish(topic, &number.to_string()).await;
    }
}

#[tokio::test]
async fn a_subscriber_is_sent_a_hundred_unacknowledged_messages_and_the_rest_as_it_acknowledges() {
    let gate = Gate::open().await;
    let mut subscriber = gate.client("subscriber").await;
    subscriber.subscribe("t").await;
    let mut publisher = gate.client("publisher").await;
    publish_all(&mut publisher, "t", 350).await;
    let mut unacknowledged = Vec::new();
    let mut numbers = Vec::new();
    let mut take = |packet| {
        let Some(Packet::Publish(publish)) = packet else { panic!("{packet:?}") };
        numbers.push(String::from_utf8(publish.payload.to_vec()).unwrap());
        publish.delivery.packet_id().unwrap()
    };
    for _ in 0..100 {
        unacknowledged.push(take(subscriber.receive().await));
    }
    subscriber.hears_nothing().await;
    // Each acknowledgement makes room for one.
    for _ in 0..250 {
        let oldest = unacknowledged.remove(0);
        subscriber.acknowledge(oldest).await;
        let next = take(subscriber.receive().await);
        assert!(!unacknowledged.contains(&next), "an identifier in use is not given again");
        unacknowledged.push(next);
    }
    subscriber.hears_nothing().await;
    assert!(numbers.iter().enumerate().all(|(number, payload)| *payload == number.to_string()), "{numbers:?}");
}

#[tokio::test]
async fn the_window_does_not_hold_up_requests_of_the_subscriber() {
    let gate = Gate::open().await;
    let mut subscriber = gate.client("subscriber").await;
    subscriber.subscribe("t").await;
    let mut publisher = gate.client("publisher").await;
    publish_all(&mut publisher, "t", 150).await;
    for _ in 0..100 {
        assert!(matches!(subscriber.receive().await, Some(Packet::Publish(_))));
    }
    subscriber.publish("elsewhere", "").await;
    subscriber.subscribe("u").await;
    // An acknowledgement of nothing makes no room.
    subscriber.acknowledge(id(5000)).await;
    subscriber.hears_nothing().await;
}

#[tokio::test]
async fn a_subscriber_that_never_acknowledges_is_cut_and_others_go_on() {
    let gate = Gate::open().await;
    let mut slow = gate.client("slow").await;
    let mut quick = gate.client("quick").await;
    for client in [&mut slow, &mut quick] {
        client.subscribe("t").await;
    }
    let mut publisher = gate.client("publisher").await;
    let mut sent = 0;
    while gate.connections() == 3 && sent < 3_000 {
        publisher.publish("t", &sent.to_string()).await;
        assert_eq!(quick.payload().await, sent.to_string());
        sent += 1;
    }
    // The window, what is taken out at once, and the mailbox.
    assert!((1_100..=1_400).contains(&sent), "{sent}");
    assert_eq!(slow.until_closed().await.unwrap().0, 0x97);
    publisher.publish("t", "on").await;
    assert_eq!(quick.payload().await, "on");
}

#[tokio::test]
async fn what_waits_for_a_subscriber_that_does_not_read_is_bounded_and_others_go_on() {
    let time = HeldTime::hold().await;
    let gate = Gate::open().await;
    let mut deaf = gate.client("deaf").await;
    deaf.subscribe_at(&["flood"], Qos::AtMostOnce).await;
    let mut other = gate.client("other").await;
    other.subscribe("news").await;
    let mut publisher = gate.client("publisher").await;
    let payload = "x".repeat(100 * 1024);
    let flood = publish(Delivery::AtMostOnce, "flood", &payload);
    for number in 0..50 {
        for _ in 0..10 {
            publisher.send(&flood).await;
        }
        publisher.publish("news", &number.to_string()).await;
        assert_eq!(other.payload().await, number.to_string());
    }
    // Its socket takes nothing: that is looked at for a while, and then it is gone.
    let secs = time.until(30, || gate.connections() == 2).await;
    assert!(secs >= 15, "{secs}");
    let received = deaf.bytes_left().await / payload.len();
    assert!(received < 250, "{received} of 500 were kept for it");
    publisher.publish("news", "on").await;
    assert_eq!(other.payload().await, "on");
}

#[tokio::test]
async fn a_message_is_delivered_within_its_lifetime_and_says_what_is_left_of_it() {
    let gate = Gate::open().await;
    let mut subscriber = gate.client("subscriber").await;
    subscriber.subscribe("t").await;
    let mut publisher = gate.client("publisher").await;
    // The window is full, so what comes now waits.
    publish_all(&mut publisher, "t", 100).await;
    let mut first = Vec::new();
    for _ in 0..100 {
        let Some(Packet::Publish(publish)) = subscriber.receive().await else { panic!("no PUBLISH") };
        assert_eq!(publish.properties.message_expiry_interval, None);
        first.push(publish.delivery.packet_id().unwrap());
    }
    for (number, secs) in [(1, 10), (2, 3), (3, 100)] {
        let Packet::Publish(plain) = publish(Delivery::AtLeastOnce(id(1000 + number)), "t", &number.to_string()) else {
            panic!("no PUBLISH")
        };
        let properties = MessageProperties { message_expiry_interval: Some(secs), ..MessageProperties::NONE };
        publisher.send(&Packet::Publish(Publish { properties, ..plain })).await;
        assert!(matches!(publisher.receive().await, Some(Packet::PubAck(_))));
    }
    gate.clock.advance_ms(4_000);
    for packet_id in first {
        subscriber.acknowledge(packet_id).await;
    }
    for (payload, left) in [("1", 6), ("3", 96)] {
        let message = subscriber.message().await;
        assert_eq!(message.payload, payload.as_bytes());
        assert_eq!(message.properties.message_expiry_interval, Some(left));
    }
    subscriber.hears_nothing().await;
}

#[tokio::test]
async fn a_message_comes_with_the_lower_qos_of_publisher_and_subscription() {
    let gate = Gate::open().await;
    let mut one = gate.client("one").await;
    one.subscribe("t").await;
    let mut zero = gate.client("zero").await;
    zero.subscribe_at(&["t"], Qos::AtMostOnce).await;
    let mut publisher = gate.client("publisher").await;
    publisher.publish("t", "").await;
    assert_eq!(one.message().await.delivery.qos(), Qos::AtLeastOnce);
    assert_eq!(zero.message().await.delivery.qos(), Qos::AtMostOnce);
    publisher.send(&publish(Delivery::AtMostOnce, "t", "")).await;
    assert_eq!(one.message().await.delivery.qos(), Qos::AtMostOnce);
    assert_eq!(zero.message().await.delivery.qos(), Qos::AtMostOnce);
}

#[tokio::test]
async fn a_message_comes_once_however_many_filters_match() {
    let gate = Gate::open().await;
    let mut client = gate.client("dev").await;
    for filter in ["a/b", "a/+", "#", "+/b"] {
        client.subscribe(filter).await;
    }
    let mut publisher = gate.client("publisher").await;
    publisher.publish("a/b", "once").await;
    assert_eq!(client.payload().await, "once");
    client.hears_nothing().await;
}

#[tokio::test]
async fn what_a_publisher_says_about_its_message_reaches_the_subscriber() {
    let gate = Gate::open().await;
    let mut client = gate.client("dev").await;
    client.subscribe("t").await;
    let mut older = gate.call(&gate.device().await).mqtt311().connect("older").await.accepted();
    older.subscribe("t").await;
    let Packet::Publish(plain) = publish(Delivery::AtMostOnce, "t", "hi") else { panic!("no PUBLISH") };
    let properties = MessageProperties {
        payload_format_indicator: Some(true),
        content_type: Some(text("text/plain")),
        response_topic: Some(text("answers")),
        correlation_data: Some("7".into()),
        user_properties: vec![(text("a"), text("1")), (text("a"), text("2"))],
        ..MessageProperties::NONE
    };
    let mut publisher = gate.client("publisher").await;
    publisher.send(&Packet::Publish(Publish { properties: properties.clone(), ..plain })).await;
    assert_eq!(client.message().await.properties, properties);
    let message = older.message().await;
    assert_eq!((message.payload.as_ref(), message.properties), (b"hi".as_slice(), MessageProperties::NONE));
}
