//! Retained messages: for whoever subscribes to exactly their topic later.

use gatehouse_mqtt::packet::{Publish, RetainHandling, Subscribe, Subscription};
use gatehouse_mqtt::{Delivery, MessageProperties, Packet, Qos};

use crate::harness::{Client, Device, Gate, Key, Registrar, home, id, publish, text};

const NO_RETAIN: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"},
    {"Effect":"Deny","Action":"iot:RetainPublish","Resource":"*"}]}"#;

fn retained(topic: &str, payload: &str) -> Packet {
    let Packet::Publish(plain) = publish(Delivery::AtLeastOnce(id(1)), topic, payload) else { panic!("no PUBLISH") };
    Packet::Publish(Publish { retain: true, ..plain })
}

/// Publishes with RETAIN; answers the PUBACK's code.
async fn retain(client: &mut Client, topic: &str, payload: &str) -> u8 {
    client.send(&retained(topic, payload)).await;
    match client.receive().await {
        Some(Packet::PubAck(ack)) => ack.reason.value(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_retained_message_is_sent_to_who_subscribes_to_its_very_topic() {
    let gate = Gate::open().await;
    let mut publisher = gate.client("publisher").await;
    let mut live = gate.client("live").await;
    live.subscribe("a/b").await;
    assert_eq!(retain(&mut publisher, "a/b", "kept").await, 0);
    let message = live.message().await;
    assert!(!message.retain, "to who was subscribed already it is an ordinary message");
    let mut late = gate.client("late").await;
    assert_eq!(late.try_subscribe(&["a/+", "#", "a/#", "a/c"]).await, [1, 1, 1, 1]);
    late.hears_nothing().await;
    late.subscribe("a/b").await;
    let message = late.message().await;
    assert_eq!((&*message.payload, message.retain, message.delivery.qos()), (&b"kept"[..], true, Qos::AtLeastOnce));
    late.subscribe_at(&["a/b"], Qos::AtMostOnce).await;
    assert_eq!(late.message().await.delivery.qos(), Qos::AtMostOnce);
    // The last one counts; an empty one ends it.
    assert_eq!(retain(&mut publisher, "a/b", "newer").await, 0);
    let mut other = gate.client("other").await;
    other.subscribe("a/b").await;
    assert_eq!(other.payload().await, "newer");
    assert_eq!(retain(&mut publisher, "a/b", "").await, 0);
    assert_eq!(other.payload().await, "");
    let mut last = gate.client("last").await;
    last.subscribe("a/b").await;
    last.hears_nothing().await;
}

#[tokio::test]
async fn mqtt_5_subscribers_choose_how_they_get_retained_messages() {
    let gate = Gate::open().await;
    let mut publisher = gate.client("publisher").await;
    assert_eq!(retain(&mut publisher, "t", "kept").await, 0);
    let mut client = gate.client("client").await;
    let subscribe = |retain_handling, retain_as_published| {
        let filter =
            Subscription { retain_handling, retain_as_published, ..Subscription::new(text("t"), Qos::AtMostOnce) };
        Packet::Subscribe(Subscribe {
            packet_id: id(7),
            subscription_identifier: None,
            user_properties: Vec::new(),
            filters: vec![filter],
        })
    };
    for (handling, comes) in
        [(RetainHandling::DoNotSend, false), (RetainHandling::SendIfNew, false), (RetainHandling::SendAlways, true)]
    {
        client.send(&subscribe(handling, true)).await;
        assert!(matches!(client.receive().await, Some(Packet::SubAck(_))));
        if comes {
            assert_eq!(client.payload().await, "kept");
        }
        client.hears_nothing().await;
    }
    assert_eq!(retain(&mut publisher, "t", "flagged").await, 0);
    assert!(client.message().await.retain, "retain as published");
    client.unsubscribe(&["t"]).await;
    client.send(&subscribe(RetainHandling::SendIfNew, false)).await;
    assert!(matches!(client.receive().await, Some(Packet::SubAck(_))));
    assert_eq!(client.payload().await, "flagged");
}

#[tokio::test]
async fn retaining_needs_a_policy_of_its_own() {
    let gate = Gate::open().await;
    let device = Device::with_key(Key::P256);
    gate.registrar.register(&Registrar::record(home(), device.id)).await;
    gate.registrar.make_policy(home(), "no-retain", NO_RETAIN).await;
    gate.registrar.attach(home(), "no-retain", device.id).await;
    let mut client = gate.connect(&device, "client").await;
    assert_eq!(retain(&mut client, "t", "kept").await, 0x87);
    assert_eq!(retain(&mut client, "t", "").await, 0x87, "ending it needs it as well");
    assert_eq!(client.try_publish("t", "plain").await, 0);
    let mut late = gate.client("late").await;
    late.subscribe("t").await;
    late.hears_nothing().await;
}

#[tokio::test]
async fn an_expired_retained_message_is_not_sent() {
    let gate = Gate::open().await;
    let mut publisher = gate.client("publisher").await;
    let Packet::Publish(message) = retained("t", "mortal") else { panic!("no PUBLISH") };
    let (mut early, mut late) = (gate.client("early").await, gate.client("late").await);
    let properties = MessageProperties { message_expiry_interval: Some(10), ..MessageProperties::NONE };
    publisher.send(&Packet::Publish(Publish { properties, ..message })).await;
    assert!(matches!(publisher.receive().await, Some(Packet::PubAck(_))));
    gate.clock.advance_ms(4_000);
    early.subscribe("t").await;
    assert_eq!(early.message().await.properties.message_expiry_interval, Some(6));
    gate.clock.advance_ms(6_000);
    late.subscribe("t").await;
    late.hears_nothing().await;
}
