//! Fleet provisioning: a device comes in with a claim, gets a certificate, registers a thing with it, and comes back as
//! part of the fleet.

mod answers;
mod certificates;
mod claims;
mod hooks;
mod payloads;
mod templates;
mod tokens;

use gatehouse_domain::certificate::CertificateStatus;
use gatehouse_domain::name::ThingName;
use gatehouse_mqtt::{Qos, Version};
use gatehouse_store::Page;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};

use crate::harness::{
    CREATE, CREATE_FROM_CSR, Client, Db, Device, Gate, Key, PROVISION, Registrar, Setup, answered, csr, home,
    on_both_engines, registration, template,
};

on_both_engines!(a_device_becomes_part_of_the_fleet, a_device_that_is_part_of_the_fleet_gets_another_certificate);

/// The policy of a claim as AWS documents it, for the template `fleet`, with requests for keys of the device's own.
const CLAIM_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"iot:Connect","Resource":"*"},
    {"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":[
        "arn:aws:iot:us-east-1:000000000000:topic/$aws/certificates/create/*",
        "arn:aws:iot:us-east-1:000000000000:topic/$aws/certificates/create-from-csr/*",
        "arn:aws:iot:us-east-1:000000000000:topic/$aws/provisioning-templates/fleet/provision/*"]},
    {"Effect":"Allow","Action":"iot:Subscribe","Resource":[
        "arn:aws:iot:us-east-1:000000000000:topicfilter/$aws/certificates/create/*",
        "arn:aws:iot:us-east-1:000000000000:topicfilter/$aws/certificates/create-from-csr/*",
        "arn:aws:iot:us-east-1:000000000000:topicfilter/$aws/provisioning-templates/fleet/provision/*"]}]}"#;

/// A device at home with the policy `document` alone.
async fn with_policy(gate: &Gate, document: &str) -> Device {
    let device = Device::with_key(Key::P256);
    let name = format!("of-{}", device.id);
    gate.registrar.make_policy(home(), &name, document).await;
    gate.registrar.register(&Registrar::record(home(), device.id)).await;
    gate.registrar.attach(home(), &name, device.id).await;
    device
}

/// A gate with the template `fleet`, which has `more`.
async fn with_template(more: &Value) -> Gate {
    let gate = Gate::open().await;
    gate.registrar.make_template(home(), "fleet", &template(more)).await;
    gate
}

/// A gate with the template `fleet`, and a claim that is connected.
async fn story() -> (Gate, Client) {
    let gate = with_template(&json!({})).await;
    let client = gate.client("newborn").await;
    (gate, client)
}

fn thing(name: &str) -> ThingName {
    name.parse().unwrap()
}

/// Nothing is left of an attempt to register `serial` with `device`'s certificate, which waits as before.
async fn assert_nothing_is_left(gate: &Gate, device: &Device, serial: &str) {
    let store = &gate.house.store;
    let record = store.certificate(home(), device.id).await.unwrap().unwrap();
    assert_eq!((record.status, record.policy_count, record.thing_count), (CertificateStatus::PendingActivation, 0, 0));
    assert!(store.unclaimed_certificate(home(), device.id).await.unwrap().is_some());
    assert_eq!(store.thing(home(), &thing(serial)).await.unwrap(), None);
    // The policies that tests make themselves.
    let policies = store.policies(home(), Page::first(250)).await.unwrap();
    let made: Vec<_> = policies.iter().filter(|policy| policy.name.as_str().len() == 40).collect();
    assert!(made.is_empty(), "{made:?}");
}

