//! AddThingToBillingGroup.

use serde_json::{Value, json};

use crate::client::{Api, Ask};
use crate::harness::{OTHER_REGION, on_both_engines};

on_both_engines!(
    a_thing_is_in_one_group_at_most,
    name_and_arn_name_the_same,
    what_does_not_exist_is_not_added,
    a_key_needs_leave_for_the_group_and_for_the_thing,
);

fn add(api: &Api, body: Value) -> Ask {
    api.put("/billing-groups/addThingToBillingGroup").json(body)
}

async fn registry(api: &Api) {
    api.thing("t").await;
    api.billing_group("g").await;
    api.billing_group("h").await;
}

async fn a_thing_is_in_one_group_at_most(api: Api) {
    registry(&api).await;
    let into = |group: &str| add(&api, json!({ "billingGroupName": group, "thingName": "t" }));
    assert_eq!(into("g").ok().await, json!({}));
    into("g").ok().await;
    assert_eq!(api.billing_group_of("t").await, "g");
    into("h").ok().await;
    assert_eq!(api.billing_group_of("t").await, "h");
    assert_eq!(api.get("/billing-groups/g/things").ok().await["things"], json!([]));
    assert_eq!(api.get("/billing-groups/h/things").ok().await["things"], json!(["t"]));
    // Neither the thing nor the group is changed by it.
    assert_eq!(api.get("/things/t").ok().await["version"], 1);
    assert_eq!(api.get("/billing-groups/h").quietly().ok().await["version"], 1);
    // Updating the thing leaves its group alone.
    let update = json!({ "attributePayload": { "attributes": { "a": "1" } }, "expectedVersion": 1 });
    api.patch("/things/t").json(update).ok().await;
    assert_eq!(api.billing_group_of("t").await, "h");
    api.snapshot("add_thing_to_billing_group");
}

async fn name_and_arn_name_the_same(api: Api) {
    registry(&api).await;
    let (group, thing) = (api.arn("billinggroup/g"), api.arn("thing/t"));
    for body in [
        json!({ "billingGroupArn": group, "thingArn": thing }),
        json!({ "billingGroupArn": group, "thingName": "t" }),
        json!({ "billingGroupName": "g", "billingGroupArn": group, "thingName": "t", "thingArn": thing }),
    ] {
        add(&api, body).ok().await;
        assert_eq!(api.billing_group_of("t").await, "g");
        api.add_to_billing_group("t", "h").await;
    }
    for body in [
        json!({}),
        json!({ "billingGroupName": "g" }),
        json!({ "thingName": "t" }),
        json!({ "billingGroupName": "h", "billingGroupArn": group, "thingName": "t" }),
        json!({ "billingGroupName": "g", "thingName": "u", "thingArn": thing }),
        json!({ "billingGroupArn": "g", "thingName": "t" }),
        json!({ "billingGroupArn": thing, "thingName": "t" }),
        json!({ "billingGroupName": "g", "thingArn": group }),
        json!({ "billingGroupArn": api.arn("thinggroup/g"), "thingName": "t" }),
        json!({ "billingGroupArn": format!("{group}/x"), "thingName": "t" }),
        json!({ "billingGroupName": "a b", "thingName": "t" }),
    ] {
        add(&api, body).invalid().await;
    }
    assert_eq!(api.billing_group_of("t").await, "h");
    api.snapshot("add_thing_to_billing_group_named");
}

async fn what_does_not_exist_is_not_added(api: Api) {
    registry(&api).await;
    let not_found = "ResourceNotFoundException";
    add(&api, json!({ "billingGroupName": "nope", "thingName": "t" })).refused(404, not_found).await;
    add(&api, json!({ "billingGroupName": "g", "thingName": "nope" })).refused(404, not_found).await;
    // What lies elsewhere does not exist, whatever has its name here.
    let other = api.of_account("210987654321").await;
    for elsewhere in [api.in_region(OTHER_REGION), other] {
        registry(&elsewhere).await;
        let (group, thing) = (elsewhere.arn("billinggroup/g"), elsewhere.arn("thing/t"));
        add(&api, json!({ "billingGroupArn": group, "thingName": "t" })).refused(404, not_found).await;
        add(&api, json!({ "billingGroupName": "g", "thingArn": thing })).refused(404, not_found).await;
        add(&api, json!({ "billingGroupName": "g", "billingGroupArn": group, "thingName": "t" }))
            .refused(404, not_found)
            .await;
        assert_eq!(elsewhere.billing_group_of("t").await, Value::Null);
    }
    assert_eq!(api.billing_group_of("t").await, Value::Null);
    api.snapshot("add_thing_to_billing_group_unknown");
}

async fn a_key_needs_leave_for_the_group_and_for_the_thing(api: Api) {
    registry(&api).await;
    let denied = "AccessDeniedException";
    let may = |resources: Value| {
        let actions = ["iot:AddThingToBillingGroup", "iot:RemoveThingFromBillingGroup", "iot:CreateThing"];
        api.limited(json!([{ "Effect": "Allow", "Action": actions, "Resource": resources }]))
    };
    let by_name = json!({ "billingGroupName": "g", "thingName": "t" });
    let by_arn = json!({ "billingGroupArn": api.arn("billinggroup/g"), "thingArn": api.arn("thing/t") });
    let create = |caller: &Api, name: &str| {
        caller.post(format!("/things/{name}")).json(json!({ "billingGroupName": "g" }))
    };
    for half in [api.arn("thing/*"), api.arn("billinggroup/*")] {
        let limited = may(json!(half)).await;
        for body in [&by_name, &by_arn] {
            add(&limited, body.clone()).refused(403, denied).await;
            limited.put("/billing-groups/removeThingFromBillingGroup").json(body.clone()).refused(403, denied).await;
        }
        create(&limited, "u").refused(403, denied).await;
    }
    api.get("/things/u").quietly().refused(404, "ResourceNotFoundException").await;
    let both = may(json!([api.arn("thing/*"), api.arn("billinggroup/g")])).await;
    add(&both, by_name.clone()).ok().await;
    both.put("/billing-groups/removeThingFromBillingGroup").json(by_arn).ok().await;
    create(&both, "u").ok().await;
    let other_group = json!({ "billingGroupName": "h", "thingName": "t" });
    add(&both, other_group).refused(403, denied).await;
    // A thing without a group needs leave for the thing alone.
    may(json!(api.arn("thing/*"))).await.post("/things/v").ok().await;
}
