//! ListThingGroupsForThing.

use serde_json::json;

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(the_groups_of_a_thing_are_paged);

async fn the_groups_of_a_thing_are_paged(api: Api) {
    api.get("/things/t/thing-groups").refused(404, "ResourceNotFoundException").await;
    api.thing("t").await;
    assert_eq!(api.get("/things/t/thing-groups").ok().await, json!({ "thingGroups": [] }));
    for group in ["c", "a", "b"] {
        api.group(group, None).await;
        api.enter("t", group).await;
    }
    let first = api.get("/things/t/thing-groups?maxResults=2").ok().await;
    let names: Vec<_> = first["thingGroups"].as_array().unwrap().iter().map(|group| &group["groupName"]).collect();
    assert_eq!(names, ["a", "b"]);
    let token = encoded(first["nextToken"].as_str().unwrap());
    let rest = api.get(format!("/things/t/thing-groups?maxResults=2&nextToken={token}")).ok().await;
    assert_eq!(rest, json!({ "thingGroups": [{ "groupName": "c", "groupArn": api.arn("thinggroup/c") }] }));
    api.get(format!("/things?nextToken={token}")).quietly().invalid().await;
    api.get("/things/t/thing-groups?maxResults=0").invalid().await;
}
