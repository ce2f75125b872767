//! What a device may do is asked at each operation, of the policies in force at that moment.

use gatehouse_mqtt::{Delivery, Version};

use crate::harness::{ALLOW_ALL, Client, Device, Gate, Key, Registrar, home, other, publish};

/// Allows all but `action`.
fn denying(action: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"iot:*","Resource":"*"}},
        {{"Effect":"Deny","Action":"{action}","Resource":"*"}}]}}"#
    )
}

/// A device with a policy of its own, `mine`, which allows all.
async fn device(gate: &Gate) -> Device {
    let device = Device::with_key(Key::P256);
    gate.registrar.register(&Registrar::record(home(), device.id)).await;
    gate.registrar.make_policy(home(), "mine", ALLOW_ALL).await;
    gate.registrar.attach(home(), "mine", device.id).await;
    device
}

async fn subscriber(gate: &Gate, filter: &str) -> Client {
    let mut client = gate.client("subscriber").await;
    client.subscribe(filter).await;
    client
}

#[tokio::test]
async fn a_policy_version_put_in_force_holds_for_the_next_publish() {
    let gate = Gate::open().await;
    let device = device(&gate).await;
    let mut subscriber = subscriber(&gate, "t").await;
    let mut client = gate.connect(&device, "dev").await;
    for round in 0..2 {
        client.publish("t", "allowed").await;
        assert_eq!(subscriber.payload().await, "allowed");
        gate.registrar.put_in_force(home(), "mine", &denying("iot:Publish")).await;
        assert_eq!(client.try_publish("t", "denied").await, 0x87);
        subscriber.hears_nothing().await;
        gate.registrar.put_in_force(home(), "mine", ALLOW_ALL).await;
        client.publish("t", "again").await;
        assert_eq!(subscriber.payload().await, "again", "round {round}");
    }
}

#[tokio::test]
async fn detaching_and_attaching_hold_for_the_next_operation() {
    let gate = Gate::open().await;
    let device = device(&gate).await;
    let mut client = gate.connect(&device, "dev").await;
    client.publish("t", "").await;
    client.subscribe("t").await;
    gate.registrar.detach(home(), "mine", device.id).await;
    assert_eq!(client.try_publish("t", "").await, 0x87);
    assert_eq!(client.try_subscribe(&["t", "u"]).await, [0x87, 0x87]);
    gate.registrar.make_policy(home(), "new", ALLOW_ALL).await;
    gate.registrar.attach(home(), "new", device.id).await;
    assert_eq!(client.try_subscribe(&["u"]).await, [1]);
    // Denied by one, whatever the others allow.
    gate.registrar.make_policy(home(), "no", &denying("iot:Publish")).await;
    gate.registrar.attach(home(), "no", device.id).await;
    assert_eq!(client.try_publish("t", "").await, 0x87);
    assert_eq!(client.try_subscribe(&["v"]).await, [1]);
}

#[tokio::test]
async fn a_subscriber_that_may_no_longer_receive_gets_nothing() {
    let gate = Gate::open().await;
    let device = device(&gate).await;
    let mut client = gate.connect(&device, "dev").await;
    client.subscribe("t").await;
    let mut publisher = gate.client("publisher").await;
    publisher.publish("t", "1").await;
    assert_eq!(client.payload().await, "1");
    gate.registrar.put_in_force(home(), "mine", &denying("iot:Receive")).await;
    publisher.publish("t", "2").await;
    client.hears_nothing().await;
    gate.until(|gate| gate.metric("gatehouse_messages_withheld_total") == 1).await;
    gate.registrar.detach(home(), "mine", device.id).await;
    publisher.publish("t", "3").await;
    client.hears_nothing().await;
    gate.until(|gate| gate.metric("gatehouse_messages_withheld_total") == 2).await;
    gate.registrar.put_in_force(home(), "mine", ALLOW_ALL).await;
    gate.registrar.attach(home(), "mine", device.id).await;
    publisher.publish("t", "4").await;
    assert_eq!(client.payload().await, "4");
    assert_eq!(gate.metric("gatehouse_messages_withheld_total"), 2);
}

#[tokio::test]
async fn a_things_attributes_count_as_they_are() {
    let gate = Gate::open().await;
    let device = Device::with_key(Key::P256);
    gate.registrar.register(&Registrar::record(home(), device.id)).await;
    let document = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"iot:Connect","Resource":"*"},
        {"Effect":"Allow","Action":"iot:Publish","Resource":
         "arn:aws:iot:us-east-1:000000000000:topic/groups/${iot:Connection.Thing.Attributes[group]}"}]}"#;
    gate.registrar.make_policy(home(), "group", document).await;
    gate.registrar.attach(home(), "group", device.id).await;
    gate.registrar.make_thing(home(), "lamp", ("group", "a")).await;
    let mut client = gate.connect(&device, "lamp").await;
    assert_eq!(client.try_publish("groups/a", "").await, 0x87, "not attached yet");
    gate.registrar.attach_thing(home(), "lamp", device.id).await;
    assert_eq!(client.try_publish("groups/a", "").await, 0);
    assert_eq!(client.try_publish("groups/b", "").await, 0x87);
    gate.registrar.change_thing(home(), "lamp", ("group", "b")).await;
    assert_eq!(client.try_publish("groups/a", "").await, 0x87);
    assert_eq!(client.try_publish("groups/b", "").await, 0);
}

