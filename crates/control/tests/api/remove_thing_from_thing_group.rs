//! RemoveThingFromThingGroup.

use serde_json::{Value, json};

use crate::client::{Api, Ask};
use crate::harness::on_both_engines;

on_both_engines!(a_thing_leaves, what_cannot_leave_is_refused);

fn remove(api: &Api, body: Value) -> Ask {
    api.put("/thing-groups/removeThingFromThingGroup").json(body)
}

async fn a_thing_leaves(api: Api) {
    api.thing("t").await;
    for group in ["a", "b"] {
        api.group(group, None).await;
        api.enter("t", group).await;
    }
    remove(&api, json!({ "thingName": "t", "thingGroupArn": api.arn("thinggroup/a") })).ok().await;
    // Where it is not, there is nothing to leave.
    remove(&api, json!({ "thingArn": api.arn("thing/t"), "thingGroupName": "a" })).ok().await;
    let told = api.get("/things/t/thing-groups").quietly().ok().await;
    assert_eq!(told["thingGroups"][0]["groupName"], "b");
    assert_eq!(told["thingGroups"].as_array().unwrap().len(), 1);
    assert_eq!(api.get("/thing-groups/a/things").quietly().ok().await, json!({ "things": [] }));
}

async fn what_cannot_leave_is_refused(api: Api) {
    api.thing("t").await;
    api.group("g", None).await;
    api.enter("t", "g").await;
    for body in [json!({}), json!({ "thingName": "t" }), json!({ "thingName": "t", "thingGroupName": "g", "overrideDynamicGroups": true })] {
        remove(&api, body).invalid().await;
    }
    remove(&api, json!({ "thingName": "x", "thingGroupName": "g" })).refused(404, "ResourceNotFoundException").await;
    remove(&api, json!({ "thingName": "t", "thingGroupName": "x" })).refused(404, "ResourceNotFoundException").await;
    assert_eq!(api.get("/thing-groups/g/things").quietly().ok().await, json!({ "things": ["t"] }));
}
