//! Quotas: what connections and accounts are held to, and how they learn of it.

use gatehouse_domain::quotas::Quotas;
use gatehouse_mqtt::packet::{Connect, ConnectProperties, Publish};
use gatehouse_mqtt::{Delivery, Packet, Qos, ReasonCode, Version};

use crate::harness::{Device, Gate, HeldTime, Key, Setup, host, id, other, publish, text};

async fn gate(quotas: Quotas) -> Gate {
    Gate::with(Setup { quotas, ..Setup::default() }).await
}

#[tokio::test]
async fn publishes_beyond_the_rate_are_discarded_and_the_connection_goes_on() {
    let gate = gate(Quotas { connection_publish_rate: 10, ..Quotas::UNLIMITED }).await;
    let mut subscriber = gate.client("subscriber").await;
    subscriber.subscribe("t").await;
    let device = gate.device().await;
    let mut modern = gate.connect(&device, "modern").await;
    let mut codes = Vec::new();
    for _ in 0..12 {
        codes.push(modern.try_publish("t", "x").await);
    }
    assert_eq!(codes, [[0; 10].as_slice(), &[0x97; 2]].concat());
    modern.send(&publish(Delivery::AtMostOnce, "t", "x")).await;
    modern.hears_nothing().await;
    // In MQTT 3.1.1 there is no PUBACK, and the identifier can be used again.
    let mut old = gate.call(&device).mqtt311().connect("old").await.accepted();
    for _ in 0..10 {
        old.publish("t", "y").await;
    }
    for _ in 0..2 {
        old.send(&publish(Delivery::AtLeastOnce(id(7)), "t", "y")).await;
        old.hears_nothing().await;
    }
    gate.clock.advance_ms(1_000);
    old.publish("t", "z").await;
    for expected in [vec!["x"; 10], vec!["y"; 10], vec!["z"]].concat() {
        assert_eq!(subscriber.payload().await, expected);
    }
    subscriber.hears_nothing().await;
    assert_eq!(gate.metric("gatehouse_throttled_total{operation=\"Publish-In\"}"), 5);
}

#[tokio::test]
async fn an_account_has_a_rate_of_its_own() {
    let gate = gate(Quotas { publish_rate: 3, subscribe_rate: 2, retain_rate: 1, ..Quotas::UNLIMITED }).await;
    let (mut a, mut b) = (gate.client("a").await, gate.client("b").await);
    assert_eq!(a.try_subscribe(&["x", "y", "z"]).await, [1, 1, 0x97]);
    a.publish("t", "").await;
    b.publish("t", "").await;
    a.publish("t", "").await;
    assert_eq!(b.try_publish("t", "").await, 0x97);
    let device = Device::with_key(Key::P256);
    gate.enrol(&device, other()).await;
    let mut foreign = gate.call(&device).at(host(other())).connect("a").await.accepted();
    foreign.publish("t", "").await;
    foreign.subscribe("x").await;
    let retained = |number| {
        let Packet::Publish(plain) = publish(Delivery::AtLeastOnce(id(number)), "t", "kept") else { panic!() };
        Packet::Publish(Publish { retain: true, ..plain })
    };
    for (number, expected) in [(1, ReasonCode::Success), (2, ReasonCode::QuotaExceeded)] {
        foreign.send(&retained(number)).await;
        let Some(Packet::PubAck(ack)) = foreign.receive().await else { panic!("no PUBACK") };
        assert_eq!(ack.reason, expected);
    }
}

#[tokio::test]
async fn a_topic_retains_one_message_a_second_and_no_connection_ends_for_more() {
    let gate = gate(Quotas { topic_retain_rate: 1, ..Quotas::UNLIMITED }).await;
    let device = gate.device().await;
    let mut old = gate.call(&device).mqtt311().connect("old").await.accepted();
    let retained = |number: u16, payload| {
        let Packet::Publish(plain) = publish(Delivery::AtLeastOnce(id(number)), "t", payload) else { panic!() };
        Packet::Publish(Publish { retain: true, ..plain })
    };
    for (number, payload) in [(1, "kept"), (2, "discarded")] {
        old.send(&retained(number, payload)).await;
    }
    let Some(Packet::PubAck(ack)) = old.receive().await else { panic!("no PUBACK") };
    assert_eq!(ack.packet_id, id(1));
    old.hears_nothing().await;
    old.subscribe("t").await;
    assert_eq!(old.payload().await, "kept");
    assert_eq!(gate.metric("gatehouse_throttled_total{operation=\"PublishRetained\"}"), 1);
}

