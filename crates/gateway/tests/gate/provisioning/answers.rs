//! Who hears the answer: the connection that asked, subscribed or not, as far as its policies let it receive.

use gatehouse_mqtt::packet::{Connect, ConnectProperties};
use gatehouse_mqtt::{Delivery, Packet, Qos, Version};
use serde_json::json;

use super::{CLAIM_POLICY, story, with_policy, with_template};
use crate::harness::{
    ALLOW_ALL, CREATE, CREATE_FROM_CSR, Db, Device, Gate, Key, Setup, answered, home, host, id, on_both_engines, other,
    publish, text,
};

on_both_engines!(a_receipt_comes_in_the_order_of_the_publishes);

#[tokio::test]
async fn nobody_but_the_one_who_asked_hears_the_answer() {
    let (gate, mut newborn) = story().await;
    let filters = [
        "#",
        "+/certificates/#",
        "$aws/certificates/#",
        "$aws/certificates/create-from-csr/json/accepted",
        "$aws/certificates/+/+/+",
    ];
    let mut eavesdroppers = Vec::new();
    for (number, filter) in filters.into_iter().enumerate() {
        let mut eavesdropper = gate.client(&format!("eavesdropper-{number}")).await;
        eavesdropper.subscribe(filter).await;
        eavesdroppers.push(eavesdropper);
    }
    // Another connection of the same certificate is another one.
    let claim = gate.device().await;
    let mut sibling = gate.connect(&claim, "sibling").await;
    sibling.subscribe("$aws/certificates/create-from-csr/json/accepted").await;
    let mut asking = gate.connect(&claim, "asking").await;
    asking.fresh().await;
    newborn.fresh().await;
    newborn.rejected(CREATE_FROM_CSR, &json!({ "certificateSigningRequest": "x" })).await;
    for listener in eavesdroppers.iter_mut().chain([&mut sibling]) {
        listener.hears_nothing().await;
    }
    // Nor does anybody see what is asked.
    assert_eq!(sibling.try_subscribe(&[CREATE]).await, [0x8f]);
}

#[tokio::test]
async fn who_is_subscribed_hears_it_once_and_with_the_qos_of_the_request() {
    let (_gate, mut newborn) = story().await;
    for filter in
        ["$aws/certificates/#", "$aws/certificates/create/+/accepted", "$aws/certificates/create/json/rejected"]
    {
        newborn.subscribe(filter).await;
    }
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce] {
        let answer = newborn.request(CREATE, b"", qos).await;
        assert_eq!((answer.delivery.qos(), answer.retain), (qos, false));
        assert!(answered(CREATE, &answer).is_ok());
        newborn.hears_nothing().await;
    }
}

#[tokio::test]
async fn who_may_not_publish_asks_for_nothing() {
    let gate = with_template(&json!({})).await;
    let denied = CLAIM_POLICY.replace("topic/$aws/certificates/create/*", "topic/$aws/certificates/create/cbor*");
    let mut client = gate.connect(&with_policy(&gate, &denied).await, "dev").await;
    assert_eq!(client.try_publish(CREATE, "{}").await, 0x87);
    assert_eq!(client.try_publish("$aws/provisioning-templates/other/provision/json", "{}").await, 0x87);
    client.hears_nothing().await;
    assert_eq!(gate.provisioned("CreateKeysAndCertificate", "Accepted"), 0);
    client.fresh().await;
}

#[tokio::test]
async fn who_may_not_receive_gets_no_answer() {
    let gate = with_template(&json!({})).await;
    let deaf = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"},
        {"Effect":"Deny","Action":"iot:Receive","Resource":"*"}]}"#;
    let mut client = gate.connect(&with_policy(&gate, deaf).await, "dev").await;
    assert_eq!(client.try_publish(CREATE, "").await, 0);
    gate.until(|gate| gate.metric("gatehouse_messages_withheld_total") == 1).await;
    client.hears_nothing().await;
    assert_eq!(gate.provisioned("CreateKeysAndCertificate", "Accepted"), 1);
}

