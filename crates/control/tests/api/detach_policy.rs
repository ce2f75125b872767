//! DetachPolicy.

use serde_json::json;

use crate::client::Api;
use crate::harness::{OTHER_REGION, on_both_engines};
use crate::samples::{COGNITO_IDENTITY, UNKNOWN_ID};

on_both_engines!(detaching_what_is_not_attached_succeeds, what_is_no_target_is_refused);

async fn detaching_what_is_not_attached_succeeds(api: Api) {
    api.policy("p").await;
    let certificate = api.certificate().await;
    api.attach("p", &certificate).await;
    let detach =
        |policy: &str, target: &str| api.post(format!("/target-policies/{policy}")).json(json!({ "target": target }));
    assert_eq!(detach("p", &certificate.arn).ok().await, json!({}));
    assert_eq!(api.post("/policy-targets/p").ok().await["targets"], json!([]));
    // The model knows no ResourceNotFoundException here.
    assert_eq!(detach("p", &certificate.arn).ok().await, json!({}));
    detach("nope", &certificate.arn).ok().await;
    detach("p", &api.arn(&format!("cert/{UNKNOWN_ID}"))).ok().await;
    detach("p", &api.in_region(OTHER_REGION).arn(&format!("cert/{}", certificate.id))).ok().await;
    detach("p", &api.arn("thinggroup/g")).ok().await;
    api.snapshot("detach_policy");
}

async fn what_is_no_target_is_refused(api: Api) {
    let detach = |target: &str| api.post("/target-policies/p").json(json!({ "target": target }));
    for target in ["", "p", &*api.arn("thing/t"), &*api.arn("cert/abc"), COGNITO_IDENTITY] {
        detach(target).invalid().await;
    }
    api.post("/target-policies/p").json(json!({})).invalid().await;
    api.snapshot("detach_policy_refused");
}
