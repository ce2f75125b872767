//! CreatePolicyVersion.

use serde_json::json;

use crate::client::{Api, Ask};
use crate::harness::on_both_engines;
use crate::samples::{ALLOW_ALL, ALLOW_CONNECT};

on_both_engines!(
    a_version_is_in_force_when_asked,
    a_policy_has_five_versions_at_most,
    what_makes_no_version_is_refused
);

fn create(api: &Api, query: &str, document: &str) -> Ask {
    api.post(format!("/policies/p/version{query}")).json(json!({ "policyDocument": document }))
}

async fn a_version_is_in_force_when_asked(api: Api) {
    api.policy("p").await;
    let before = api.get("/policies/p").ok().await;
    api.clock().advance_ms(1_500);
    let made = create(&api, "", ALLOW_CONNECT).ok().await;
    assert_eq!(
        made,
        json!({
            "policyArn": api.arn("policy/p"),
            "policyDocument": ALLOW_CONNECT,
            "policyVersionId": "2",
            "isDefaultVersion": false,
        })
    );
    assert_eq!(api.get("/policies/p").ok().await["policyDocument"], before["policyDocument"]);
    let made = create(&api, "?setAsDefault=true", ALLOW_CONNECT).ok().await;
    assert_eq!((&made["policyVersionId"], &made["isDefaultVersion"]), (&json!("3"), &json!(true)));
    let after = api.get("/policies/p").ok().await;
    assert_eq!((&after["policyDocument"], &after["defaultVersionId"]), (&json!(ALLOW_CONNECT), &json!("3")));
    api.snapshot("create_policy_version");
}

async fn a_policy_has_five_versions_at_most(api: Api) {
    api.policy("p").await;
    for _ in 0..4 {
        create(&api, "", ALLOW_ALL).quietly().ok().await;
    }
    let refused = create(&api, "", ALLOW_ALL).refused(409, "VersionsLimitExceededException").await;
    assert_eq!(refused["message"], "The policy p already has the maximum number of versions (5)");
    create(&api, "?setAsDefault=true", ALLOW_ALL).refused(409, "VersionsLimitExceededException").await;
    // A number is never used again.
    api.delete("/policies/p/version/5").ok().await;
    assert_eq!(create(&api, "", ALLOW_ALL).ok().await["policyVersionId"], "6");
    api.snapshot("create_policy_version_limit");
}

async fn what_makes_no_version_is_refused(api: Api) {
    create(&api, "", ALLOW_ALL).refused(404, "ResourceNotFoundException").await;
    api.policy("p").await;
    create(&api, "", "{}").refused(400, "MalformedPolicyException").await;
    create(&api, "?setAsDefault=2", ALLOW_ALL).invalid().await;
    api.post("/policies/p/version").json(json!({})).invalid().await;
    let versions = api.get("/policies/p/version").quietly().ok().await;
    assert_eq!(versions["policyVersions"].as_array().unwrap().len(), 1);
    api.snapshot("create_policy_version_refused");
}
