//! ListAttachedPolicies.

use serde_json::json;

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;
use crate::samples::{COGNITO_IDENTITY, UNKNOWN_ID};

on_both_engines!(policies_are_listed_as_they_were_attached, a_group_inherits_when_asked, unknown_targets_are_refused);

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

async fn a_group_inherits_when_asked(api: Api) {
    api.group("house", None).await;
    api.group("floor", Some("house")).await;
    for (policy, group) in [("c", "house"), ("b", "floor"), ("a", "floor")] {
        api.policy(policy).await;
        api.attach_to_group(policy, group).await;
    }
    let list = async |group: &str, query: &str| {
        let target = encoded(&api.arn(&format!("thinggroup/{group}")));
        let told = api.post(format!("/attached-policies/{target}{query}")).quietly().ok().await;
        let names = told["policies"].as_array().unwrap().iter();
        let names: Vec<String> = names.map(|policy| policy["policyName"].as_str().unwrap().to_owned()).collect();
        (names, told["nextMarker"].as_str().map(encoded))
    };
    let all = |names: &[&str]| (names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), None);
    assert_eq!(list("floor", "").await, all(&["a", "b"]));
    assert_eq!(list("floor", "?recursive=true").await, all(&["a", "b", "c"]));
    assert_eq!(list("house", "?recursive=true").await, all(&["c"]));
    let (first, marker) = list("floor", "?recursive=true&pageSize=2").await;
    assert_eq!(first, ["a", "b"]);
    let rest = list("floor", &format!("?recursive=true&pageSize=2&marker={}", marker.unwrap())).await;
    assert_eq!(rest, all(&["c"]));
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
