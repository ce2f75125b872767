//! AttachPrincipalPolicy.

use serde_json::json;

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;
use crate::samples::{COGNITO_IDENTITY, UNKNOWN_ID};

on_both_engines!(both_families_share_what_is_attached, only_certificates_are_principals);

async fn both_families_share_what_is_attached(api: Api) {
    api.policy("p").await;
    let certificate = api.certificate().await;
    let attach = || api.put("/principal-policies/p").header("x-amzn-iot-principal", &certificate.arn);
    assert_eq!(attach().ok().await, json!({}));
    assert_eq!(attach().ok().await, json!({}));
    let attached = api.post(format!("/attached-policies/{}", encoded(&certificate.arn))).ok().await;
    assert_eq!(attached["policies"][0]["policyName"], "p");
    api.snapshot("attach_principal_policy");
}

async fn only_certificates_are_principals(api: Api) {
    api.policy("p").await;
    let certificate = api.certificate().await;
    let attach = |policy: &str, principal: &str| {
        api.put(format!("/principal-policies/{policy}")).header("x-amzn-iot-principal", principal)
    };
    attach("nope", &certificate.arn).refused(404, "ResourceNotFoundException").await;
    attach("p", &api.arn(&format!("cert/{UNKNOWN_ID}"))).refused(404, "ResourceNotFoundException").await;
    let refused = attach("p", &api.arn("thing/t")).invalid().await;
    assert_eq!(refused, "The given ARN does not represent a cert");
    attach("p", &api.arn("thinggroup/g")).invalid().await;
    attach("p", "p").invalid().await;
    attach("p", COGNITO_IDENTITY).invalid().await;
    api.put("/principal-policies/p").invalid().await;
    let twice = attach("p", &certificate.arn).header("x-amzn-iot-principal", &certificate.arn);
    twice.invalid().await;
    api.snapshot("attach_principal_policy_refused");
}
