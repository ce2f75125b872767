//! MQTT's rules and AWS's limits, as a connected device meets them.

use gatehouse_mqtt::packet::{Connect, Subscribe, Subscription};
use gatehouse_mqtt::{Delivery, Packet, Qos, Version, encode};

use crate::harness::{Client, Gate, id, publish, text};

/// What `client` is told when it sends this.
async fn told(mut client: Client, packet: &Packet) -> Option<u8> {
    client.send(packet).await;
    client.until_closed().await.map(|(code, _)| code)
}

#[tokio::test]
async fn what_comes_first_must_be_connect() {
    let gate = Gate::open().await;
    let call = gate.call(&gate.device().await);
    let first: [&[u8]; 6] = [
        &[0xc0, 0],                      // PINGREQ
        &[0x30, 3, 0, 1, b't'],          // PUBLISH
        &[0xe0, 0],                      // DISCONNECT
        &[0x82, 6, 0, 1, 0, 1, b't', 0], // SUBSCRIBE
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        &[0xff; 64],
    ];
    for bytes in first {
        let mut client = call.tls().await.unwrap();
        client.write(bytes).await.unwrap();
        assert_eq!(client.answer().await.refused(), b"", "{bytes:?}");
    }
    assert_eq!(gate.metric("gatehouse_admissions_total"), 0);
}

