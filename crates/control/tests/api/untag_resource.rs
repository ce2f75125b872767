//! UntagResource.

use serde_json::{Value, json};

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(tags_are_removed_by_key);

async fn tags_are_removed_by_key(api: Api) {
    let arn = api.policy("p").await;
    let untag = |arn: &str, keys: Value| api.post("/untag").json(json!({ "resourceArn": arn, "tagKeys": keys }));
    untag(&arn, json!(["a"])).ok().await;
    let tags = json!([{ "Key": "a", "Value": "1" }, { "Key": "b", "Value": "2" }, { "Key": "c", "Value": "3" }]);
    api.post("/tags").json(json!({ "resourceArn": arn, "tags": tags })).ok().await;
    assert_eq!(untag(&arn, json!(["a", "nope", "a", "c"])).ok().await, json!({}));
    untag(&arn, json!([])).ok().await;
    let list = || api.get(format!("/tags?resourceArn={}", encoded(&arn)));
    assert_eq!(list().ok().await["tags"], json!([{ "Key": "b", "Value": "2" }]));
    untag(&arn, json!(["b"])).ok().await;
    assert_eq!(list().ok().await["tags"], json!([]));
    api.post("/tags").json(json!({ "resourceArn": arn, "tags": [{ "Key": "a", "Value": "9" }] })).ok().await;
    assert_eq!(list().ok().await["tags"], json!([{ "Key": "a", "Value": "9" }]));

    untag(&api.arn("policy/nope"), json!(["a"])).refused(404, "ResourceNotFoundException").await;
    untag(&api.arn("thing/t"), json!(["a"])).invalid().await;
    untag("p", json!(["a"])).invalid().await;
    untag(&arn, json!(["a*"])).invalid().await;
    untag(&arn, json!("a")).invalid().await;
    api.post("/untag").json(json!({ "resourceArn": arn })).invalid().await;
    api.snapshot("untag_resource");
}
