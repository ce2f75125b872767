//! AttachThingPrincipal.

use serde_json::json;

use crate::client::{Api, Ask};
use crate::harness::on_both_engines;
use crate::samples::{COGNITO_IDENTITY, UNKNOWN_ID};

on_both_engines!(
    a_certificate_is_attached_to_many_things,
    an_exclusive_certificate_belongs_to_one_thing,
    a_thing_may_hold_several_exclusive_certificates,
    what_cannot_be_attached_is_refused,
);

fn attach(api: &Api, thing: &str, of_type: &str, principal: &str) -> Ask {
    api.put(format!("/things/{thing}/principals{of_type}")).header("x-amzn-principal", principal)
}

async fn a_certificate_is_attached_to_many_things(api: Api) {
    api.thing("a").await;
    api.thing("b").await;
    let certificate = api.certificate().await;
    // The status does not matter.
    api.put(format!("/certificates/{}?newStatus=REVOKED", certificate.id)).quietly().ok().await;
    assert_eq!(attach(&api, "a", "", &certificate.arn).ok().await, json!({}));
    assert_eq!(attach(&api, "a", "?thingPrincipalType=NON_EXCLUSIVE_THING", &certificate.arn).ok().await, json!({}));
    attach(&api, "b", "", &certificate.arn).ok().await;
    let things = api.get("/principals/things").header("x-amzn-principal", &certificate.arn).ok().await;
    assert_eq!(things["things"], json!(["a", "b"]));
    api.snapshot("attach_thing_principal");
}

async fn an_exclusive_certificate_belongs_to_one_thing(api: Api) {
    api.thing("a").await;
    api.thing("b").await;
    let (exclusive, shared) = (api.certificate().await, api.certificate().await);
    let only = "?thingPrincipalType=EXCLUSIVE_THING";
    attach(&api, "a", only, &exclusive.arn).ok().await;
    attach(&api, "a", only, &exclusive.arn).ok().await;
    attach(&api, "a", "", &exclusive.arn).invalid().await;
    attach(&api, "b", "", &exclusive.arn).invalid().await;
    attach(&api, "b", only, &exclusive.arn).invalid().await;
    attach(&api, "a", "", &shared.arn).ok().await;
    attach(&api, "a", only, &shared.arn).invalid().await;
    attach(&api, "b", only, &shared.arn).invalid().await;
    // Detached, it is free again.
    api.delete("/things/a/principals").header("x-amzn-principal", &exclusive.arn).ok().await;
    attach(&api, "b", "", &exclusive.arn).ok().await;
    api.snapshot("attach_thing_principal_exclusive");
}

async fn a_thing_may_hold_several_exclusive_certificates(api: Api) {
    api.thing("a").await;
    for _ in 0..2 {
        let certificate = api.certificate().await;
        attach(&api, "a", "?thingPrincipalType=EXCLUSIVE_THING", &certificate.arn).ok().await;
    }
    let held = api.get("/things/a/principals-v2?thingPrincipalType=EXCLUSIVE_THING").quietly().ok().await;
    assert_eq!(held["thingPrincipalObjects"].as_array().unwrap().len(), 2);
}

async fn what_cannot_be_attached_is_refused(api: Api) {
    api.thing("a").await;
    let certificate = api.certificate().await;
    attach(&api, "nope", "", &certificate.arn).refused(404, "ResourceNotFoundException").await;
    let unknown = api.arn(&format!("cert/{UNKNOWN_ID}"));
    attach(&api, "a", "", &unknown).refused(404, "ResourceNotFoundException").await;
    for principal in [&*api.arn("thing/a"), &*api.arn("thinggroup/g"), "a", "", COGNITO_IDENTITY] {
        attach(&api, "a", "", principal).invalid().await;
    }
    attach(&api, "a", "?thingPrincipalType=SOMETIMES", &certificate.arn).invalid().await;
    api.put("/things/a/principals").invalid().await;
    api.snapshot("attach_thing_principal_refused");
}
