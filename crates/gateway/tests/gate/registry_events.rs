//! Registry events: what operations have written down is published, to all who may hear it, also after a crash.

use std::time::Duration;

use gatehouse_domain::registry_event::RegistryMessage;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::topic::TopicName;
use gatehouse_mqtt::Version;
use gatehouse_mqtt::packet::{Connect, ConnectProperties};
use gatehouse_store::Store;

use crate::harness::{
    Client, Db, Device, Gate, HeldTime, Key, NOW, Registrar, Setup, home, host, on_both_engines, other, text,
};

const CREATED: &str = "$aws/events/thing/+/created";

/// The event that tells that thing `name` was made.
fn created(scope: Scope, name: &str) -> RegistryMessage {
    let topic = TopicName::of_service(&format!("$aws/events/thing/{name}/created")).unwrap();
    RegistryMessage { scope, topic, payload: name.to_owned(), told_at: NOW }
}

async fn tell(registrar: &Registrar, scope: Scope, names: &[&str]) {
    registrar
        .write(|batch| {
            for name in names {
                batch.tell(&created(scope, name));
            }
        })
        .await;
}

async fn subscriber(gate: &Gate, filter: &str) -> Client {
    let mut client = gate.client("subscriber").await;
    client.subscribe(filter).await;
    client
}

/// Waits until nothing waits to be published.
async fn until_published(store: &Store) {
    while store.scope_with_registry_messages(None).await.unwrap().is_some() {
        tokio::task::yield_now().await;
    }
}

/// A client whose session outlives its connection.
async fn lasting(gate: &Gate, device: &Device) -> Client {
    let properties = ConnectProperties { session_expiry_interval: Some(600), ..ConnectProperties::default() };
    let connect = Connect { clean_start: false, keep_alive_secs: 1200, ..Connect::new(Version::V5, text("sleeper")) };
    gate.call(device).connect_with(Connect { properties, ..connect }).await.accepted()
}

async fn a_subscriber_hears_what_was_written_down(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    let mut client = subscriber(&gate, CREATED).await;
    let stranger = Device::with_key(Key::P256);
    gate.enrol(&stranger, other()).await;
    let mut stranger = gate.call(&stranger).at(host(other())).connect("stranger").await.accepted();
    stranger.subscribe(CREATED).await;

    tell(&gate.registrar, home(), &["a", "b"]).await;
    for name in ["a", "b"] {
        let message = client.message().await;
        assert_eq!(message.topic.as_str(), format!("$aws/events/thing/{name}/created"));
        assert_eq!((message.payload.as_ref(), message.retain), (name.as_bytes(), false));
    }
    until_published(&gate.registrar.store).await;
    // Another process's operations are heard of through the change log.
    tell(&gate.another_process().await, home(), &["c"]).await;
    assert_eq!(client.payload().await, "c");
    stranger.hears_nothing().await;
    tell(&gate.registrar, other(), &["d"]).await;
    assert_eq!(stranger.payload().await, "d");
    client.hears_nothing().await;
    until_published(&gate.registrar.store).await;
}

async fn a_session_that_is_away_gets_it(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    let device = gate.device().await;
    let mut sleeper = lasting(&gate, &device).await;
    sleeper.subscribe("$aws/events/thing/#").await;
    sleeper.vanish();
    gate.until(|gate| gate.connections() == 0).await;
    tell(&gate.registrar, home(), &["a", "b"]).await;
    until_published(&gate.registrar.store).await;
    let mut sleeper = lasting(&gate, &device).await;
    assert!(sleeper.session_present);
    assert_eq!(sleeper.payload().await, "a");
    assert_eq!(sleeper.payload().await, "b");
    sleeper.hears_nothing().await;
}

