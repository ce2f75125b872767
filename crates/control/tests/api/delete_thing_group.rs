//! DeleteThingGroup.

use serde_json::json;

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(a_group_goes_with_its_policies_and_without_its_things, a_group_that_others_lie_in_stays);

async fn a_group_goes_with_its_policies_and_without_its_things(api: Api) {
    api.group("g", None).await;
    api.thing("t").await;
    api.enter("t", "g").await;
    api.policy("p").await;
    api.attach_to_group("p", "g").await;
    api.delete("/policies/p").quietly().refused(409, "DeleteConflictException").await;
    api.delete("/thing-groups/g?expectedVersion=2").refused(409, "VersionConflictException").await;
    api.delete("/thing-groups/g?expectedVersion=1").ok().await;
    api.get("/thing-groups/g").quietly().refused(404, "ResourceNotFoundException").await;
    assert_eq!(api.get("/things/t/thing-groups").quietly().ok().await, json!({ "thingGroups": [] }));
    api.delete("/policies/p").quietly().ok().await;
    // What is gone can be deleted, and made again with nothing in it.
    api.delete("/thing-groups/g").ok().await;
    api.group("g", None).await;
    assert_eq!(api.get("/thing-groups/g/things").quietly().ok().await, json!({ "things": [] }));
    let target = encoded(&api.arn("thinggroup/g"));
    assert_eq!(api.post(format!("/attached-policies/{target}")).quietly().ok().await, json!({ "policies": [] }));
    api.snapshot("delete_thing_group");
}

async fn a_group_that_others_lie_in_stays(api: Api) {
    api.group("house", None).await;
    api.group("floor", Some("house")).await;
    let refused = api.delete("/thing-groups/house").invalid().await;
    assert!(refused.contains("child groups"), "{refused}");
    api.of_account("210987654321").await.delete("/thing-groups/floor").quietly().ok().await;
    api.get("/thing-groups/floor").quietly().ok().await;
    api.delete("/thing-groups/floor").quietly().ok().await;
    api.delete("/thing-groups/house").quietly().ok().await;
}
