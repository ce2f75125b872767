//! GetEffectivePolicies.

use serde_json::{Value, json};

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::{ALLOW_ALL, ALLOW_CONNECT, COGNITO_IDENTITY, UNKNOWN_ID};

on_both_engines!(the_documents_in_force_are_told, what_has_no_policies_is_refused);

async fn the_documents_in_force_are_told(api: Api) {
    let certificate = api.certificate().await;
    let effective = || api.post("/effective-policies").json(json!({ "principal": certificate.arn }));
    assert_eq!(effective().ok().await["effectivePolicies"], json!([]));
    for name in ["b", "a"] {
        api.policy(name).await;
        api.attach(name, &certificate).await;
        api.clock().advance_ms(1);
    }
    let version = json!({ "policyDocument": ALLOW_CONNECT });
    api.post("/policies/a/version?setAsDefault=true").json(version).quietly().ok().await;
    assert_eq!(
        effective().ok().await["effectivePolicies"],
        json!([
            { "policyName": "b", "policyArn": api.arn("policy/b"), "policyDocument": ALLOW_ALL },
            { "policyName": "a", "policyArn": api.arn("policy/a"), "policyDocument": ALLOW_CONNECT },
        ])
    );
    // A thing adds the policies of its groups; it has none.
    api.thing("t").await;
    assert_eq!(api.post("/effective-policies?thingName=t").ok().await["effectivePolicies"], json!([]));
    let both = api.post("/effective-policies?thingName=t").json(json!({ "principal": certificate.arn })).ok().await;
    assert_eq!(both["effectivePolicies"].as_array().unwrap().len(), 2);
    api.snapshot("get_effective_policies");
}

async fn what_has_no_policies_is_refused(api: Api) {
    let certificate = api.certificate().await;
    let effective = |body: Value| api.post("/effective-policies").json(body);
    let unknown = api.arn(&format!("cert/{UNKNOWN_ID}"));
    effective(json!({ "principal": unknown })).refused(404, "ResourceNotFoundException").await;
    effective(json!({ "principal": api.arn("thinggroup/g") })).refused(404, "ResourceNotFoundException").await;
    let nowhere = api.post("/effective-policies?thingName=t").json(json!({ "principal": certificate.arn }));
    nowhere.refused(404, "ResourceNotFoundException").await;
    effective(json!({})).invalid().await;
    effective(json!({ "principal": "p" })).invalid().await;
    effective(json!({ "principal": COGNITO_IDENTITY })).invalid().await;
    effective(json!({ "principal": certificate.arn, "cognitoIdentityPoolId": "x" })).invalid().await;
    effective(json!({ "principal": certificate.arn, "thingName": "t" })).invalid().await;
    api.snapshot("get_effective_policies_refused");
}
