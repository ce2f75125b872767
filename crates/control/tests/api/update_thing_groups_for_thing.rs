//! UpdateThingGroupsForThing.

use serde_json::{Value, json};

use crate::client::{Api, Ask};
use crate::harness::on_both_engines;

on_both_engines!(a_thing_moves_at_once, all_or_nothing_changes, every_group_is_asked_of_the_policy);

fn update(api: &Api, body: Value) -> Ask {
    api.put("/thing-groups/updateThingGroupsForThing").json(body)
}

async fn groups(api: &Api) -> Vec<String> {
    let told = api.get("/things/t/thing-groups").quietly().ok().await;
    told["thingGroups"].as_array().unwrap().iter().map(|group| group["groupName"].as_str().unwrap().to_owned()).collect()
}

async fn a_thing_moves_at_once(api: Api) {
    api.thing("t").await;
    api.group("house", None).await;
    api.group("floor", Some("house")).await;
    api.group("garden", None).await;
    api.enter("t", "house").await;
    // Down its own branch, which entering alone could not.
    let body = json!({ "thingName": "t", "thingGroupsToRemove": ["house"], "thingGroupsToAdd": ["garden", "floor", "garden"] });
    update(&api, body).ok().await;
    assert_eq!(groups(&api).await, ["floor", "garden"]);
    update(&api, json!({ "thingName": "t", "thingGroupsToRemove": ["house", "garden"] })).ok().await;
    assert_eq!(groups(&api).await, ["floor"]);
    update(&api, json!({ "thingName": "t" })).ok().await;
    api.snapshot("update_thing_groups_for_thing");
}

async fn all_or_nothing_changes(api: Api) {
    api.thing("t").await;
    api.group("house", None).await;
    api.group("floor", Some("house")).await;
    api.enter("t", "house").await;
    for body in [
        json!({ "thingGroupsToAdd": ["house"] }),
        json!({ "thingName": "t", "thingGroupsToAdd": ["floor"] }),
        json!({ "thingName": "t", "thingGroupsToAdd": ["house"], "thingGroupsToRemove": ["house"] }),
        json!({ "thingName": "t", "thingGroupsToRemove": vec!["house"; 11] }),
        json!({ "thingName": "t", "thingGroupsToRemove": ["a b"] }),
    ] {
        update(&api, body).invalid().await;
    }
    for body in [
        json!({ "thingName": "x", "thingGroupsToAdd": ["house"] }),
        json!({ "thingName": "t", "thingGroupsToRemove": ["house"], "thingGroupsToAdd": ["x"] }),
        json!({ "thingName": "t", "thingGroupsToRemove": ["x"] }),
    ] {
        update(&api, body).refused(404, "ResourceNotFoundException").await;
    }
    assert_eq!(groups(&api).await, ["house"]);
}

async fn every_group_is_asked_of_the_policy(api: Api) {
    api.thing("t").await;
    for group in ["admins", "guests", "lamps"] {
        api.group(group, None).await;
    }
    api.enter("t", "lamps").await;
    let limited = api
        .limited(json!([
            { "Effect": "Allow", "Action": "iot:UpdateThingGroupsForThing", "Resource": "*" },
            { "Effect": "Deny", "Action": "iot:*", "Resource": [api.arn("thinggroup/admins"), api.arn("thinggroup/lamps")] },
        ]))
        .await;
    for body in [
        json!({ "thingName": "t", "thingGroupsToAdd": ["guests", "admins"] }),
        json!({ "thingName": "t", "thingGroupsToRemove": ["lamps"] }),
    ] {
        update(&limited, body).quietly().refused(403, "AccessDeniedException").await;
    }
    assert_eq!(groups(&api).await, ["lamps"]);
    update(&limited, json!({ "thingName": "t", "thingGroupsToAdd": ["guests"] })).quietly().ok().await;
    assert_eq!(groups(&api).await, ["guests", "lamps"]);
}
