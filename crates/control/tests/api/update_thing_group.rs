//! UpdateThingGroup.

use serde_json::{Value, json};

use crate::client::{Api, Ask};
use crate::harness::on_both_engines;

on_both_engines!(what_is_given_changes_and_nothing_else, a_change_meets_the_version_it_expects, what_does_not_fit_is_refused);

fn update(api: &Api, properties: Value) -> Ask {
    api.patch("/thing-groups/g").json(json!({ "thingGroupProperties": properties }))
}

async fn what_is_given_changes_and_nothing_else(api: Api) {
    let attributes = |pairs: Value, merge: bool| json!({ "attributePayload": { "attributes": pairs, "merge": merge } });
    let properties = json!({ "thingGroupDescription": "old", "attributePayload": { "attributes": { "a": "1", "b": "2" } } });
    api.post("/thing-groups/g").json(json!({ "thingGroupProperties": properties })).quietly().ok().await;
    let told = async || api.get("/thing-groups/g").quietly().ok().await["thingGroupProperties"].clone();
    assert_eq!(update(&api, json!({ "thingGroupDescription": "new" })).ok().await, json!({ "version": 2 }));
    assert_eq!(told().await["attributePayload"]["attributes"], json!({ "a": "1", "b": "2" }));
    update(&api, attributes(json!({ "a": "", "c": "3" }), true)).ok().await;
    assert_eq!(told().await, json!({ "thingGroupDescription": "new", "attributePayload": { "attributes": { "b": "2", "c": "3" } } }));
    update(&api, attributes(json!({ "d": "4" }), false)).ok().await;
    assert_eq!(told().await["attributePayload"]["attributes"], json!({ "d": "4" }));
    update(&api, attributes(json!({}), false)).ok().await;
    assert_eq!(told().await, json!({ "thingGroupDescription": "new" }));
    assert_eq!(update(&api, json!({})).ok().await, json!({ "version": 6 }));
    api.snapshot("update_thing_group");
}

async fn a_change_meets_the_version_it_expects(api: Api) {
    api.group("g", None).await;
    let expecting = |version: i64| {
        api.patch("/thing-groups/g").json(json!({ "thingGroupProperties": {}, "expectedVersion": version }))
    };
    expecting(2).refused(409, "VersionConflictException").await;
    expecting(1).ok().await;
    expecting(1).refused(409, "VersionConflictException").await;
}

async fn what_does_not_fit_is_refused(api: Api) {
    update(&api, json!({})).refused(404, "ResourceNotFoundException").await;
    api.group("g", None).await;
    api.patch("/thing-groups/g").json(json!({})).invalid().await;
    let many: Value = (0..51).map(|number| (format!("a{number}"), json!("v"))).collect::<serde_json::Map<_, _>>().into();
    update(&api, json!({ "attributePayload": { "attributes": many } })).quietly().invalid().await;
    update(&api, json!({ "parentGroupName": "x" })).invalid().await;
    assert_eq!(api.get("/thing-groups/g").quietly().ok().await["version"], 1);
}
