//! GetEffectivePolicies.

use serde_json::{Value, json};

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::{ALLOW_ALL, ALLOW_CONNECT, COGNITO_IDENTITY, UNKNOWN_ID};

on_both_engines!(the_documents_in_force_are_told, a_thing_adds_the_policies_of_its_groups, what_has_no_policies_is_refused);

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
            { "policyName": "a", "policyArn": api.arn("policy/a"), "policyDocument": ALLOW_CONNECT },
            { "policyName": "b", "policyArn": api.arn("policy/b"), "policyDocument": ALLOW_ALL },
        ])
    );
    // A thing adds the policies of its groups; it is in none.
    api.thing("t").await;
    assert_eq!(api.post("/effective-policies?thingName=t").ok().await["effectivePolicies"], json!([]));
    let both = api.post("/effective-policies?thingName=t").json(json!({ "principal": certificate.arn })).ok().await;
    assert_eq!(both["effectivePolicies"].as_array().unwrap().len(), 2);
    api.snapshot("get_effective_policies");
}

async fn a_thing_adds_the_policies_of_its_groups(api: Api) {
    let certificate = api.certificate().await;
    for name in ["own", "house", "floor", "elsewhere"] {
        api.policy(name).await;
    }
    api.attach("own", &certificate).await;
    api.attach("house", &certificate).await;
    api.group("house", None).await;
    api.group("floor", Some("house")).await;
    api.group("garden", None).await;
    for (policy, group) in [("house", "house"), ("floor", "floor"), ("elsewhere", "garden")] {
        api.attach_to_group(policy, group).await;
    }
    api.thing("lamp").await;
    api.enter("lamp", "floor").await;
    let names = async |ask: crate::client::Ask| {
        let told = ask.quietly().ok().await;
        let policies = told["effectivePolicies"].as_array().unwrap();
        policies.iter().map(|policy| policy["policyName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(api.post("/effective-policies?thingName=lamp")).await, ["floor", "house"]);
    let both = api.post("/effective-policies?thingName=lamp").json(json!({ "principal": certificate.arn }));
    assert_eq!(names(both).await, ["floor", "house", "own"]);
    for (group, policies) in [("floor", vec!["floor", "house"]), ("house", vec!["house"])] {
        let principal = json!({ "principal": api.arn(&format!("thinggroup/{group}")) });
        assert_eq!(names(api.post("/effective-policies").json(principal)).await, policies);
    }
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