async fn what_was_left_is_published_by_the_next_start(db: Db) {
    // A gate that goes before it has published anything.
    let gate = Gate::on(db.clone(), Setup { has_background: false, ..Setup::default() }).await;
    let device = gate.device().await;
    let mut sleeper = lasting(&gate, &device).await;
    sleeper.subscribe(CREATED).await;
    sleeper.vanish();
    gate.until(|gate| gate.connections() == 0).await;
    gate.stop().await;
    tell(&gate.registrar, home(), &["a", "b"]).await;
    drop(gate);

    let gate = Gate::on(db, Setup::default()).await;
    until_published(&gate.registrar.store).await;
    let mut sleeper = lasting(&gate, &device).await;
    assert!(sleeper.session_present);
    assert_eq!(sleeper.payload().await, "a");
    assert_eq!(sleeper.payload().await, "b");
    tell(&gate.registrar, home(), &["c"]).await;
    assert_eq!(sleeper.payload().await, "c");
    sleeper.hears_nothing().await;
}

on_both_engines!(
    a_subscriber_hears_what_was_written_down,
    a_session_that_is_away_gets_it,
    what_was_left_is_published_by_the_next_start,
);

#[tokio::test]
async fn policies_say_who_may_hear_it() {
    let gate = Gate::open().await;
    let device = Device::with_key(Key::P256);
    gate.registrar.register(&Registrar::record(home(), device.id)).await;
    let document = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"iot:Connect","Resource":"*"},
        {"Effect":"Allow","Action":"iot:Subscribe",
         "Resource":"arn:aws:iot:*:*:topicfilter/$aws/events/thing/*"},
        {"Effect":"Allow","Action":"iot:Receive",
         "Resource":"arn:aws:iot:*:*:topic/$aws/events/thing/mine/*"}]}"#;
    gate.registrar.make_policy(home(), "mine", document).await;
    gate.registrar.attach(home(), "mine", device.id).await;
    let mut limited = gate.connect(&device, "limited").await;
    assert_eq!(limited.try_subscribe(&[CREATED, "$aws/events/thingGroup/+/created"]).await, [1, 0x87]);
    let mut free = subscriber(&gate, "$aws/events/thing/#").await;

    tell(&gate.registrar, home(), &["yours", "mine"]).await;
    assert_eq!(limited.payload().await, "mine");
    assert_eq!(free.payload().await, "yours");
    assert_eq!(free.payload().await, "mine");
    gate.until(|gate| gate.metric("gatehouse_messages_withheld_total") == 1).await;
    // Nobody speaks for the service.
    assert_eq!(free.try_publish("$aws/events/thing/forged/created", "").await, 0x90);
    free.hears_nothing().await;
}

#[tokio::test]
async fn a_flood_goes_out_at_a_pace_and_holds_up_no_other_scope() {
    let time = HeldTime::hold().await;
    let gate = Gate::open().await;
    let mut client = subscriber(&gate, CREATED).await;
    let neighbour = Device::with_key(Key::P256);
    gate.enrol(&neighbour, other()).await;
    let mut neighbour = gate.call(&neighbour).at(host(other())).connect("neighbour").await.accepted();
    neighbour.subscribe(CREATED).await;

    let names: Vec<String> = (0..120).map(|number| format!("t{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    tell(&gate.registrar, home(), &names).await;
    for name in &names[..50] {
        assert_eq!(client.payload().await, *name);
    }
    tell(&gate.registrar, other(), &["n"]).await;
    client.hears_nothing().await;
    assert!(until_left(&gate, &time, 20).await >= 5);
    for name in &names[50..100] {
        assert_eq!(client.payload().await, *name);
    }
    assert_eq!(neighbour.payload().await, "n");
    client.hears_nothing().await;
    assert!(until_left(&gate, &time, 0).await >= 5);
    for name in &names[100..] {
        assert_eq!(client.payload().await, *name);
    }
}

/// Lets time pass until so many messages wait at home; answers how many tenths of a second it took.
async fn until_left(gate: &Gate, time: &HeldTime, left: usize) -> u32 {
    for tenths in 0..1_000 {
        // What was read of them last is removed a moment later, which takes no time that is held.
        let began = std::time::Instant::now();
        while began.elapsed() < Duration::from_millis(5) {
            if gate.registrar.store.registry_messages(home(), 200).await.unwrap().len() == left {
                return tenths;
            }
            tokio::task::yield_now().await;
        }
        time.pass(Duration::from_millis(100)).await;
    }
    panic!("they are not published");
}