#[tokio::test]
async fn a_client_id_connects_once_a_second() {
    let gate = gate(Quotas { client_connect_rate: 1, ..Quotas::UNLIMITED }).await;
    let device = gate.device().await;
    let mut first = gate.connect(&device, "dev").await;
    let (code, reason) = gate.call(&device).connect("dev").await.explained();
    assert_eq!(code, 0x97);
    assert!(reason.contains("wait"), "{reason}");
    first.hears_nothing().await;
    let said = gate.call(&device).mqtt311().connect("dev").await.refused();
    assert_eq!(said, [0x20, 2, 0, 3], "server unavailable: the nearest that MQTT 3.1.1 has");
    gate.connect(&device, "other").await;
    gate.clock.advance_ms(1_000);
    gate.connect(&device, "dev").await;
    assert!(first.until_closed().await.is_some());
    assert_eq!(gate.refusals("throttled"), 2);
}

#[tokio::test]
async fn an_account_has_so_many_connections() {
    let gate = gate(Quotas { connections: 2, connect_rate: 4, ..Quotas::UNLIMITED }).await;
    let device = gate.device().await;
    let first = gate.connect(&device, "1").await;
    let _second = gate.connect(&device, "2").await;
    assert_eq!(gate.call(&device).connect("3").await.explained().0, 0x97);
    first.vanish();
    gate.until(|gate| gate.connections() == 1).await;
    let _third = gate.connect(&device, "3").await;
    gate.clock.advance_ms(1_000);
    let device = Device::with_key(Key::P256);
    gate.enrol(&device, other()).await;
    gate.call(&device).at(host(other())).connect("1").await.accepted();
}

#[tokio::test]
async fn deliveries_beyond_the_rate_wait() {
    let time = HeldTime::hold().await;
    let gate = gate(Quotas { connection_delivery_rate: 10, ..Quotas::UNLIMITED }).await;
    let mut subscriber = gate.client("subscriber").await;
    subscriber.subscribe_at(&["t"], Qos::AtMostOnce).await;
    let mut publisher = gate.client("publisher").await;
    for number in 0..15 {
        publisher.publish("t", &number.to_string()).await;
    }
    for number in 0..10 {
        assert_eq!(subscriber.payload().await, number.to_string());
    }
    subscriber.hears_nothing().await;
    gate.clock.advance_ms(1_000);
    time.pass(std::time::Duration::from_millis(200)).await;
    for number in 10..15 {
        assert_eq!(subscriber.payload().await, number.to_string());
    }
}

#[tokio::test]
async fn bytes_beyond_the_rate_are_taken_later() {
    let time = HeldTime::hold().await;
    let gate = gate(Quotas { connection_byte_rate: 20_000, ..Quotas::UNLIMITED }).await;
    let mut client = gate.client("client").await;
    for number in 1..=4 {
        client.send(&publish(Delivery::AtLeastOnce(id(number)), "t", &"x".repeat(14_000))).await;
    }
    let received = |gate: &Gate| gate.metric("gatehouse_messages_total{direction=\"received\",qos=\"1\"}");
    gate.until(|gate| received(gate) >= 1).await;
    assert!(received(&gate) < 4, "what is beyond the rate is not read");
    for _ in 0..30 {
        gate.clock.advance_ms(100);
        time.pass(std::time::Duration::from_millis(100)).await;
    }
    for number in 1..=4 {
        let Some(Packet::PubAck(ack)) = client.receive().await else { panic!("no PUBACK") };
        assert_eq!(ack.packet_id, id(number));
    }
}

#[tokio::test]
async fn what_is_not_sent_is_not_counted() {
    let gate = gate(Quotas { connection_delivery_rate: 10, ..Quotas::UNLIMITED }).await;
    let device = gate.device().await;
    let properties = ConnectProperties { receive_maximum: Some(1), ..ConnectProperties::default() };
    let connect = Connect { properties, keep_alive_secs: 1200, ..Connect::new(Version::V5, text("narrow")) };
    let mut subscriber = gate.call(&device).connect_with(connect).await.accepted();
    subscriber.subscribe("t").await;
    let mut publisher = gate.client("publisher").await;
    for number in 0..10 {
        publisher.publish("t", &number.to_string()).await;
    }
    // Each acknowledgement lets one through, and finds the window full behind it.
    for number in 0..10 {
        assert_eq!(subscriber.payload().await, number.to_string());
    }
}

#[tokio::test]
async fn refusals_keep_their_place_among_receipts() {
    let gate = gate(Quotas { connection_publish_rate: 5, ..Quotas::UNLIMITED }).await;
    let device = gate.device().await;
    let properties = ConnectProperties { session_expiry_interval: Some(60), ..ConnectProperties::default() };
    let connect = Connect { properties, keep_alive_secs: 1200, ..Connect::new(Version::V5, text("lasting")) };
    let mut lasting = gate.call(&device).connect_with(connect).await.accepted();
    lasting.subscribe("t").await;
    let mut publisher = gate.client("publisher").await;
    for number in 1..=8 {
        publisher.send(&publish(Delivery::AtLeastOnce(id(number)), "t", "x")).await;
    }
    for number in 1..=8 {
        let Some(Packet::PubAck(ack)) = publisher.receive().await else { panic!("no PUBACK") };
        assert_eq!(ack.packet_id, id(number));
        assert_eq!(ack.reason.is_refusal(), number > 5);
    }
}
