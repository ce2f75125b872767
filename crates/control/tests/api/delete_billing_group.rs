//! DeleteBillingGroup.

use serde_json::{Value, json};

use crate::client::Api;
use crate::harness::on_both_engines;

on_both_engines!(a_group_goes_and_its_things_are_in_none);

async fn a_group_goes_and_its_things_are_in_none(api: Api) {
    // What does not exist is deleted already.
    assert_eq!(api.delete("/billing-groups/g").ok().await, json!({}));
    assert_eq!(api.delete("/billing-groups/g?expectedVersion=7").ok().await, json!({}));
    api.billing_group("g").await;
    let make = json!({ "billingGroupName": "g" });
    let made = api.post("/things/t").json(make.clone()).ok().await;
    api.delete("/billing-groups/g?expectedVersion=2").refused(409, "VersionConflictException").await;
    api.delete("/billing-groups/g?expectedVersion=one").invalid().await;
    assert_eq!(api.billing_group_of("t").await, "g");
    api.delete("/billing-groups/g?expectedVersion=1").ok().await;
    api.get("/billing-groups/g").refused(404, "ResourceNotFoundException").await;
    assert_eq!(api.billing_group_of("t").await, Value::Null);
    // The thing is now as if it had been made without a group.
    api.post("/things/t").json(make.clone()).refused(409, "ResourceAlreadyExistsException").await;
    assert_eq!(api.post("/things/t").ok().await, made);
    // Another group of the same name does not get the things of the former.
    api.billing_group("g").await;
    assert_eq!(api.billing_group_of("t").await, Value::Null);
    assert_eq!(api.get("/billing-groups/g/things").ok().await, json!({ "things": [] }));
    api.post("/things/t").json(make).refused(409, "ResourceAlreadyExistsException").await;
    let member = json!({ "billingGroupName": "g", "thingName": "t" });
    api.put("/billing-groups/removeThingFromBillingGroup").json(member).ok().await;
    api.add_to_billing_group("t", "g").await;
    assert_eq!(api.billing_group_of("t").await, "g");
    api.snapshot("delete_billing_group");
}
