//! DescribeThingGroup.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;

on_both_engines!(a_group_tells_where_it_lies, what_does_not_exist_is_not_found);

async fn a_group_tells_where_it_lies(api: Api) {
    api.group("house", None).await;
    api.group("floor", Some("house")).await;
    let properties = json!({ "thingGroupDescription": "a room", "attributePayload": { "attributes": { "a": "1" } } });
    let body = json!({ "parentGroupName": "floor", "thingGroupProperties": properties });
    let made = api.post("/thing-groups/room").json(body).quietly().ok().await;
    let told = api.get("/thing-groups/room").ok().await;
    assert_eq!(told["thingGroupId"], made["thingGroupId"]);
    assert_eq!(
        told["thingGroupMetadata"]["rootToParentThingGroups"],
        json!([
            { "groupName": "house", "groupArn": api.arn("thinggroup/house") },
            { "groupName": "floor", "groupArn": api.arn("thinggroup/floor") },
        ])
    );
    assert_eq!(told["thingGroupMetadata"]["parentGroupName"], "floor");
    assert_eq!(told["thingGroupProperties"], properties);
    let root = api.get("/thing-groups/house").ok().await;
    assert_eq!(root["thingGroupProperties"], json!({}));
    assert_eq!(root["version"], 1);
    api.snapshot("describe_thing_group");
}

async fn what_does_not_exist_is_not_found(api: Api) {
    api.group("g", None).await;
    api.get("/thing-groups/G").refused(404, "ResourceNotFoundException").await;
    let other = api.of_account("210987654321").await;
    other.get("/thing-groups/g").refused(404, "ResourceNotFoundException").await;
    api.get("/thing-groups/a%20b").invalid().await;
}
