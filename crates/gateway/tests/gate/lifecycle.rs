//! Lifecycle events: who comes, who goes and why, who subscribes.

use gatehouse_domain::certificate::CertificateStatus;
use gatehouse_mqtt::packet::Connect;
use gatehouse_mqtt::{ReasonCode, Version};
use serde_json::{Value, json};

use crate::harness::{Client, Device, Gate, Key, NOW, Registrar, home, text};

/// The next event: its topic, and what it says.
async fn event(watcher: &mut Client) -> (String, Value) {
    let message = watcher.message().await;
    (message.topic.as_str().to_owned(), serde_json::from_slice(&message.payload).unwrap())
}

async fn watcher(gate: &Gate, filter: &str) -> Client {
    let mut watcher = gate.client("watcher").await;
    watcher.subscribe(filter).await;
    watcher
}

#[tokio::test]
async fn coming_and_going_is_told() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let mut watcher = watcher(&gate, "$aws/events/presence/#").await;
    let mut first = gate.connect(&device, "dev/1").await;
    let (topic, connected) = event(&mut watcher).await;
    assert_eq!(topic, "$aws/events/presence/connected/dev/1");
    let identifier = connected["sessionIdentifier"].as_str().unwrap().to_owned();
    let expected = json!({
        "clientId": "dev/1", "timestamp": NOW.as_millis(), "eventType": "connected", "sessionIdentifier": identifier,
        "principalIdentifier": device.id, "ipAddress": "127.0.0.1", "versionNumber": 0,
    });
    assert_eq!(connected, expected);
    // Taken over: the newcomer is told, then the end of the older one.
    let second = gate.connect(&device, "dev/1").await;
    assert!(first.until_closed().await.is_some());
    let mut events = [event(&mut watcher).await, event(&mut watcher).await];
    events.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(events[0].1["versionNumber"], 1);
    assert_eq!(events[1].0, "$aws/events/presence/disconnected/dev/1");
    let expected = json!({
        "clientId": "dev/1", "timestamp": NOW.as_millis(), "eventType": "disconnected", "sessionIdentifier": identifier,
        "principalIdentifier": device.id, "clientInitiatedDisconnect": false, "disconnectReason": "DUPLICATE_CLIENTID",
        "versionNumber": 0,
    });
    assert_eq!(events[1].1, expected);
    second.disconnect(ReasonCode::Success).await;
    let (_, gone) = event(&mut watcher).await;
    assert_eq!(gone["clientInitiatedDisconnect"], true);
    assert_eq!(gone["disconnectReason"], "CLIENT_INITIATED_DISCONNECT");
}

#[tokio::test]
async fn the_reason_of_an_end_is_told() {
    let gate = Gate::open().await;
    let mut watcher = watcher(&gate, "$aws/events/presence/disconnected/+").await;
    let lost = gate.client("lost").await;
    lost.vanish();
    assert_eq!(event(&mut watcher).await.1["disconnectReason"], "CONNECTION_LOST");
    let mut rude = gate.client("rude").await;
    rude.send(&gatehouse_mqtt::Packet::PingResp).await;
    assert_eq!(event(&mut watcher).await.1["disconnectReason"], "CLIENT_ERROR");
    let device = gate.device().await;
    let mut revoked = gate.connect(&device, "revoked").await;
    gate.registrar.set_status(home(), device.id, CertificateStatus::Revoked).await;
    assert!(revoked.until_closed().await.is_some());
    assert_eq!(event(&mut watcher).await.1["disconnectReason"], "AUTH_ERROR");
}

#[tokio::test]
async fn a_connect_that_the_policies_refuse_is_told_and_one_of_a_stranger_is_not() {
    let gate = Gate::open().await;
    let mut watcher = watcher(&gate, "$aws/events/presence/#").await;
    let stranger = Device::with_key(Key::P256);
    gate.call(&stranger).connect("stranger").await.refused();
    let unattached = Device::with_key(Key::P256);
    gate.registrar.register(&Registrar::record(home(), unattached.id)).await;
    gate.call(&unattached).connect("dev").await.refused();
    let (topic, failed) = event(&mut watcher).await;
    assert_eq!(topic, "$aws/events/presence/connect_failed/dev");
    assert_eq!(failed["connectFailureReason"], "AUTHORIZATION_FAILED");
    assert_eq!(failed["principalIdentifier"], json!(unattached.id));
    assert_eq!(failed["ipAddress"], "127.0.0.1");
    watcher.hears_nothing().await;
}

#[tokio::test]
async fn subscriptions_are_told_as_they_were_written() {
    let gate = Gate::open().await;
    let mut watcher = watcher(&gate, "$aws/events/subscriptions/#").await;
    let (_, own) = event(&mut watcher).await;
    assert_eq!(own["clientId"], "watcher");
    let mut client = gate.client("dev").await;
    client.try_subscribe(&["a/+", "$mine", "b/#"]).await;
    let (topic, subscribed) = event(&mut watcher).await;
    assert_eq!(topic, "$aws/events/subscriptions/subscribed/dev");
    assert_eq!((&subscribed["eventType"], &subscribed["topics"]), (&json!("subscribed"), &json!(["a/+", "b/#"])));
    client.try_subscribe(&["$mine"]).await;
    client.unsubscribe(&["never/subscribed"]).await;
    client.unsubscribe(&["a/+", "nor/this"]).await;
    let (topic, unsubscribed) = event(&mut watcher).await;
    assert_eq!(topic, "$aws/events/subscriptions/unsubscribed/dev");
    assert_eq!(unsubscribed["topics"], json!(["a/+"]));
}

#[tokio::test]
async fn a_client_id_that_no_topic_can_hold_has_no_events() {
    let gate = Gate::open().await;
    let mut watcher = watcher(&gate, "$aws/events/presence/#").await;
    let device = gate.device().await;
    let connect = Connect { keep_alive_secs: 1200, ..Connect::new(Version::V5, text("a+b")) };
    let mut client = gate.call(&device).connect_with(connect).await.accepted();
    client.subscribe("t").await;
    client.vanish();
    gate.until(|gate| gate.connections() == 1).await;
    watcher.hears_nothing().await;
}