async fn a_device_becomes_part_of_the_fleet(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    let configuration = json!({ "url": "https://devices.test", "serial": { "Ref": "SerialNumber" } });
    let body = template(&json!({ "DeviceConfiguration": configuration }));
    gate.registrar.make_template(home(), "fleet", &body).await;
    let claim = with_policy(&gate, CLAIM_POLICY).await;

    let mut number = 0;
    for version in [Version::V311, Version::V5] {
        for (format, qos) in [("json", Qos::AtMostOnce), ("cbor", Qos::AtLeastOnce)] {
            for has_own_key in [false, true] {
                number += 1;
                let serial = format!("lamp-{number}");
                let topic = |topic: &str| topic.replace("json", format);
                let mut call = gate.call(&claim);
                call.mqtt = version;
                let mut newborn = call.connect("newborn").await.accepted();

                let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
                let (create, body) = match has_own_key {
                    true => (topic(CREATE_FROM_CSR), json!({ "certificateSigningRequest": csr(&key) })),
                    false => (topic(CREATE), json!({})),
                };
                let made = newborn.ask_service(&create, &body).await.unwrap();
                let members: Vec<&String> = made.as_object().unwrap().keys().collect();
                let device = if has_own_key {
                    assert_eq!(members, ["certificateId", "certificateOwnershipToken", "certificatePem"]);
                    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
                    Device::of(made["certificatePem"].as_str().unwrap(), key.into())
                } else {
                    assert_eq!(members, ["certificateId", "certificateOwnershipToken", "certificatePem", "privateKey"]);
                    Device::of_answer(&made)
                };
                assert_eq!(made["certificateId"], device.id.to_string());
                // It waits, and opens nothing.
                let refused = gate.call(&device).connect(&serial).await.explained();
                assert!(refused.1.contains("PENDING_ACTIVATION"), "{refused:?}");

                let token = made["certificateOwnershipToken"].as_str().unwrap();
                let request = registration(token, &serial);
                let provision = topic(PROVISION);
                let registered = match (format, qos) {
                    ("json", qos) => {
                        let answer = newborn.request(&provision, request.to_string().as_bytes(), qos).await;
                        // As it was asked.
                        assert_eq!(answer.delivery.qos(), qos);
                        answered(&provision, &answer)
                    }
                    _ => newborn.ask_service(&provision, &request).await,
                };
                let configuration = json!({ "url": "https://devices.test", "serial": serial });
                assert_eq!(registered, Ok(json!({ "deviceConfiguration": configuration, "thingName": serial })));
                newborn.hears_nothing().await;

                // Under its thing's name, and for its thing alone.
                let refused = gate.call(&device).connect("another").await.explained();
                assert_eq!(refused.0, 0x87);
                let mut lamp = gate.call(&device).connect(&serial).await.accepted();
                assert_eq!(lamp.try_publish(&format!("{serial}/data"), "on").await, 0);
                assert_eq!(lamp.try_publish("lamp/data", "on").await, 0x87);
                assert_eq!(lamp.try_publish(CREATE, "").await, 0x87);
            }
        }
    }
    assert_eq!(gate.provisioned("CreateKeysAndCertificate", "Accepted"), 4);
    assert_eq!(gate.provisioned("CreateCertificateFromCsr", "Accepted"), 4);
    assert_eq!(gate.provisioned("RegisterThing", "Accepted"), 8);
}

/// Rotation: what may use the topics is whoever a policy lets, a device with its own certificate as well.
async fn a_device_that_is_part_of_the_fleet_gets_another_certificate(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    gate.registrar.make_template(home(), "fleet", &template(&json!({}))).await;
    let mut newborn = gate.client("newborn").await;
    let first = newborn.fresh().await;
    newborn.register(&first.token, "lamp").await.unwrap();

    gate.registrar.make_policy(home(), "rotation", CLAIM_POLICY).await;
    gate.registrar.attach(home(), "rotation", first.device.id).await;
    let mut lamp = gate.connect(&first.device, "lamp").await;
    let second = lamp.fresh().await;
    lamp.register(&second.token, "lamp").await.unwrap();
    // The one does not end the other until somebody says so.
    assert_eq!(lamp.try_publish("lamp/data", "").await, 0);
    let mut renewed = gate.connect(&second.device, "lamp").await;
    assert_eq!(renewed.try_publish("lamp/data", "").await, 0);
    gate.registrar.revoke(home(), first.device.id).await;
    renewed.hears_nothing().await;
    let record = gate.house.store.thing(home(), &thing("lamp")).await.unwrap().unwrap();
    assert_eq!((record.principal_count, record.version), (2, 1));
}
