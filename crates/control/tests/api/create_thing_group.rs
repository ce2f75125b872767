//! CreateThingGroup.

use serde_json::{Value, json};

use crate::client::{Api, Ask, encoded};
use crate::harness::on_both_engines;

on_both_engines!(
    a_group_is_made_once,
    groups_lie_in_groups,
    a_tree_is_seven_deep,
    what_does_not_fit_is_refused,
    tags_come_with_a_group,
);

fn create(api: &Api, name: &str, body: Value) -> Ask {
    api.post(format!("/thing-groups/{name}")).json(body)
}

async fn a_group_is_made_once(api: Api) {
    let body = json!({ "thingGroupProperties": {
        "thingGroupDescription": "ground floor", "attributePayload": { "attributes": { "side": "north", "no": "" } },
    } });
    let made = create(&api, "floor", body.clone()).ok().await;
    assert_eq!(made["thingGroupArn"], api.arn("thinggroup/floor"));
    // Again, exactly: the same group. Otherwise it is in the way.
    assert_eq!(create(&api, "floor", body).ok().await, made);
    let taken = create(&api, "floor", json!({})).refused(409, "ResourceAlreadyExistsException").await;
    assert_eq!((&taken["resourceArn"], &taken["resourceId"]), (&made["thingGroupArn"], &made["thingGroupId"]));
    // Another account's groups are others.
    let other = api.of_account("210987654321").await;
    assert_ne!(create(&other, "floor", json!({})).quietly().ok().await["thingGroupId"], made["thingGroupId"]);
    api.snapshot("create_thing_group");
}

async fn groups_lie_in_groups(api: Api) {
    api.group("house", None).await;
    create(&api, "floor", json!({ "parentGroupName": "house" })).quietly().ok().await;
    create(&api, "floor", json!({ "parentGroupName": "house" })).quietly().ok().await;
    let moved = create(&api, "floor", json!({})).refused(409, "ResourceAlreadyExistsException").await;
    assert!(moved["message"].as_str().unwrap().contains("parent"));
    create(&api, "room", json!({ "parentGroupName": "missing" })).invalid().await;
    create(&api, "room", json!({ "parentGroupName": "room" })).invalid().await;
    let other = api.of_account("210987654321").await;
    create(&other, "room", json!({ "parentGroupName": "house" })).invalid().await;
}

async fn a_tree_is_seven_deep(api: Api) {
    api.group("g1", None).await;
    for depth in 2..8 {
        api.group(&format!("g{depth}"), Some(&format!("g{}", depth - 1))).await;
    }
    let refused = create(&api, "g8", json!({ "parentGroupName": "g7" })).quietly().invalid().await;
    assert!(refused.contains("7 deep"), "{refused}");
    api.get("/thing-groups/g8").quietly().refused(404, "ResourceNotFoundException").await;
}

async fn what_does_not_fit_is_refused(api: Api) {
    for name in ["a%2Fb", "a%20b", "a.b", "%C3%BC", &"a".repeat(129)] {
        create(&api, name, json!({})).quietly().invalid().await;
    }
    let many: Value = (0..51).map(|number| (format!("a{number}"), json!("v"))).collect::<serde_json::Map<_, _>>().into();
    for body in [
        json!({ "parentGroupName": "" }),
        json!({ "parentGroupName": 7 }),
        json!({ "thingGroupProperties": { "thingGroupDescription": "x".repeat(2029) } }),
        json!({ "thingGroupProperties": { "attributePayload": { "attributes": { "a b": "1" } } } }),
        json!({ "thingGroupProperties": { "attributePayload": { "attributes": { "a": "<" } } } }),
        json!({ "thingGroupProperties": { "attributePayload": { "attributes": many } } }),
        json!({ "thingGroupProperties": { "nonsense": true } }),
        json!({ "queryString": "*" }),
        json!({ "tags": [{ "Key": "aws:a" }] }),
    ] {
        create(&api, "g", body).quietly().invalid().await;
    }
    api.get("/thing-groups/g").quietly().refused(404, "ResourceNotFoundException").await;
    let fifty: Value = (0..50).map(|number| (format!("a{number}"), json!("v"))).collect::<serde_json::Map<_, _>>().into();
    create(&api, "g", json!({ "thingGroupProperties": { "attributePayload": { "attributes": fifty } } })).quietly().ok().await;
}

async fn tags_come_with_a_group(api: Api) {
    create(&api, "g", json!({ "tags": [{ "Key": "a", "Value": "1" }] })).quietly().ok().await;
    // The same group again, but with a tag that it does not have: nothing would be done about that.
    create(&api, "g", json!({ "tags": [{ "Key": "a", "Value": "1" }] })).quietly().ok().await;
    let more = json!({ "tags": [{ "Key": "a", "Value": "2" }] });
    create(&api, "g", more).quietly().refused(409, "ResourceAlreadyExistsException").await;
    let listed = || api.get(format!("/tags?resourceArn={}", encoded(&api.arn("thinggroup/g")))).quietly();
    assert_eq!(listed().ok().await["tags"], json!([{ "Key": "a", "Value": "1" }]));
    let more = json!({ "resourceArn": api.arn("thinggroup/g"), "tags": [{ "Key": "b", "Value": "2" }] });
    api.post("/tags").json(more).quietly().ok().await;
    assert_eq!(listed().ok().await["tags"].as_array().unwrap().len(), 2);
    // They go with the group, and do not come back with its name.
    api.delete("/thing-groups/g").quietly().ok().await;
    listed().refused(404, "ResourceNotFoundException").await;
    create(&api, "g", json!({})).quietly().ok().await;
    assert_eq!(listed().ok().await["tags"], json!([]));
}
