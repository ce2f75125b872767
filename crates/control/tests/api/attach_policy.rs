//! AttachPolicy.

use serde_json::json;

use crate::client::{Api, encoded};
use crate::harness::{OTHER_REGION, on_both_engines};
use crate::samples::{COGNITO_IDENTITY, UNKNOWN_ID};

on_both_engines!(a_policy_is_attached_once, what_cannot_be_attached_is_refused, a_certificate_has_ten_policies_at_most);

async fn a_policy_is_attached_once(api: Api) {
    api.policy("p").await;
    let certificate = api.certificate().await;
    let attach = || api.put("/target-policies/p").json(json!({ "target": certificate.arn }));
    assert_eq!(attach().ok().await, json!({}));
    // Again, and with the digits of the id in capitals: it is the same certificate.
    assert_eq!(attach().ok().await, json!({}));
    let loud = api.arn(&format!("cert/{}", certificate.id.to_uppercase()));
    api.put("/target-policies/p").json(json!({ "target": loud })).quietly().ok().await;

    let attached = api.post(format!("/attached-policies/{}", encoded(&certificate.arn))).ok().await;
    assert_eq!(attached["policies"], json!([{ "policyName": "p", "policyArn": api.arn("policy/p") }]));
    let targets = api.post("/policy-targets/p").ok().await;
    assert_eq!(targets["targets"], json!([certificate.arn]));
    api.snapshot("attach_policy");
}

async fn what_cannot_be_attached_is_refused(api: Api) {
    api.policy("p").await;
    let certificate = api.certificate().await;
    let attach =
        |policy: &str, target: &str| api.put(format!("/target-policies/{policy}")).json(json!({ "target": target }));
    attach("nope", &certificate.arn).refused(404, "ResourceNotFoundException").await;
    for unknown in [
        api.arn(&format!("cert/{UNKNOWN_ID}")),
        api.in_region(OTHER_REGION).arn(&format!("cert/{}", certificate.id)),
        api.arn("thinggroup/g"),
    ] {
        attach("p", &unknown).refused(404, "ResourceNotFoundException").await;
    }
    for malformed in [
        "",
        "p",
        certificate.id.as_str(),
        &api.arn("thing/t"),
        &api.arn("policy/p"),
        &api.arn("cert/abc"),
        &format!("{}x", certificate.arn),
        &format!("{} ", certificate.arn),
        COGNITO_IDENTITY,
    ] {
        attach("p", malformed).invalid().await;
    }
    api.put("/target-policies/p").json(json!({})).invalid().await;
    api.put("/target-policies/p").invalid().await;
    attach("not%20a%20name", &certificate.arn).invalid().await;
    let attached = api.post(format!("/attached-policies/{}", encoded(&certificate.arn))).quietly().ok().await;
    assert_eq!(attached["policies"], json!([]));
    api.snapshot("attach_policy_refused");
}

async fn a_certificate_has_ten_policies_at_most(api: Api) {
    let certificate = api.certificate().await;
    for number in 0..11 {
        api.policy(&format!("p{number}")).await;
    }
    for number in 0..10 {
        api.attach(&format!("p{number}"), &certificate).await;
    }
    let attach = |name: &str| api.put(format!("/target-policies/{name}")).json(json!({ "target": certificate.arn }));
    attach("p10").refused(410, "LimitExceededException").await;
    let legacy = api.put("/principal-policies/p10").header("x-amzn-iot-principal", &certificate.arn);
    legacy.refused(410, "LimitExceededException").await;
    // One that is attached already takes no new place.
    attach("p3").ok().await;
    api.post("/target-policies/p3").json(json!({ "target": certificate.arn })).ok().await;
    attach("p10").ok().await;
    attach("p3").refused(410, "LimitExceededException").await;
    api.snapshot("attach_policy_limit");
}
