//! TagResource.

use serde_json::{Value, json};

use crate::client::{Api, Ask, encoded};
use crate::harness::on_both_engines;

on_both_engines!(a_key_that_exists_takes_the_new_value, a_resource_has_fifty_tags_at_most, bad_tags_are_refused);

fn tag(api: &Api, arn: &str, tags: Value) -> Ask {
    api.post("/tags").json(json!({ "resourceArn": arn, "tags": tags }))
}

async fn listed(api: &Api, arn: &str) -> Value {
    api.get(format!("/tags?resourceArn={}", encoded(arn))).quietly().ok().await["tags"].clone()
}

async fn a_key_that_exists_takes_the_new_value(api: Api) {
    let arn = api.policy("p").await;
    assert_eq!(tag(&api, &arn, json!([{ "Key": "a", "Value": "1" }, { "Key": "b" }])).ok().await, json!({}));
    tag(&api, &arn, json!([{ "Key": "a", "Value": "2" }])).ok().await;
    tag(&api, &arn, json!([{ "Key": "a", "Value": "2" }])).ok().await;
    tag(&api, &arn, json!([])).ok().await;
    assert_eq!(listed(&api, &arn).await, json!([{ "Key": "a", "Value": "2" }, { "Key": "b", "Value": "" }]));
    api.snapshot("tag_resource");
}

async fn a_resource_has_fifty_tags_at_most(api: Api) {
    let arn = api.policy("p").await;
    let tags = |from: usize, to: usize| -> Vec<Value> {
        (from..to).map(|number| json!({ "Key": format!("k{number}"), "Value": "v" })).collect()
    };
    tag(&api, &arn, json!(tags(0, 51))).refused(410, "LimitExceededException").await;
    assert_eq!(listed(&api, &arn).await, json!([]));
    tag(&api, &arn, json!(tags(0, 50))).quietly().ok().await;
    tag(&api, &arn, json!(tags(50, 51))).refused(410, "LimitExceededException").await;
    tag(&api, &arn, json!([{ "Key": "k7", "Value": "new" }])).ok().await;
    assert_eq!(listed(&api, &arn).await.as_array().unwrap().len(), 50);
}

async fn bad_tags_are_refused(api: Api) {
    let arn = api.policy("p").await;
    let certificate = api.certificate().await;
    let one = json!([{ "Key": "a", "Value": "1" }]);
    tag(&api, &api.arn("policy/nope"), one.clone()).refused(404, "ResourceNotFoundException").await;
    tag(&api, &api.arn("thinggroup/g"), one.clone()).refused(404, "ResourceNotFoundException").await;
    for not_taggable in ["p", &*certificate.arn, &*api.arn("thing/t")] {
        tag(&api, not_taggable, one.clone()).invalid().await;
    }
    for tags in [
        json!([{ "Key": "aws:a", "Value": "1" }]),
        json!([{ "Key": "AWS:a", "Value": "1" }]),
        json!([{ "Key": "a", "Value": "1" }, { "Key": "a", "Value": "1" }]),
        json!([{ "Key": "", "Value": "1" }]),
        json!([{ "Key": "a*", "Value": "1" }]),
        json!([{ "Key": "k".repeat(129), "Value": "1" }]),
        json!([{ "Key": "k", "Value": "v".repeat(257) }]),
        json!([{ "Value": "1" }]),
        json!([{ "Key": "a", "Value": "1", "More": "2" }]),
        json!({ "a": "1" }),
        json!(["a"]),
    ] {
        tag(&api, &arn, tags).invalid().await;
    }
    api.post("/tags").json(json!({ "resourceArn": arn })).invalid().await;
    api.post("/tags").json(json!({ "tags": one })).invalid().await;
    assert_eq!(listed(&api, &arn).await, json!([]));
    tag(&api, &arn, json!([{ "Key": "\u{fc}".repeat(128), "Value": "\u{2603}".repeat(256) }])).ok().await;
    api.snapshot("tag_resource_refused");
}
