//! Sessions that outlive their connection: what waits, what comes again, and when it is forgotten.

use gatehouse_domain::certificate::CertificateStatus;
use gatehouse_mqtt::packet::{Connect, ConnectProperties, Disconnect};
use gatehouse_mqtt::{Delivery, Packet, ReasonCode, Version};

use crate::harness::{Client, Device, Gate, home, id, publish, text};

/// CONNECT of a client that wants its session back, and it to be kept for a minute.
fn lasting(version: Version, client_id: &str) -> Connect {
    let properties = ConnectProperties { session_expiry_interval: Some(60), ..ConnectProperties::default() };
    let connect = Connect { clean_start: false, keep_alive_secs: 1200, ..Connect::new(version, text(client_id)) };
    if version == Version::V5 { Connect { properties, ..connect } } else { connect }
}

async fn join(gate: &Gate, device: &Device, version: Version) -> Client {
    let mut call = gate.call(device);
    call.mqtt = version;
    call.connect_with(lasting(version, "sleeper")).await.accepted()
}

/// Goes, and waits until the gate has noticed.
async fn vanish(gate: &Gate, client: Client) {
    let connected = gate.connections();
    client.vanish();
    gate.until(|gate| gate.connections() < connected).await;
}

#[tokio::test]
async fn messages_wait_while_the_client_is_away() {
    for version in [Version::V311, Version::V5] {
        let gate = Gate::open().await;
        let device = gate.device().await;
        let mut publisher = gate.client("publisher").await;
        let mut sleeper = join(&gate, &device, version).await;
        assert!(!sleeper.session_present);
        sleeper.subscribe("t/#").await;
        publisher.publish("t/1", "awake").await;
        assert_eq!(sleeper.payload().await, "awake");
        vanish(&gate, sleeper).await;
        for number in 0..150 {
            publisher.publish("t/1", &number.to_string()).await;
        }
        publisher.send(&publish(Delivery::AtMostOnce, "t/1", "QoS 0")).await;
        publisher.hears_nothing().await;
        let mut sleeper = join(&gate, &device, version).await;
        assert!(sleeper.session_present);
        for number in 0..150 {
            assert_eq!(sleeper.payload().await, number.to_string(), "{version:?}");
        }
        publisher.publish("t/1", "live again").await;
        assert_eq!(sleeper.payload().await, "live again");
        sleeper.hears_nothing().await;
    }
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let mut publisher = gate.client("publisher").await;
    let mut sleeper = join(&gate, &device, Version::V5).await;
    sleeper.subscribe("t").await;
    for number in 0..3 {
        publisher.publish("t", &number.to_string()).await;
    }
    let mut packet_ids = Vec::new();
    for _ in 0..3 {
        let Some(Packet::Publish(message)) = sleeper.receive().await else { panic!("no PUBLISH") };
        packet_ids.push(message.delivery.packet_id().unwrap());
    }
    sleeper.acknowledge(packet_ids[1]).await;
    sleeper.hears_nothing().await;
    vanish(&gate, sleeper).await;
    let mut sleeper = join(&gate, &device, Version::V5).await;
    assert_eq!(sleeper.payload().await, "0");
    assert_eq!(sleeper.payload().await, "2");
    sleeper.hears_nothing().await;
    vanish(&gate, sleeper).await;
    join(&gate, &device, Version::V5).await.hears_nothing().await;
}

#[tokio::test]
async fn a_session_is_forgotten_when_the_client_says_so() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let mut publisher = gate.client("publisher").await;
    let mut sleeper = join(&gate, &device, Version::V5).await;
    sleeper.subscribe("t").await;
    let goodbye = Disconnect { session_expiry_interval: Some(0), ..Disconnect::new(ReasonCode::Success) };
    sleeper.send(&Packet::Disconnect(goodbye)).await;
    assert_eq!(sleeper.receive().await, None);
    publisher.publish("t", "for nobody").await;
    let mut sleeper = join(&gate, &device, Version::V5).await;
    assert!(!sleeper.session_present);
    sleeper.subscribe("t").await;
    // An ordinary goodbye keeps it; a clean start does not.
    sleeper.disconnect(ReasonCode::Success).await;
    publisher.publish("t", "waits").await;
    let mut clean = gate.connect(&device, "sleeper").await;
    assert!(!clean.session_present);
    clean.hears_nothing().await;
}

#[tokio::test]
async fn a_session_that_is_taken_over_goes_on() {
    let gate = Gate::open().await;
    let (device, other) = (gate.device().await, gate.device().await);
    let mut publisher = gate.client("publisher").await;
    let mut first = join(&gate, &device, Version::V5).await;
    first.subscribe("t").await;
    publisher.publish("t", "1").await;
    let Some(Packet::Publish(_)) = first.receive().await else { panic!("no PUBLISH") };
    // A second certificate of the fleet uses the same client id, as after a rotation.
    let mut second = join(&gate, &other, Version::V5).await;
    assert!(second.session_present);
    assert_eq!(first.until_closed().await.unwrap().0, 0x8e);
    assert_eq!(second.payload().await, "1");
    gate.until(|gate| gate.connections() == 2).await;
    publisher.publish("t", "2").await;
    assert_eq!(second.payload().await, "2");
}

#[tokio::test]
async fn what_waits_for_a_revoked_certificate_is_not_delivered() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let mut publisher = gate.client("publisher").await;
    let mut sleeper = join(&gate, &device, Version::V5).await;
    sleeper.subscribe("t").await;
    gate.registrar.set_status(home(), device.id, CertificateStatus::Revoked).await;
    assert!(sleeper.until_closed().await.is_some());
    publisher.publish("t", "secret").await;
    gate.call(&device).connect_with(lasting(Version::V5, "sleeper")).await.refused();
    // The session waits for a certificate that may use the client id.
    let other = gate.device().await;
    let mut sleeper = join(&gate, &other, Version::V5).await;
    assert!(sleeper.session_present);
    assert_eq!(sleeper.payload().await, "secret");
}

#[tokio::test]
async fn answers_come_in_the_order_of_the_publishes() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let mut publisher = gate.client("publisher").await;
    let mut sleeper = join(&gate, &device, Version::V5).await;
    sleeper.subscribe("t").await;
    // Some have to be written down, some not.
    for number in 1..=90 {
        let topic = if number % 3 == 0 { "nobody" } else { "t" };
        publisher.send(&publish(Delivery::AtLeastOnce(id(number)), topic, &number.to_string())).await;
    }
    for number in 1..=90 {
        let Some(Packet::PubAck(ack)) = publisher.receive().await else { panic!("no PUBACK") };
        assert_eq!(ack.packet_id, id(number));
        assert_eq!(ack.reason, ReasonCode::Success);
    }
    for number in (1..=90).filter(|number| number % 3 != 0) {
        assert_eq!(sleeper.payload().await, number.to_string());
    }
}

#[tokio::test]
async fn a_client_id_that_was_made_up_has_no_lasting_session() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let nameless = Connect { client_id: text(""), ..lasting(Version::V5, "") };
    let mut client = gate.call(&device).connect_with(nameless).await.accepted();
    client.subscribe("t").await;
    vanish(&gate, client).await;
    let mut publisher = gate.client("publisher").await;
    publisher.publish("t", "for nobody").await;
}
