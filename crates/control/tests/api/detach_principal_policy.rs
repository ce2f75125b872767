//! DetachPrincipalPolicy.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::{COGNITO_IDENTITY, UNKNOWN_ID};

on_both_engines!(a_policy_is_detached_once);

async fn a_policy_is_detached_once(api: Api) {
    api.policy("p").await;
    let certificate = api.certificate().await;
    api.attach("p", &certificate).await;
    let detach = |policy: &str, principal: &str| {
        api.delete(format!("/principal-policies/{policy}")).header("x-amzn-iot-principal", principal)
    };
    assert_eq!(detach("p", &certificate.arn).ok().await, json!({}));
    assert_eq!(api.post("/policy-targets/p").ok().await["targets"], json!([]));
    detach("p", &certificate.arn).refused(404, "ResourceNotFoundException").await;
    detach("nope", &certificate.arn).refused(404, "ResourceNotFoundException").await;
    detach("p", &api.arn(&format!("cert/{UNKNOWN_ID}"))).refused(404, "ResourceNotFoundException").await;
    detach("p", &api.arn("thing/t")).invalid().await;
    detach("p", COGNITO_IDENTITY).invalid().await;
    api.delete("/principal-policies/p").invalid().await;
    api.snapshot("detach_principal_policy");
}