#[tokio::test]
async fn the_policies_of_a_things_groups_count_as_they_are() {
    let gate = Gate::open().await;
    let device = Device::with_key(Key::P256);
    gate.registrar.register(&Registrar::record(home(), device.id)).await;
    let connect = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}}"#;
    gate.registrar.make_policy(home(), "connect", connect).await;
    gate.registrar.attach(home(), "connect", device.id).await;
    gate.registrar.make_policy(home(), "everything", ALLOW_ALL).await;
    gate.registrar.make_policy(home(), "silence", &denying("iot:Publish")).await;
    gate.registrar.make_thing(home(), "lamp", ("group", "a")).await;
    gate.registrar.attach_thing(home(), "lamp", device.id).await;
    gate.registrar.make_group(home(), "house", &[]).await;
    gate.registrar.make_group(home(), "floor", &["house"]).await;
    gate.registrar.attach_to_group(home(), "everything", "house").await;

    let mut client = gate.connect(&device, "lamp").await;
    assert_eq!(client.try_publish("t", "").await, 0x87, "in no group yet");
    // From the group that the thing's own group lies in.
    gate.registrar.enter_group(home(), "lamp", "floor").await;
    assert_eq!(client.try_publish("t", "").await, 0);
    gate.registrar.attach_to_group(home(), "silence", "floor").await;
    assert_eq!(client.try_publish("t", "").await, 0x87);
    gate.registrar.detach_from_group(home(), "silence", "floor").await;
    assert_eq!(client.try_publish("t", "").await, 0);
    gate.registrar.put_in_force(home(), "everything", &denying("iot:Publish")).await;
    assert_eq!(client.try_publish("t", "").await, 0x87);
    gate.registrar.put_in_force(home(), "everything", ALLOW_ALL).await;
    assert_eq!(client.try_publish("t", "").await, 0);
    // Another client id stands for no thing.
    let mut stranger = gate.connect(&device, "stranger").await;
    assert_eq!(stranger.try_publish("t", "").await, 0x87);
    // A group that is gone gives nothing.
    gate.registrar.delete_group(home(), "floor").await;
    assert_eq!(client.try_publish("t", "").await, 0x87);
}

#[tokio::test]
async fn a_policy_of_the_same_name_elsewhere_does_not_matter() {
    let gate = Gate::open().await;
    let mut client = gate.client("dev").await;
    gate.registrar.put_in_force(other(), "all", &denying("iot:Publish")).await;
    client.publish("t", "").await;
    gate.registrar.put_in_force(home(), "all", &denying("iot:Publish")).await;
    gate.registrar.put_in_force(other(), "all", ALLOW_ALL).await;
    assert_eq!(client.try_publish("t", "").await, 0x87);
}

#[tokio::test]
async fn a_connection_outlives_its_right_to_connect_and_does_not_come_back() {
    let gate = Gate::open().await;
    let device = device(&gate).await;
    let mut client = gate.connect(&device, "dev").await;
    gate.registrar.put_in_force(home(), "mine", &denying("iot:Connect")).await;
    client.publish("t", "").await;
    assert_eq!(gate.call(&device).connect("other").await.explained().0, 0x87);
    client.hears_nothing().await;
}

#[tokio::test]
async fn where_a_refused_publish_cannot_be_told_the_connection_ends() {
    let gate = Gate::open().await;
    let mut subscriber = subscriber(&gate, "t").await;
    let device = device(&gate).await;
    gate.registrar.put_in_force(home(), "mine", &denying("iot:Publish")).await;
    let table = [
        (Version::V5, Delivery::AtMostOnce, Some(0x87)),
        (Version::V311, Delivery::AtMostOnce, None),
        (Version::V311, Delivery::AtLeastOnce(crate::harness::id(1)), None),
    ];
    for (mqtt, delivery, code) in table {
        let mut call = gate.call(&device);
        call.mqtt = mqtt;
        let mut client = call.connect("dev").await.accepted();
        client.send(&publish(delivery, "t", "denied")).await;
        assert_eq!(client.until_closed().await.map(|(code, _)| code), code, "{mqtt:?} {delivery:?}");
    }
    subscriber.hears_nothing().await;
}

#[tokio::test]
async fn in_mqtt_311_every_refused_filter_is_0x80() {
    let gate = Gate::open().await;
    let device = device(&gate).await;
    gate.registrar.put_in_force(home(), "mine", &denying("iot:Subscribe")).await;
    let mut client = gate.call(&device).mqtt311().connect("dev").await.accepted();
    assert_eq!(client.try_subscribe(&["t", "a/#/b"]).await, [0x80, 0x80]);
}
