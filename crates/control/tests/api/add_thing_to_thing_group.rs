//! AddThingToThingGroup.

use serde_json::{Value, json};

use crate::client::{Api, Ask};
use crate::harness::on_both_engines;

on_both_engines!(
    a_thing_enters_by_names_and_arns,
    a_thing_is_in_one_group_of_a_branch,
    a_thing_is_in_ten_groups,
    what_cannot_enter_is_refused,
    things_that_enter_at_once_all_do,
);

fn add(api: &Api, body: Value) -> Ask {
    api.put("/thing-groups/addThingToThingGroup").json(body)
}

async fn a_thing_enters_by_names_and_arns(api: Api) {
    api.thing("t").await;
    for group in ["a", "b", "c"] {
        api.group(group, None).await;
    }
    let (thing, group) = (api.arn("thing/t"), api.arn("thinggroup/b"));
    add(&api, json!({ "thingName": "t", "thingGroupName": "a", "overrideDynamicGroups": true })).ok().await;
    add(&api, json!({ "thingArn": thing, "thingGroupArn": group })).ok().await;
    add(&api, json!({ "thingName": "t", "thingArn": thing, "thingGroupName": "b", "thingGroupArn": group })).ok().await;
    assert_eq!(
        api.get("/things/t/thing-groups").ok().await["thingGroups"],
        json!([
            { "groupName": "a", "groupArn": api.arn("thinggroup/a") },
            { "groupName": "b", "groupArn": api.arn("thinggroup/b") },
        ])
    );
    // Membership is no change of the thing.
    assert_eq!(api.get("/things/t").quietly().ok().await["version"], 1);
    api.snapshot("add_thing_to_thing_group");
}

async fn a_thing_is_in_one_group_of_a_branch(api: Api) {
    api.thing("t").await;
    api.group("house", None).await;
    api.group("floor", Some("house")).await;
    api.group("hall", Some("house")).await;
    api.enter("t", "floor").await;
    let refused = add(&api, json!({ "thingName": "t", "thingGroupName": "house" })).invalid().await;
    assert!(refused.contains("same branch"), "{refused}");
    api.enter("t", "hall").await;
}

async fn a_thing_is_in_ten_groups(api: Api) {
    api.thing("t").await;
    for number in 0..11 {
        api.group(&format!("g{number}"), None).await;
    }
    for number in 0..10 {
        api.enter("t", &format!("g{number}")).await;
    }
    add(&api, json!({ "thingName": "t", "thingGroupName": "g10" })).invalid().await;
    add(&api, json!({ "thingName": "t", "thingGroupName": "g9" })).ok().await;
    // A group that is gone makes room.
    api.delete("/thing-groups/g0").quietly().ok().await;
    add(&api, json!({ "thingName": "t", "thingGroupName": "g10" })).ok().await;
}

async fn what_cannot_enter_is_refused(api: Api) {
    api.thing("t").await;
    api.group("g", None).await;
    let other = api.of_account("210987654321").await;
    let (foreign_thing, foreign_group) = (other.arn("thing/t"), other.arn("thinggroup/g"));
    for body in [
        json!({}),
        json!({ "thingName": "t" }),
        json!({ "thingGroupName": "g" }),
        json!({ "thingName": "t", "thingGroupArn": "g" }),
        json!({ "thingName": "t", "thingGroupArn": api.arn("thing/t") }),
        json!({ "thingArn": api.arn("thinggroup/g"), "thingGroupName": "g" }),
        json!({ "thingName": "other", "thingArn": api.arn("thing/t"), "thingGroupName": "g" }),
        json!({ "thingName": "a b", "thingGroupName": "g" }),
        json!({ "thingName": "t", "thingGroupName": "g", "nonsense": 1 }),
    ] {
        add(&api, body).invalid().await;
    }
    for body in [
        json!({ "thingName": "missing", "thingGroupName": "g" }),
        json!({ "thingName": "t", "thingGroupName": "missing" }),
        json!({ "thingArn": foreign_thing, "thingGroupName": "g" }),
        json!({ "thingName": "t", "thingGroupArn": foreign_group }),
    ] {
        add(&api, body).quietly().refused(404, "ResourceNotFoundException").await;
    }
    assert_eq!(api.get("/thing-groups/g/things").quietly().ok().await, json!({ "things": [] }));
    api.snapshot("add_thing_to_thing_group_refused");
}

async fn things_that_enter_at_once_all_do(api: Api) {
    api.thing("t").await;
    for number in 0..8 {
        api.group(&format!("g{number}"), None).await;
    }
    let entering: Vec<_> = (0..8)
        .map(|number| add(&api, json!({ "thingName": "t", "thingGroupName": format!("g{number}") })).quietly().ok())
        .map(tokio::spawn)
        .collect();
    for entered in entering {
        entered.await.unwrap();
    }
    let told = api.get("/things/t/thing-groups").quietly().ok().await;
    assert_eq!(told["thingGroups"].as_array().unwrap().len(), 8);
}
