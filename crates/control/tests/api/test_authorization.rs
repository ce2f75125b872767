//! TestAuthorization.

use serde_json::{Value, json};

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::{ALLOW_ALL, ALLOW_CONNECT, UNKNOWN_ID};

on_both_engines!(decisions_are_simulated, values_that_are_missing_are_told, what_cannot_be_simulated_is_refused);

const PUBLISH_OWN: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:123456789012:topic/own/${iot:ClientId}"},
    {"Effect":"Deny","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:123456789012:topic/secret"}]}"#;

async fn policy(api: &Api, name: &str, document: &str) {
    api.post(format!("/policies/{name}")).json(json!({ "policyDocument": document })).quietly().ok().await;
}

async fn decisions_are_simulated(api: Api) {
    policy(&api, "own", PUBLISH_OWN).await;
    policy(&api, "connect", ALLOW_CONNECT).await;
    policy(&api, "all", ALLOW_ALL).await;
    let certificate = api.certificate().await;
    api.attach("own", &certificate).await;
    api.attach("connect", &certificate).await;
    let ask = |action: &str, resources: &[&str], more: Value| {
        let resources: Vec<String> = resources.iter().map(|resource| api.arn(resource)).collect();
        let mut body = json!({
            "principal": certificate.arn,
            "authInfos": [{ "actionType": action, "resources": resources }],
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        api.post("/test-authorization?clientId=d1").json(body)
    };
    let none = json!({});
    for (asked, decision) in [
        (ask("CONNECT", &["client/d1"], none.clone()), "ALLOWED"),
        (ask("PUBLISH", &["topic/own/d1"], none.clone()), "ALLOWED"),
        (ask("PUBLISH", &["topic/own/d2"], none.clone()), "IMPLICIT_DENY"),
        (ask("PUBLISH", &["topic/own/d1", "topic/own/d2"], none.clone()), "IMPLICIT_DENY"),
        (ask("PUBLISH", &["topic/secret"], none.clone()), "EXPLICIT_DENY"),
        (ask("SUBSCRIBE", &["topicfilter/x"], none.clone()), "IMPLICIT_DENY"),
        (ask("RECEIVE", &["topic/x"], json!({ "policyNamesToAdd": ["all"] })), "ALLOWED"),
        (ask("PUBLISH", &["topic/secret"], json!({ "policyNamesToAdd": ["all"] })), "EXPLICIT_DENY"),
        (
            ask("PUBLISH", &["topic/secret"], json!({ "policyNamesToAdd": ["all"], "policyNamesToSkip": ["own"] })),
            "ALLOWED",
        ),
        (ask("CONNECT", &["client/d1"], json!({ "policyNamesToSkip": ["connect"] })), "IMPLICIT_DENY"),
    ] {
        assert_eq!(asked.ok().await["authResults"][0]["authDecision"], decision);
    }
    api.snapshot("test_authorization");
}

async fn values_that_are_missing_are_told(api: Api) {
    policy(&api, "own", PUBLISH_OWN).await;
    let infos = json!([
        { "actionType": "PUBLISH", "resources": [api.arn("topic/own/d1")] },
        { "actionType": "PUBLISH", "resources": [api.arn("topic/secret")] },
    ]);
    // Without a principal, the policies to add decide alone; without a client id, its variable has no value.
    let body = json!({ "authInfos": infos, "policyNamesToAdd": ["own"] });
    let results = api.post("/test-authorization").json(body).ok().await["authResults"].clone();
    assert_eq!(results[0]["authDecision"], "IMPLICIT_DENY");
    assert_eq!(results[0]["missingContextValues"], json!(["iot:ClientId"]));
    assert_eq!(results[1]["authDecision"], "EXPLICIT_DENY");
    api.snapshot("test_authorization_missing_values");
}

async fn what_cannot_be_simulated_is_refused(api: Api) {
    let certificate = api.certificate().await;
    let info = json!({ "actionType": "CONNECT", "resources": [api.arn("client/c")] });
    let ask = |body: Value| api.post("/test-authorization").json(body);
    let unknown = api.arn(&format!("cert/{UNKNOWN_ID}"));
    ask(json!({ "principal": unknown, "authInfos": [info] })).refused(404, "ResourceNotFoundException").await;
    ask(json!({ "authInfos": [info], "policyNamesToAdd": ["nope"] })).refused(404, "ResourceNotFoundException").await;
    ask(json!({ "principal": "x", "authInfos": [info] })).invalid().await;
    ask(json!({ "principal": certificate.arn })).invalid().await;
    ask(json!({ "principal": certificate.arn, "authInfos": [] })).invalid().await;
    ask(json!({ "principal": certificate.arn, "authInfos": vec![info.clone(); 11] })).invalid().await;
    ask(json!({ "principal": certificate.arn, "authInfos": [{ "actionType": "CONNECT" }] })).invalid().await;
    ask(json!({ "principal": certificate.arn, "authInfos": [{ "resources": ["*"] }] })).invalid().await;
    ask(json!({ "principal": certificate.arn, "authInfos": [{ "actionType": "DANCE", "resources": ["*"] }] }))
        .invalid()
        .await;
    ask(json!({ "cognitoIdentityPoolId": "x", "authInfos": [info] })).invalid().await;
    let long = "c".repeat(129);
    let body = json!({ "principal": certificate.arn, "authInfos": [info] });
    api.post(format!("/test-authorization?clientId={long}")).json(body).invalid().await;
    api.snapshot("test_authorization_refused");
}