#[tokio::test]
async fn an_mqtt_version_that_is_not_spoken_is_told_in_the_old_form() {
    let gate = Gate::open().await;
    let call = gate.call(&gate.device().await);
    for level in [3, 6, 0x84] {
        let mut client = call.tls().await.unwrap();
        client.write(&[0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', level, 2, 0, 60, 0, 1, b'd']).await.unwrap();
        assert_eq!(client.answer().await.refused(), [0x20, 2, 0, 1], "{level}");
    }
    assert_eq!(gate.refusals("connect-rules"), 3);
}

#[tokio::test]
async fn connect_comes_once() {
    let gate = Gate::open().await;
    let connect = |version| Packet::Connect(Box::new(Connect::new(version, text("dev"))));
    assert_eq!(told(gate.client("dev").await, &connect(Version::V5)).await, Some(0x82));
    let older = gate.call(&gate.device().await).mqtt311().connect("dev").await.accepted();
    assert_eq!(told(older, &connect(Version::V311)).await, None);
}

#[tokio::test]
async fn topics_that_nobody_may_publish_to_are_refused_each_with_a_code() {
    let gate = Gate::open().await;
    let mut listener = gate.client("listener").await;
    for filter in ["#", "+/+", "$aws/things/lamp/shadow/update/accepted"] {
        listener.subscribe(filter).await;
    }
    let mut client = gate.client("dev").await;
    for topic in [
        "a/+",
        "a/#",
        "+",
        "a/b#",
        "1/2/3/4/5/6/7/8/9",
        &"t".repeat(257),
        "$mine",
        "$SYS/broker",
        "$aws/things/lamp/shadow/update",
        "$aws/things/lamp/shadow/update/accepted",
        "$aws/events/presence/connected/lamp",
        "$aws/rules/rule/a",
    ] {
        assert_eq!(client.try_publish(topic, "").await, 0x90, "{topic}");
    }
    listener.hears_nothing().await;
    for topic in ["1/2/3/4/5/6/7/8", &"t".repeat(256), "/", "a//b"] {
        assert_eq!(client.try_publish(topic, "").await, 0, "{topic}");
        assert_eq!(listener.message().await.topic, text(topic));
    }
}

#[tokio::test]
async fn what_mqtt_allows_and_aws_does_not_ends_the_connection() {
    let gate = Gate::open().await;
    let plain = publish(Delivery::AtMostOnce, "t", "");
    let Packet::Publish(plain) = plain else { panic!("no PUBLISH") };
    let aliased =
        |alias| Packet::Publish(gatehouse_mqtt::packet::Publish { topic_alias: Some(alias), ..plain.clone() });
    let filters = |count| {
        let filters = vec![Subscription::new(text("t"), Qos::AtMostOnce); count];
        Packet::Subscribe(Subscribe {
            packet_id: id(1),
            subscription_identifier: None,
            user_properties: vec![],
            filters,
        })
    };
    let table = [
        ("QoS 2", publish(Delivery::ExactlyOnce(id(1)), "t", ""), 0x9b),
        ("a payload over 128 KiB", publish(Delivery::AtMostOnce, "t", &"x".repeat(128 * 1024 + 1)), 0x95),
        ("a packet over 146 KiB", publish(Delivery::AtMostOnce, "t", &"x".repeat(146 * 1024)), 0x95),
        ("a ninth alias", aliased(9), 0x94),
        ("nine filters", filters(9), 0x97),
        ("no topic", publish(Delivery::AtMostOnce, "", ""), 0x82),
    ];
    for (what, packet, code) in table {
        assert_eq!(told(gate.client("dev").await, &packet).await, Some(code), "{what}");
    }
    let mut client = gate.client("dev").await;
    client.send(&publish(Delivery::AtMostOnce, "t", &"x".repeat(128 * 1024))).await;
    client.hears_nothing().await;
}

#[tokio::test]
async fn filters_are_judged_one_by_one() {
    let gate = Gate::open().await;
    let mut client = gate.client("dev").await;
    let long = "t".repeat(257);
    let asked =
        ["a", "a/#/b", "a+", "$share/g/a", "1/2/3/4/5/6/7/8/9", &long, "+/b/#", "$aws/things/x/shadow/get/accepted"];
    assert_eq!(client.try_subscribe(&asked).await, [1, 0x8f, 0x8f, 0x8f, 0x8f, 0x8f, 1, 1]);
    assert_eq!(client.try_subscribe(&["$mine", "$aws/rules/x", "#"]).await, [0x8f, 0x8f, 1]);
    let ack = client.subscribe_at(&["a"], Qos::AtMostOnce).await;
    assert_eq!(ack.reasons[0].value(), 0, "the lower QoS is granted");
}

#[tokio::test]
async fn fifty_subscriptions_are_enough_for_one_connection() {
    let gate = Gate::open().await;
    let mut client = gate.client("dev").await;
    for number in 0..50 {
        client.subscribe(&format!("t/{number}")).await;
    }
    assert_eq!(client.try_subscribe(&["t/50", "t/0"]).await, [0x97, 1]);
    client.unsubscribe(&["t/7"]).await;
    assert_eq!(client.try_subscribe(&["t/50", "t/51"]).await, [1, 0x97]);
}

#[tokio::test]
async fn what_was_unsubscribed_from_no_longer_comes() {
    let gate = Gate::open().await;
    let mut client = gate.client("dev").await;
    client.subscribe("t").await;
    client.publish("t", "1").await;
    assert_eq!(client.payload().await, "1");
    let ack = client.unsubscribe(&["t", "t", "never", "a/#/b"]).await;
    let codes: Vec<u8> = ack.reasons.iter().map(|reason| reason.value()).collect();
    assert_eq!(codes, [0, 0x11, 0x11, 0x8f]);
    client.publish("t", "2").await;
    client.hears_nothing().await;
    let mut older = gate.call(&gate.device().await).mqtt311().connect("older").await.accepted();
    assert!(older.unsubscribe(&["t"]).await.reasons.is_empty());
}

#[tokio::test]
async fn a_malformed_packet_ends_the_connection_with_its_code() {
    let gate = Gate::open().await;
    let table: [(&[u8], u8); 4] = [
        (&[0x00, 0], 0x81),          // reserved type
        (&[0xc1, 0], 0x81),          // flags of PINGREQ
        (&[0xff; 5], 0x81),          // a length of five bytes
        (&[0x20, 3, 0, 0, 0], 0x82), // CONNACK is the server's
    ];
    for (bytes, code) in table {
        let mut client = gate.client("dev").await;
        client.write(bytes).await.unwrap();
        assert_eq!(client.until_closed().await.map(|(code, _)| code), Some(code), "{bytes:?}");
    }
}

#[tokio::test]
async fn packets_may_come_in_pieces_and_many_at_once() {
    let gate = Gate::open().await;
    let mut listener = gate.client("listener").await;
    listener.subscribe("t").await;
    let mut client = gate.client("dev").await;
    let mut out = bytes::BytesMut::new();
    for number in 0..50 {
        encode(&publish(Delivery::AtMostOnce, "t", &number.to_string()), Version::V5, &mut out).unwrap();
    }
    client.write(&out).await.unwrap();
    for byte in &out {
        client.write(&[*byte]).await.unwrap();
    }
    for round in 0..2 {
        for number in 0..50 {
            assert_eq!(listener.payload().await, number.to_string(), "{round}");
        }
    }
}
