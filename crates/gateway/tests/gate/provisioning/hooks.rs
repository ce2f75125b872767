//! Pre-provisioning hooks: asked before anything is registered, told exactly what is wanted, and obeyed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gatehouse_domain::certificate::CertificateStatus;
use gatehouse_domain::limits;
use gatehouse_mqtt::Delivery;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{assert_nothing_is_left, story, thing};
use crate::harness::{
    FunctionServer, HOOK, HeldTime, PROVISION, Said, allows, answered, home, publish, registration, template,
};

const DENIED: &str = "AccessDenied";

#[tokio::test]
async fn a_hook_is_told_who_wants_what() {
    let (gate, _) = story().await;
    let claim = gate.device().await;
    let mut newborn = gate.connect(&claim, "new/born").await;
    let fresh = newborn.fresh().await;
    let hook = gate.hook(|_| allows()).await;
    let parameters = json!({ "SerialNumber": "lamp", "undeclared": "\u{e9}\n" });
    let request = json!({ "certificateOwnershipToken": fresh.token, "parameters": parameters });
    newborn.ask_service(PROVISION, &request).await.unwrap();
    let expected = json!({
        "claimCertificateId": claim.id.to_string(),
        "certificateId": fresh.device.id.to_string(),
        "certificatePem": gate.house.store.certificate_pem(home(), fresh.device.id).await.unwrap(),
        "templateArn": "arn:aws:iot:us-east-1:000000000000:provisioningtemplate/fleet",
        "clientId": "new/born",
        "parameters": parameters,
    });
    assert_eq!(hook.heard(), [expected]);
}

#[tokio::test]
async fn a_hook_has_the_last_word_on_parameters() {
    let (gate, mut newborn) = story().await;
    let body = template(&json!({
        "Parameters": { "Site": { "Type": "String" } },
        "DeviceConfiguration": { "site": { "Ref": "Site" } },
    }));
    let current = gate.registrar.template(home(), "fleet").await;
    let now = current.created_at;
    let write = |batch: &mut gatehouse_store::Batch| {
        batch.insert_provisioning_template_version(&current, &body.to_string(), true, now);
    };
    gate.registrar.write(write).await;
    let fresh = newborn.fresh().await;
    let overrides = json!({ "SerialNumber": "lamp-of-the-hook", "Site": "north", "unknown": "" });
    let _hook =
        gate.hook(move |_| Said::Json(json!({ "allowProvisioning": true, "parameterOverrides": overrides }))).await;
    let registered = newborn.register(&fresh.token, "lamp").await.unwrap();
    assert_eq!(registered, json!({ "deviceConfiguration": { "site": "north" }, "thingName": "lamp-of-the-hook" }));
    assert_eq!(gate.house.store.thing(home(), &thing("lamp")).await.unwrap(), None);
    gate.connect(&fresh.device, "lamp-of-the-hook").await.publish("lamp-of-the-hook/a", "").await;
}

#[tokio::test]
async fn what_is_no_plain_yes_is_a_no() {
    let (gate, mut newborn) = story().await;
    let fresh = newborn.fresh().await;
    let answers: Vec<fn() -> Said> = vec![
        || Said::Json(json!({ "allowProvisioning": false, "parameterOverrides": { "SerialNumber": "x" } })),
        || Said::Json(json!({})),
        || Said::Json(Value::Null),
        || Said::Json(json!({ "allowProvisioning": "true" })),
        || Said::Json(json!({ "allowProvisioning": true, "parameterOverrides": { "SerialNumber": 7 } })),
        || Said::Status(200),
        || Said::Status(500),
        || Said::Status(302),
        || Said::Long(limits::FUNCTION_ANSWER_BYTES),
    ];
    for (number, say) in answers.into_iter().enumerate() {
        let hook = gate.hook(move |_| say()).await;
        let refused = newborn.register(&fresh.token, "lamp").await.unwrap_err();
        assert_eq!((&refused["errorCode"], &refused["statusCode"]), (&json!(DENIED), &json!(403)), "{number}");
        assert!(!refused.to_string().contains("lambda"), "a device need not know the function: {refused}");
        assert_eq!(hook.heard().len(), 1);
    }
    // Nobody there; and nobody known.
    let gone = {
        let server = FunctionServer::new(|_| allows()).await;
        server.function()
    };
    gate.house.functions.put(HOOK.parse().unwrap(), gone);
    assert_eq!(newborn.not_registered(&fresh.token, "lamp").await, DENIED);
    gate.name_hook(&format!("{HOOK}-unknown")).await;
    assert_eq!(newborn.not_registered(&fresh.token, "lamp").await, DENIED);
    // One of another account: such an entry does not come through the API.
    let elsewhere = HOOK.replace("000000000000", "210987654321");
    gate.house.functions.put(elsewhere.parse().unwrap(), FunctionServer::new(|_| allows()).await.function());
    gate.name_hook(&elsewhere).await;
    assert_eq!(newborn.not_registered(&fresh.token, "lamp").await, DENIED);
    assert_nothing_is_left(&gate, &fresh.device, "lamp").await;
    assert_eq!(gate.provisioned("RegisterThing", DENIED), 12);
    // The token is as good as before.
    let _hook = gate.hook(|_| allows()).await;
    newborn.register(&fresh.token, "lamp").await.unwrap();
}

