//! What devices send that is no request, more requests than there is room for, and the ways on which none is taken.

use std::sync::Arc;

use gatehouse_domain::fleet_provisioning::NEEDS_A_CONNECTION;
use gatehouse_domain::limits;
use gatehouse_mqtt::packet::{Connect, ConnectProperties, Publish, Will};
use gatehouse_mqtt::{Delivery, MessageProperties, Qos, Version};
use gatehouse_store::Page;
use serde_json::json;
use tokio::sync::Semaphore;

use super::{story, thing};
use crate::harness::{
    CREATE, CREATE_FROM_CSR, Client, Device, FunctionServer, Gate, Key, PROVISION, Said, answered, home, host, other,
    publish, registration, text,
};

const CBOR: &str = "$aws/certificates/create-from-csr/cbor";

#[tokio::test]
async fn what_is_no_request_is_refused_and_the_session_goes_on() {
    let (gate, mut newborn) = story().await;
    let deep = "{\"a\":".repeat(10_000);
    let long_text = format!("\"{}\"", "\\n".repeat(60_000));
    let long_name = format!("{{\"{}\":\"\"}}", "n".repeat(100_000));
    let huge = format!("{{\"certificateSigningRequest\":\"{}\"}}", "x".repeat(120_000));
    let json = [
        (CREATE, "[]", "InvalidPayload"),
        (CREATE, "null", "InvalidPayload"),
        (CREATE, "{\"clientToken\":\"a\"}", "InvalidPayload"),
        (CREATE, "{\"a\":{}}", "InvalidPayload"),
        (CREATE, "{} {}", "InvalidPayload"),
        (CREATE, "\u{feff}{}", "InvalidPayload"),
        (CREATE, deep.as_str(), "InvalidPayload"),
        (CREATE, long_text.as_str(), "InvalidPayload"),
        (CREATE, long_name.as_str(), "InvalidPayload"),
        (CREATE_FROM_CSR, "", "InvalidCsr"),
        (CREATE_FROM_CSR, "{}", "InvalidCsr"),
        (CREATE_FROM_CSR, "{\"certificateSigningRequest\":7}", "InvalidPayload"),
        (CREATE_FROM_CSR, "{\"certificateSigningRequest\":null}", "InvalidPayload"),
        (CREATE_FROM_CSR, "{\"certificateSigningRequest\":{}}", "InvalidPayload"),
        (CREATE_FROM_CSR, "{\"CertificateSigningRequest\":\"x\"}", "InvalidPayload"),
        (
            CREATE_FROM_CSR,
            "{\"certificateSigningRequest\":\"a\",\"certificateSigningRequest\":\"b\"}",
            "InvalidPayload",
        ),
        (CREATE_FROM_CSR, huge.as_str(), "InvalidCsr"),
        (PROVISION, "{\"parameters\":\"x\"}", "InvalidPayload"),
        (PROVISION, "{\"parameters\":[]}", "InvalidPayload"),
        (PROVISION, "{\"parameters\":{\"a\":1}}", "InvalidPayload"),
        (PROVISION, "{\"parameters\":{\"a\":{\"b\":\"c\"}}}", "InvalidPayload"),
        (PROVISION, "{\"parameters\":{\"a\":\"1\",\"a\":\"2\"}}", "InvalidPayload"),
        (PROVISION, "{\"templateName\":\"other\"}", "InvalidPayload"),
        (PROVISION, "{\"templateName\":{}}", "InvalidPayload"),
        // What the topic says may be said again.
        (PROVISION, "{\"templateName\":\"fleet\"}", "InvalidCertificateOwnershipToken"),
    ];
    for (topic, payload, code) in json {
        let answer = newborn.request(topic, payload.as_bytes(), Qos::AtLeastOnce).await;
        assert!(answer.payload.len() < 2_000, "{}", answer.payload.len());
        let refused = answered(topic, &answer).unwrap_err();
        assert_eq!(refused["errorCode"], code, "{topic} {}", &payload[..payload.len().min(80)]);
    }
    let endless_maps = [0xbf, 0x61, b'a'].repeat(40_000);
    let csr_of = |value: &[u8]| [&[0xa1, 0x78, 25][..], b"certificateSigningRequest", value].concat();
    let cbor: [(Vec<u8>, &str); 10] = [
        (b"{}".to_vec(), "InvalidPayload"),
        (vec![0xf6], "InvalidPayload"),
        (vec![0xa0, 0xa0], "InvalidPayload"),
        (endless_maps, "InvalidPayload"),
        (vec![0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "InvalidPayload"),
        (csr_of(&[0x01]), "InvalidPayload"),
        (csr_of(&[0x41, b'x']), "InvalidPayload"),
        (csr_of(&[0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), "InvalidPayload"),
        // Of a length that is told late, it can be read.
        (csr_of(&[0x7f, 0x61, b'x', 0xff]), "InvalidCsr"),
        (vec![], "InvalidCsr"),
    ];
    for (payload, code) in cbor {
        let answer = newborn.request(CBOR, &payload, Qos::AtMostOnce).await;
        let refused = answered(CBOR, &answer).unwrap_err();
        assert_eq!(refused["errorCode"], code, "{:x?}", &payload[..payload.len().min(20)]);
        assert_eq!(refused["statusCode"], 400);
    }
    newborn.fresh().await;
    assert_eq!(gate.provisioned("CreateKeysAndCertificate", "InvalidPayload"), 9);
    assert_eq!(gate.provisioned("RegisterThing", "InvalidPayload"), 7);
}

/// Sends requests to register one after another, without waiting for an answer.
async fn send_registrations(client: &mut Client, tokens: &[String], prefix: &str) {
    for (number, token) in tokens.iter().enumerate() {
        let body = registration(token, &format!("{prefix}-{number}")).to_string();
        client.send(&publish(Delivery::AtMostOnce, PROVISION, &body)).await;
    }
}

async fn tokens(client: &mut Client, count: usize) -> Vec<String> {
    let mut tokens = Vec::new();
    for _ in 0..count {
        tokens.push(client.fresh().await.token);
    }
    tokens
}

/// Gives `fleet` a hook that allows when the semaphore has a permit.
async fn thinking_hook(gate: &Gate) -> (FunctionServer, Arc<Semaphore>) {
    let thinking = Arc::new(Semaphore::new(0));
    let semaphore = Arc::clone(&thinking);
    let allows = json!({ "allowProvisioning": true });
    (gate.hook(move |_| Said::Later(Arc::clone(&semaphore), allows.clone())).await, thinking)
}

fn is_accepted(answer: &Publish) -> bool {
    answer.topic.as_str().ends_with("/accepted")
}

#[tokio::test]
async fn a_connection_has_so_many_requests_under_way() {
    let (gate, mut newborn) = story().await;
    let most = limits::PROVISIONING_PER_CONNECTION;
    let tokens = tokens(&mut newborn, most + 1).await;
    let (hook, thinking) = thinking_hook(&gate).await;
    send_registrations(&mut newborn, &tokens, "lamp").await;
    let refused = answered(PROVISION, &newborn.message().await).unwrap_err();
    assert_eq!((&refused["errorCode"], &refused["statusCode"]), (&json!("Throttling"), &json!(429)));
    gate.until(|_| hook.heard().len() == most).await;
    thinking.add_permits(most);
    for _ in 0..most {
        assert!(is_accepted(&newborn.message().await));
    }
    // Then there is room again, and the token is as good as before.
    thinking.add_permits(1);
    newborn.register(&tokens[most], "late").await.unwrap();
}

#[tokio::test]
async fn a_scope_that_is_full_lets_others_wait_in_line() {
    let (gate, _) = story().await;
    let claim = gate.device().await;
    let per_connection = limits::PROVISIONING_PER_CONNECTION;
    let mut clients = Vec::new();
    for number in 0..limits::PROVISIONING_AT_ONCE / per_connection {
        let mut client = gate.connect(&claim, &format!("dev-{number}")).await;
        let tokens = tokens(&mut client, per_connection).await;
        clients.push((client, tokens));
    }
    let (hook, thinking) = thinking_hook(&gate).await;
    for (number, (client, tokens)) in clients.iter_mut().enumerate() {
        send_registrations(client, tokens, &format!("lamp-{number}")).await;
    }
    gate.until(|_| hook.heard().len() == limits::PROVISIONING_AT_ONCE).await;
    let mut late = gate.connect(&claim, "late").await;
    late.send(&publish(Delivery::AtMostOnce, CREATE, "")).await;
    late.hears_nothing().await;
    // Another account has its own room.
    let stranger = Device::with_key(Key::P256);
    gate.enrol(&stranger, other()).await;
    let there = gate.call(&stranger).at(host(other()));
    there.connect("there").await.accepted().fresh().await;
    assert_eq!(gate.provisioned("CreateKeysAndCertificate", "Accepted"), 0);
    thinking.add_permits(limits::PROVISIONING_AT_ONCE);
    assert!(is_accepted(&late.message().await));
    for (mut client, tokens) in clients {
        for _ in tokens {
            assert!(is_accepted(&client.message().await));
        }
    }
}

#[tokio::test]
async fn what_was_asked_for_is_done_though_the_device_is_gone() {
    let (gate, _) = story().await;
    let claim = gate.device().await;
    let mut newborn = gate.connect(&claim, "newborn").await;
    let tokens = tokens(&mut newborn, 1).await;
    let (hook, thinking) = thinking_hook(&gate).await;
    send_registrations(&mut newborn, &tokens, "lamp").await;
    gate.until(|_| hook.heard().len() == 1).await;
    let connections = gate.connections();
    newborn.vanish();
    gate.until(|gate| gate.connections() < connections).await;
    thinking.add_permits(1);
    gate.until(|gate| gate.provisioned("RegisterThing", "Accepted") == 1).await;
    assert!(gate.house.store.thing(home(), &thing("lamp-0")).await.unwrap().is_some());
    // Who has its client id now does not get the answer.
    gate.connect(&claim, "newborn").await.hears_nothing().await;
}

#[tokio::test]
async fn what_a_claim_asked_for_before_it_was_revoked_is_not_done() {
    let (gate, _) = story().await;
    let claim = gate.device().await;
    let mut newborn = gate.connect(&claim, "newborn").await;
    let tokens = tokens(&mut newborn, 1).await;
    let (hook, thinking) = thinking_hook(&gate).await;
    send_registrations(&mut newborn, &tokens, "lamp").await;
    gate.until(|_| hook.heard().len() == 1).await;
    gate.registrar.revoke(home(), claim.id).await;
    newborn.until_closed().await;
    gate.until(|gate| gate.connections() == 0).await;
    thinking.add_permits(1);
    // Whoever asks after it is served; it is not.
    let other = gate.device().await;
    let mut next = gate.connect(&other, "next").await;
    let fresh = next.fresh().await;
    thinking.add_permits(1);
    next.register(&fresh.token, "1").await.unwrap();
    assert_eq!(gate.provisioned("RegisterThing", "Accepted"), 1);
    assert_eq!(gate.house.store.thing(home(), &thing("lamp-0")).await.unwrap(), None);
}

#[tokio::test]
async fn only_mqtt_takes_requests_and_no_will_does() {
    let (gate, _) = story().await;
    let device = gate.device().await;
    let mut https = gate.https_call(&device).tls().await.unwrap();
    for topic in [CREATE, CREATE_FROM_CSR, PROVISION] {
        let response = https.ask("POST", &format!("/topics/{topic}?qos=1"), "", "{}").await.unwrap();
        assert_eq!(response.status, 400, "{response:?}");
        assert!(response.body.contains(NEEDS_A_CONNECTION), "{}", response.body);
        let will = Will {
            topic: text(topic),
            payload: "{}".into(),
            qos: Qos::AtLeastOnce,
            retain: false,
            delay_interval: None,
            properties: MessageProperties::NONE,
        };
        let connect = Connect { will: Some(will), ..Connect::new(Version::V5, text("mortal")) };
        let refused = gate.call(&device).connect_with(connect).await.explained();
        assert!(refused.1.contains(NEEDS_A_CONNECTION), "{refused:?}");
    }
    assert_eq!(gate.house.store.certificates(home(), Page::first(250)).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_client_that_takes_small_packets_gets_the_answers_that_fit() {
    let (gate, _) = story().await;
    let properties = ConnectProperties { maximum_packet_size: Some(1_000), ..ConnectProperties::default() };
    let connect = Connect { properties, ..Connect::new(Version::V5, text("small")) };
    let mut small = gate.call(&gate.device().await).connect_with(connect).await.accepted();
    assert_eq!(small.try_publish(CREATE, "").await, 0);
    gate.until(|gate| gate.provisioned("CreateKeysAndCertificate", "Accepted") == 1).await;
    small.hears_nothing().await;
    assert_eq!(small.rejected(PROVISION, &json!({})).await, "InvalidCertificateOwnershipToken");
}
