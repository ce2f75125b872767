//! ListTagsForResource.

use serde_json::{Value, json};

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(tags_are_listed_by_key, what_carries_no_tags_is_refused);

async fn tags_are_listed_by_key(api: Api) {
    let arn = api.policy("p").await;
    let list = || api.get(format!("/tags?resourceArn={}", encoded(&arn)));
    assert_eq!(list().ok().await, json!({ "tags": [] }));
    let tags = json!([{ "Key": "b", "Value": "2" }, { "Key": "\u{e9}t\u{e9}", "Value": "\u{2603}" }, { "Key": "B", "Value": "" }]);
    api.post("/tags").json(json!({ "resourceArn": arn, "tags": tags })).ok().await;
    assert_eq!(list().ok().await["tags"], json!([tags[2], tags[0], tags[1]]));
    // Fifty are a page.
    let many: Vec<Value> = (0..47).map(|number| json!({ "Key": format!("k{number}"), "Value": "v" })).collect();
    api.post("/tags").json(json!({ "resourceArn": arn, "tags": many })).quietly().ok().await;
    let all = list().quietly().ok().await;
    assert_eq!(all["tags"].as_array().unwrap().len(), 50);
    assert_eq!(all.get("nextToken"), None);
    api.snapshot("list_tags_for_resource");
}

async fn what_carries_no_tags_is_refused(api: Api) {
    api.thing("t").await;
    let certificate = api.certificate().await;
    let list = |arn: &str| api.get(format!("/tags?resourceArn={}", encoded(arn)));
    list(&api.arn("policy/p")).refused(404, "ResourceNotFoundException").await;
    list(&api.arn("thinggroup/g")).refused(404, "ResourceNotFoundException").await;
    list(&api.arn("cacert/x")).refused(404, "ResourceNotFoundException").await;
    for arn in ["", "p", &*api.arn("thing/t"), &*certificate.arn, &*api.arn("topic/t"), "arn:aws:s3:::b"] {
        list(arn).invalid().await;
    }
    api.get("/tags").invalid().await;
    let policy = api.policy("p").await;
    api.get(format!("/tags?resourceArn={}&nextToken=x", encoded(&policy))).invalid().await;
    api.snapshot("list_tags_for_resource_refused");
}
