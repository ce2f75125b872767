//! From CONNACK to the end of a session: what is promised, taking over, stopping.

use std::time::Duration;

use gatehouse_domain::certificate::CertificateMode;
use gatehouse_mqtt::packet::Connect;
use gatehouse_mqtt::{Decoder, Packet, Version, encode};
use gatehouse_store::CertificateRecord;

use crate::harness::{Device, Gate, HeldTime, Key, Registrar, home, host, other, text};

#[tokio::test]
async fn connack_tells_mqtt_5_clients_the_limits() {
    let gate = Gate::open().await;
    let mut client = gate.call(&gate.device().await).tls().await.unwrap();
    let mut out = bytes::BytesMut::new();
    let connect = Connect { keep_alive_secs: 5, ..Connect::new(Version::V5, text("")) };
    encode(&Packet::Connect(Box::new(connect)), Version::V5, &mut out).unwrap();
    client.write(&out).await.unwrap();
    let Some(Packet::ConnAck(ack)) = client.receive().await else { panic!("no CONNACK") };
    let properties = ack.properties;
    assert!(!ack.session_present);
    assert_eq!(properties.server_keep_alive, Some(30));
    assert_eq!(properties.receive_maximum, Some(100));
    assert_eq!(properties.maximum_qos.unwrap().value(), 1);
    assert_eq!(properties.topic_alias_maximum, Some(8));
    assert_eq!(properties.shared_subscription_available, Some(true));
    assert!(!properties.assigned_client_identifier.unwrap().is_empty());
}

#[tokio::test]
async fn in_mqtt_311_connack_is_four_bytes() {
    use tokio::io::AsyncReadExt as _;

    let gate = Gate::open().await;
    let mut client = gate.call(&gate.device().await).mqtt311().tls().await.unwrap();
    let mut out = bytes::BytesMut::new();
    let connect = Connect::new(Version::V311, text("dev"));
    encode(&Packet::Connect(Box::new(connect)), Version::V311, &mut out).unwrap();
    client.write(&out).await.unwrap();
    client.write(&[0xc0, 0]).await.unwrap();
    let mut answer = [0; 6];
    client.stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [0x20, 2, 0, 0, 0xd0, 0]);
    assert!(Decoder::client(Version::V311, 100).decode(&mut answer.as_slice().into()).unwrap().is_some());
}

#[tokio::test]
async fn a_client_id_is_taken_over_by_the_newest_connection() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let mut first = gate.connect(&device, "dev").await;
    first.subscribe("t").await;
    let mut older = gate.call(&gate.device().await).mqtt311().connect("dev-2").await.accepted();
    let mut second = gate.connect(&device, "dev").await;
    let (code, _) = first.until_closed().await.unwrap();
    assert_eq!(code, 0x8e);
    // Its subscriptions went with it.
    let mut publisher = gate.client("publisher").await;
    publisher.publish("t", "").await;
    second.hears_nothing().await;
    older.hears_nothing().await;
    let mut third = gate.connect(&device, "dev-2").await;
    assert_eq!(older.until_closed().await, None);
    third.hears_nothing().await;
    gate.until(|gate| gate.connections() == 3).await;
}

#[tokio::test]
async fn a_busy_device_hears_why_its_connection_ends() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let pings = [0xc0, 0].repeat(200);
    let mut first = gate.connect(&device, "dev").await;
    for round in 0..50 {
        let (second, ()) = tokio::join!(gate.connect(&device, "dev"), async {
            // It goes on under the hands of whoever closes.
            for _ in 0..100 {
                if first.write(&pings).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        });
        assert_eq!(first.until_closed().await.map(|(code, _)| code), Some(0x8e), "round {round}");
        first = second;
    }
}

#[tokio::test]
async fn scopes_know_nothing_of_each_other() {
    let gate = Gate::open().await;
    let device = Device::with_key(Key::P256);
    for scope in [home(), other()] {
        let record = CertificateRecord { mode: CertificateMode::SniOnly, ..Registrar::record(scope, device.id) };
        gate.registrar.register(&record).await;
        gate.registrar.attach(scope, "all", device.id).await;
    }
    let mut here = gate.connect(&device, "dev").await;
    let mut there = gate.call(&device).at(host(other())).connect("dev").await.accepted();
    for client in [&mut here, &mut there] {
        client.hears_nothing().await;
        client.subscribe("#").await;
    }
    let mut publisher = gate.client("publisher").await;
    publisher.publish("t", "here").await;
    assert_eq!(here.payload().await, "here");
    there.hears_nothing().await;
}

#[tokio::test]
async fn a_gate_that_stops_tells_its_devices() {
    let gate = Gate::open().await;
    let mut clients = Vec::new();
    for number in 0..20 {
        clients.push(gate.client(&format!("dev-{number}")).await);
    }
    let mut older = gate.call(&gate.device().await).mqtt311().connect("older").await.accepted();
    let told = async {
        for client in &mut clients {
            assert_eq!(client.until_closed().await.unwrap().0, 0x8b);
        }
        assert_eq!(older.until_closed().await, None);
    };
    tokio::join!(gate.stop(), told);
    gate.until(|gate| gate.connections() == 0).await;
    assert!(tokio::net::TcpStream::connect(gate.mqtt).await.is_err(), "still listening");
}

#[tokio::test]
async fn a_gate_that_stops_delivers_what_waits() {
    let gate = Gate::open().await;
    let mut subscriber = gate.client("subscriber").await;
    subscriber.subscribe("t").await;
    let mut publisher = gate.client("publisher").await;
    // More than is taken out of a mailbox at once, and more than is written at once.
    let payload = "x".repeat(10_000);
    for _ in 0..60 {
        publisher.publish("t", &payload).await;
    }
    gate.stop().await;
    for number in 0..60 {
        let packet = subscriber.receive().await;
        assert!(
            matches!(&packet, Some(Packet::Publish(message)) if message.payload == payload),
            "{number}: {packet:?}"
        );
    }
    assert_eq!(subscriber.until_closed().await.unwrap().0, 0x8b);
}

#[tokio::test]
async fn a_gate_stops_in_time_also_under_a_device_that_does_not_read() {
    let time = HeldTime::hold().await;
    let gate = Gate::open().await;
    let mut deaf = gate.client("deaf").await;
    deaf.subscribe("flood").await;
    let mut publisher = gate.client("publisher").await;
    let payload = "x".repeat(100 * 1024);
    for _ in 0..150 {
        publisher.send(&crate::harness::publish(gatehouse_mqtt::Delivery::AtMostOnce, "flood", &payload)).await;
    }
    publisher.publish("elsewhere", "").await;
    let mut stopping = std::pin::pin!(gate.stop());
    for _ in 0..10 {
        tokio::select! {
            biased;
            () = &mut stopping => return,
            () = time.pass(Duration::from_secs(1)) => {}
        }
    }
    panic!("it does not stop within ten seconds");
}
