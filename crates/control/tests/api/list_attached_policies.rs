//! ListAttachedPolicies.

use serde_json::json;

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;
use crate::samples::{COGNITO_IDENTITY, UNKNOWN_ID};

on_both_engines!(policies_are_listed_as_they_were_attached, unknown_targets_are_refused);

async fn policies_are_listed_as_they_were_attached(api: Api) {
    let certificate = api.certificate().await;
    for name in ["c", "a", "b"] {
        api.policy(name).await;
        api.attach(name, &certificate).await;
        api.clock().advance_ms(1);
    }
    let list = |query: &str| api.post(format!("/attached-policies/{}{query}", encoded(&certificate.arn)));
    let all = list("").ok().await;
    let names: Vec<&str> =
        all["policies"].as_array().unwrap().iter().map(|p| p["policyName"].as_str().unwrap()).collect();
    assert_eq!(names, ["c", "a", "b"]);
    assert_eq!(list("?recursive=true").ok().await, all);
    let first = list("?pageSize=2").ok().await;
    let marker = first["nextMarker"].as_str().unwrap();
    let second = list(&format!("?pageSize=2&marker={}", encoded(marker))).ok().await;
    assert_eq!(second, json!({ "policies": [{ "policyName": "b", "policyArn": api.arn("policy/b") }] }));
    api.snapshot("list_attached_policies");
}

async fn unknown_targets_are_refused(api: Api) {
    let list = |target: &str| api.post(format!("/attached-policies/{}", encoded(target)));
    list(&api.arn(&format!("cert/{UNKNOWN_ID}"))).refused(404, "ResourceNotFoundException").await;
    list(&api.arn("thinggroup/g")).refused(404, "ResourceNotFoundException").await;
    list("p").invalid().await;
    list(COGNITO_IDENTITY).invalid().await;
    let certificate = api.certificate().await;
    for query in
        ["?pageSize=0", "?pageSize=251", "?pageSize=x", "?marker=%20", "?recursive=2", "?isAscendingOrder=true"]
    {
        api.post(format!("/attached-policies/{}{query}", encoded(&certificate.arn))).invalid().await;
    }
    api.snapshot("list_attached_policies_refused");
}
