//! RemoveThingFromBillingGroup.

use serde_json::{Value, json};

use crate::client::{Api, Ask};
use crate::harness::{OTHER_REGION, on_both_engines};

on_both_engines!(a_thing_leaves_the_group_that_it_is_in, what_does_not_exist_is_not_removed);

fn remove(api: &Api, body: Value) -> Ask {
    api.put("/billing-groups/removeThingFromBillingGroup").json(body)
}

async fn a_thing_leaves_the_group_that_it_is_in(api: Api) {
    api.thing("t").await;
    api.billing_group("g").await;
    api.billing_group("h").await;
    let from = |group: &str| remove(&api, json!({ "billingGroupName": group, "thingName": "t" }));
    // One that is in none.
    from("g").ok().await;
    api.add_to_billing_group("t", "g").await;
    // One that is in another.
    from("h").ok().await;
    assert_eq!(api.billing_group_of("t").await, "g");
    assert_eq!(from("g").ok().await, json!({}));
    assert_eq!(api.billing_group_of("t").await, Value::Null);
    assert_eq!(api.get("/things/t").ok().await["version"], 1);
    assert_eq!(api.get("/billing-groups/g/things").ok().await["things"], json!([]));
    api.add_to_billing_group("t", "g").await;
    let by_arn = json!({ "billingGroupArn": api.arn("billinggroup/g"), "thingArn": api.arn("thing/t") });
    remove(&api, by_arn).ok().await;
    assert_eq!(api.billing_group_of("t").await, Value::Null);
    api.snapshot("remove_thing_from_billing_group");
}

async fn what_does_not_exist_is_not_removed(api: Api) {
    api.thing("t").await;
    api.billing_group("g").await;
    api.add_to_billing_group("t", "g").await;
    let not_found = "ResourceNotFoundException";
    remove(&api, json!({ "billingGroupName": "nope", "thingName": "t" })).refused(404, not_found).await;
    remove(&api, json!({ "billingGroupName": "g", "thingName": "nope" })).refused(404, not_found).await;
    let abroad = api.in_region(OTHER_REGION);
    let (group, thing) = (api.arn("billinggroup/g"), api.arn("thing/t"));
    remove(&abroad, json!({ "billingGroupArn": group, "thingArn": thing })).refused(404, not_found).await;
    for body in [
        json!({}),
        json!({ "billingGroupName": "g" }),
        json!({ "thingName": "t" }),
        json!({ "billingGroupName": "h", "billingGroupArn": group, "thingName": "t" }),
        json!({ "billingGroupArn": thing, "thingName": "t" }),
    ] {
        remove(&api, body).invalid().await;
    }
    assert_eq!(api.billing_group_of("t").await, "g");
    api.snapshot("remove_thing_from_billing_group_refused");
}
