//! CreatePolicy.

use serde_json::{Value, json};

use crate::client::{Api, Ask, encoded};
use crate::harness::on_both_engines;
use crate::samples::{ALLOW_ALL, ALLOW_CONNECT};

on_both_engines!(
    a_policy_begins_with_version_one,
    a_name_is_taken_once,
    documents_that_are_no_policies_are_refused,
    white_space_does_not_count,
    names_have_128_characters_at_most,
    tags_come_with_it,
);

fn create(api: &Api, name: &str, document: &str) -> Ask {
    api.post(format!("/policies/{}", encoded(name))).json(json!({ "policyDocument": document }))
}

async fn a_policy_begins_with_version_one(api: Api) {
    // As it was written: neither order nor spaces change.
    let document = "{ \"Statement\": [{\"Resource\":\"*\",\"Effect\":\"Allow\",\"Action\":\"iot:Connect\"}],\n\"Version\":\"2012-10-17\" }";
    let made = create(&api, "p", document).ok().await;
    assert_eq!(
        made,
        json!({
            "policyName": "p",
            "policyArn": api.arn("policy/p"),
            "policyDocument": document,
            "policyVersionId": "1",
        })
    );
    assert_eq!(api.get("/policies/p").ok().await["policyDocument"], document);
    api.snapshot("create_policy");
}

async fn a_name_is_taken_once(api: Api) {
    create(&api, "p", ALLOW_ALL).ok().await;
    // Even with the same document.
    let refused = create(&api, "p", ALLOW_ALL).refused(409, "ResourceAlreadyExistsException").await;
    assert_eq!(refused["message"], "Policy cannot be created - name already exists (name=p)");
    assert_eq!(refused["resourceId"], "p");
    assert_eq!(refused["resourceArn"], api.arn("policy/p"));
    // Names differ by case.
    create(&api, "P", ALLOW_ALL).ok().await;
    api.delete("/policies/p").ok().await;
    create(&api, "p", ALLOW_CONNECT).ok().await;
    assert_eq!(api.get("/policies/p").ok().await["policyDocument"], ALLOW_CONNECT);
    api.snapshot("create_policy_taken");
}

async fn documents_that_are_no_policies_are_refused(api: Api) {
    let documents = [
        "",
        "{",
        "[]",
        "{}",
        r#"{"Version":"2012-10-17"}"#,
        r#"{"Version":"2012-10-17","Statement":[]}"#,
        r#"{"Version":"2020-01-01","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}"#,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Maybe","Action":"iot:Connect","Resource":"*"}]}"#,
        r#"{"Version":"2012-10-17","Statement":[{"Action":"iot:Connect","Resource":"*"}]}"#,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*"}]}"#,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect"}]}"#,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*","Nope":1}]}"#,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"connect","Resource":"*"}]}"#,
    ];
    for document in documents {
        create(&api, "p", document).refused(400, "MalformedPolicyException").await;
    }
    api.post("/policies/p").json(json!({})).invalid().await;
    api.post("/policies/p").json(json!({ "policyDocument": { "Version": "2012-10-17" } })).invalid().await;
    api.get("/policies/p").quietly().refused(404, "ResourceNotFoundException").await;
    api.snapshot("create_policy_malformed");
}

/// A document of `characters`, counted as AWS counts, and `spaces` behind it.
fn document(characters: usize, spaces: usize) -> String {
    let document = |topic: &str| {
        ALLOW_ALL
            .replace(r#""Resource":"*""#, &format!(r#""Resource":"arn:aws:iot:us-east-1:123456789012:topic/{topic}""#))
    };
    let fill = characters - document("").len();
    format!("{}{}", document(&"t".repeat(fill)), " ".repeat(spaces))
}

async fn white_space_does_not_count(api: Api) {
    create(&api, "full", &document(2048, 0)).ok().await;
    create(&api, "spacious", &document(2048, 10_000)).ok().await;
    create(&api, "over", &document(2049, 0)).refused(400, "MalformedPolicyException").await;
    create(&api, "huge", &document(2048, 404_600 - 2048)).quietly().ok().await;
    create(&api, "over", &document(2048, 404_600 - 2047)).invalid().await;
    api.snapshot("create_policy_length");
}

async fn names_have_128_characters_at_most(api: Api) {
    let name = format!("{}_+=,.@-", "n".repeat(121));
    assert_eq!(name.len(), 128);
    create(&api, &name, ALLOW_ALL).ok().await;
    assert_eq!(api.get(format!("/policies/{}", encoded(&name))).quietly().ok().await["policyName"], name);
    for name in [&*format!("{name}n"), "a b", "a/b", "a:b", "a*", "é", "..%2f", "a\n"] {
        create(&api, name, ALLOW_ALL).invalid().await;
    }
    api.snapshot("create_policy_names");
}

async fn tags_come_with_it(api: Api) {
    let create = |name: &str, tags: Value| {
        api.post(format!("/policies/{name}")).json(json!({ "policyDocument": ALLOW_ALL, "tags": tags }))
    };
    create("p", json!([{ "Key": "b", "Value": "2" }, { "Key": "a" }])).ok().await;
    let tags = api.get(format!("/tags?resourceArn={}", encoded(&api.arn("policy/p")))).ok().await;
    assert_eq!(tags["tags"], json!([{ "Key": "a", "Value": "" }, { "Key": "b", "Value": "2" }]));
    create("q", json!([{ "Key": "a", "Value": "1" }, { "Key": "a", "Value": "2" }])).invalid().await;
    create("q", json!([{ "Key": "aws:x", "Value": "1" }])).invalid().await;
    create("q", json!([{ "Value": "1" }])).invalid().await;
    create("q", json!([{ "key": "a" }])).invalid().await;
    let many: Vec<Value> = (0..51).map(|number| json!({ "Key": format!("k{number}"), "Value": "v" })).collect();
    create("q", json!(many)).invalid().await;
    api.get("/policies/q").quietly().refused(404, "ResourceNotFoundException").await;
    create("q", json!(many[..50])).quietly().ok().await;
    // Tags go with the policy, and do not come back with its name.
    api.delete("/policies/p").quietly().ok().await;
    create("p", json!([])).quietly().ok().await;
    let tags = api.get(format!("/tags?resourceArn={}", encoded(&api.arn("policy/p")))).quietly().ok().await;
    assert_eq!(tags["tags"], json!([]));
    api.snapshot("create_policy_tags");
}