#[tokio::test]
async fn a_hook_that_says_nothing_is_waited_for_for_five_seconds() {
    let time = HeldTime::hold().await;
    let (gate, mut newborn) = story().await;
    let fresh = newborn.fresh().await;
    let hook = gate.hook(|_| Said::Nothing).await;
    let body = registration(&fresh.token, "lamp").to_string();
    newborn.send(&publish(Delivery::AtMostOnce, PROVISION, &body)).await;
    gate.until(|_| hook.heard().len() == 1).await;
    time.pass(Duration::from_millis(4_900)).await;
    // Meanwhile the session goes on.
    newborn.hears_nothing().await;
    time.pass(Duration::from_millis(200)).await;
    let refused = answered(PROVISION, &newborn.message().await).unwrap_err();
    assert_eq!(refused["errorCode"], DENIED);
    assert_nothing_is_left(&gate, &fresh.device, "lamp").await;
}

#[tokio::test]
async fn nobody_is_asked_about_what_cannot_be() {
    let (gate, mut newborn) = story().await;
    let hook = gate.hook(|_| allows()).await;
    let fresh = newborn.fresh().await;
    let not_registered = [newborn.not_registered("", "lamp").await, newborn.not_registered("x", "lamp").await];
    assert_eq!(not_registered, ["InvalidCertificateOwnershipToken"; 2]);
    gate.registrar.change_template("fleet", |template| template.enabled = false).await;
    assert_eq!(newborn.not_registered(&fresh.token, "lamp").await, "TemplateDisabled");
    gate.registrar.change_template("fleet", |template| template.enabled = true).await;
    let used = newborn.fresh().await;
    newborn.register(&used.token, "lamp").await.unwrap();
    assert_eq!(hook.heard().len(), 1);
    newborn.not_registered(&used.token, "lamp").await;
    gate.registrar.revoke(home(), fresh.device.id).await;
    assert_eq!(newborn.not_registered(&fresh.token, "lamp").await, "ResourceRegistrationFailure");
    let deleted = newborn.fresh().await;
    gate.registrar.delete(home(), deleted.device.id).await;
    newborn.not_registered(&deleted.token, "lamp").await;
    assert_eq!(hook.heard().len(), 1);
}

#[tokio::test]
async fn a_certificate_that_is_revoked_while_its_hook_thinks_stays_revoked() {
    let (gate, mut newborn) = story().await;
    let fresh = newborn.fresh().await;
    let thinking = Arc::new(Semaphore::new(0));
    let gate_of_hook = Arc::clone(&thinking);
    let hook = gate.hook(move |_| Said::Later(Arc::clone(&gate_of_hook), json!({ "allowProvisioning": true }))).await;
    let body = registration(&fresh.token, "lamp").to_string();
    newborn.send(&publish(Delivery::AtMostOnce, PROVISION, &body)).await;
    gate.until(|_| hook.heard().len() == 1).await;
    gate.registrar.revoke(home(), fresh.device.id).await;
    thinking.add_permits(1);
    let refused = answered(PROVISION, &newborn.message().await).unwrap_err();
    assert_eq!(refused["errorCode"], "ResourceRegistrationFailure");
    let record = gate.house.store.certificate(home(), fresh.device.id).await.unwrap().unwrap();
    assert_eq!((record.status, record.policy_count), (CertificateStatus::Revoked, 0));
    assert_eq!(gate.house.store.thing(home(), &thing("lamp")).await.unwrap(), None);
}

#[tokio::test]
async fn too_many_calls_of_functions_are_no_refusal() {
    let (gate, mut newborn) = story().await;
    let fresh = newborn.fresh().await;
    let busy = FunctionServer::new(|_| Said::Nothing).await;
    let slow = "arn:aws:lambda:us-east-1:000000000000:function:slow";
    gate.house.functions.put(slow.parse().unwrap(), busy.function());
    let _hook = gate.hook(|_| allows()).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..limits::FUNCTION_CALLS_PER_SCOPE {
        let (house, is_over) = (Arc::clone(&gate.house), Arc::clone(&is_over));
        calls.spawn(async move {
            let _said = house.functions.invoke(home(), &slow.parse().unwrap(), &Value::Null).await;
            is_over.store(true, Ordering::SeqCst);
        });
    }
    gate.until(|_| busy.heard().len() == limits::FUNCTION_CALLS_PER_SCOPE).await;
    let refused = newborn.not_registered(&fresh.token, "lamp").await;
    assert!(!is_over.load(Ordering::SeqCst));
    assert_eq!(refused, "Throttling");
    calls.shutdown().await;
    newborn.register(&fresh.token, "lamp").await.unwrap();
}