#[tokio::test]
async fn nobody_speaks_for_the_service() {
    let (gate, mut liar) = story().await;
    let mut victim = gate.client("victim").await;
    let topics = [
        "$aws/certificates/create/json/accepted",
        "$aws/certificates/create-from-csr/cbor/rejected",
        "$aws/provisioning-templates/fleet/provision/json/accepted",
    ];
    for topic in topics {
        victim.subscribe(topic).await;
        assert_eq!(liar.try_publish(topic, "{}").await, 0x90, "{topic}");
    }
    let Packet::Publish(mut retained) = publish(Delivery::AtLeastOnce(id(900)), CREATE, "") else { panic!() };
    retained.retain = true;
    liar.send(&Packet::Publish(retained)).await;
    match liar.receive().await {
        Some(Packet::PubAck(ack)) => assert_eq!(ack.reason.value(), 0x90),
        other => panic!("{other:?}"),
    }
    victim.hears_nothing().await;
    assert_eq!(gate.provisioned("CreateKeysAndCertificate", "Accepted"), 0);
}

/// A publish that is written down before it is acknowledged does not let a request behind it pass ([MQTT-4.6.0-2]).
async fn a_receipt_comes_in_the_order_of_the_publishes(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    let properties = ConnectProperties { session_expiry_interval: Some(600), ..ConnectProperties::default() };
    let lasting = Connect { clean_start: false, properties, ..Connect::new(Version::V5, text("sleeper")) };
    let mut sleeper = gate.call(&gate.device().await).connect_with(lasting).await.accepted();
    sleeper.subscribe("written").await;
    let mut client = gate.client("dev").await;
    for round in 0..10 {
        let mut out = bytes::BytesMut::new();
        let numbers: Vec<u16> = (1..=6).map(|number| round * 10 + number).collect();
        for number in &numbers {
            // What is asked cannot be read, which is answered at once.
            let (topic, payload) = if number % 2 == 1 { ("written", "x") } else { (CREATE, "[") };
            let packet = publish(Delivery::AtLeastOnce(id(*number)), topic, payload);
            gatehouse_mqtt::encode(&packet, Version::V5, &mut out).unwrap();
        }
        client.write(&out).await.unwrap();
        let (mut receipts, mut answers) = (Vec::new(), 0);
        while receipts.len() < 6 || answers < 3 {
            match client.receive().await {
                Some(Packet::PubAck(ack)) => receipts.push(ack.packet_id.get()),
                Some(Packet::Publish(answer)) => {
                    answers += 1;
                    assert!(answered(CREATE, &answer).is_err());
                    client.acknowledge(answer.delivery.packet_id().unwrap()).await;
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(receipts, numbers);
    }
}

#[tokio::test]
async fn a_key_pair_of_another_account_is_made_in_that_account() {
    let (gate, mut here) = story().await;
    let stranger = Device::with_key(Key::P256);
    gate.enrol(&stranger, other()).await;
    let mut there = gate.call(&stranger).at(host(other())).connect("there").await.accepted();
    let (mine, theirs) = (here.fresh().await.device.id, there.fresh().await.device.id);
    let store = &gate.house.store;
    for (scope, id, is_there) in [(home(), mine, true), (home(), theirs, false), (other(), theirs, true)] {
        assert_eq!(store.certificate(scope, id).await.unwrap().is_some(), is_there);
    }
    // The other account has no such template.
    let fresh = there.fresh().await;
    assert_eq!(there.not_registered(&fresh.token, "lamp").await, "ResourceNotFound");
}

#[tokio::test]
async fn a_websocket_of_an_access_key_may_ask_as_well() {
    let (gate, _) = story().await;
    let key = gate.access_key(Some(ALLOW_ALL), None).await;
    let mut socket = gate.websocket(&key, "tool").await;
    let mut out = bytes::BytesMut::new();
    gatehouse_mqtt::encode(&publish(Delivery::AtMostOnce, CREATE, "[1"), Version::V311, &mut out).unwrap();
    socket.send_frame(&out).await;
    gate.until(|gate| gate.provisioned("CreateKeysAndCertificate", "InvalidPayload") == 1).await;
}
