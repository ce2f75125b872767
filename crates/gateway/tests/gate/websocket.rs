//! MQTT over WebSocket: a session is its access key's, and lives no longer than the key or a day.

use std::time::Duration;

use http::Method;

use crate::harness::{Client, Db, Gate, HeldTime, NOW, Setup, on_both_engines};

const PINGREQ: [u8; 2] = [0xc0, 0];
const PINGRESP: (u8, [u8; 2]) = (2, [0xd0, 0]);

/// Whether the session still answers.
async fn is_alive(client: &mut Client) -> bool {
    client.send_frame(&PINGREQ).await;
    client.frame().await == Some((PINGRESP.0, PINGRESP.1.to_vec()))
}

async fn a_deleted_key_loses_its_sessions(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    let (key, other) = (gate.access_key(None, None).await, gate.access_key(None, None).await);
    let mut clients = [gate.websocket(&key, "a").await, gate.websocket(&key, "b").await];
    let mut bystander = gate.websocket(&other, "c").await;
    gate.delete_key(&key).await;
    for client in &mut clients {
        while client.frame().await.is_some() {}
    }
    assert!(is_alive(&mut bystander).await);
    gate.until(|gate| gate.cuts("access-key") == 2 && gate.connections() == 1).await;
    let signature = gate.signature(&key, &Method::POST, "/topics/a", "x");
    assert_eq!(gate.signed().await.ask("POST", "/topics/a", &signature, "x").await.unwrap().status, 403);
}

on_both_engines!(a_deleted_key_loses_its_sessions);

#[tokio::test]
async fn a_key_that_is_deleted_before_connect_gets_no_session() {
    let gate = Gate::with(Setup { has_background: false, ..Setup::default() }).await;
    let key = gate.access_key(None, None).await;
    let mut client = gate.signed().await;
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n";
    let signature = gate.signature(&key, &Method::GET, "/mqtt", "");
    assert_eq!(client.ask("GET", "/mqtt", &format!("{upgrade}{signature}"), "").await.unwrap().status, 101);
    gate.delete_key(&key).await;
    client.send_frame(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a").await;
    assert_eq!(client.frame().await, Some((2, vec![0x20, 2, 0, 5])));
    assert_eq!(gate.refusals("access-key"), 1);
    assert_eq!(gate.connections(), 0);
}

#[tokio::test]
async fn the_policy_of_the_key_counts_for_every_operation() {
    let gate = Gate::open().await;
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"iot:Connect","Resource":"*"},
        {"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:000000000000:topic/mine"}]}"#;
    let key = gate.access_key(Some(policy), None).await;
    let mut listener = gate.client("listener").await;
    listener.subscribe("#").await;
    let mut client = gate.websocket(&key, "a").await;
    client.send_frame(b"\x30\x07\x00\x04mine1").await;
    assert_eq!(listener.payload().await, "1");
    // MQTT 3.1.1 has no other word for it than the end.
    client.send_frame(b"\x30\x08\x00\x05yours1").await;
    while client.frame().await.is_some() {}
    listener.hears_nothing().await;
}

#[tokio::test]
async fn a_session_ends_with_its_temporary_key_or_after_a_day() {
    let time = HeldTime::hold().await;
    let gate = Gate::open().await;
    let temporary = gate.access_key(None, Some(NOW.plus_millis(100_000))).await;
    let lasting = gate.access_key(None, None).await;
    let mut first = gate.websocket(&temporary, "first").await;
    let mut second = gate.websocket(&lasting, "second").await;
    let pass = async |secs: i64| {
        gate.clock.advance_ms(secs * 1000);
        time.pass(Duration::from_secs(secs.unsigned_abs())).await;
    };
    pass(99).await;
    assert!(is_alive(&mut first).await);
    pass(2).await;
    time.until(30, || gate.cuts("access-key") == 1).await;
    while first.frame().await.is_some() {}
    for _ in 0..86 {
        pass(1000).await;
        assert!(is_alive(&mut second).await);
    }
    pass(300).await;
    time.until(30, || gate.connections() == 0).await;
    while second.frame().await.is_some() {}
}
