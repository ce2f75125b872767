//! CreateBillingGroup.

use gatehouse_domain::limits;
use gatehouse_store::{Batch, BillingGroupRecord};
use serde_json::{Value, json};

use crate::client::{Api, Ask, encoded};
use crate::harness::{ACCOUNT, NOW, REGION, on_both_engines};

on_both_engines!(
    creating_again_answers_the_group_that_exists,
    what_breaks_a_rule_is_not_made,
    tags_come_with_a_group,
    a_scope_has_twenty_thousand_groups_at_most,
);

fn create(api: &Api, name: &str, properties: Value) -> Ask {
    api.post(format!("/billing-groups/{name}")).json(json!({ "billingGroupProperties": properties }))
}

async fn creating_again_answers_the_group_that_exists(api: Api) {
    let north = json!({ "billingGroupDescription": "the north" });
    let made = create(&api, "north", north.clone()).ok().await;
    assert_eq!(
        (&made["billingGroupName"], &made["billingGroupArn"]),
        (&json!("north"), &json!(api.arn("billinggroup/north")))
    );
    assert_eq!(create(&api, "north", north).ok().await, made);
    for other in [json!({ "billingGroupDescription": "the south" }), json!({})] {
        let refused = create(&api, "north", other).refused(409, "ResourceAlreadyExistsException").await;
        assert_eq!(
            (&refused["resourceId"], &refused["resourceArn"]),
            (&made["billingGroupId"], &made["billingGroupArn"])
        );
    }
    let plain = api.post("/billing-groups/plain").ok().await;
    assert_eq!(create(&api, "plain", json!({ "billingGroupDescription": "" })).ok().await, plain);
    // Capitals make another name, and a name used again another group.
    create(&api, "North", json!({})).ok().await;
    api.delete("/billing-groups/plain").ok().await;
    assert_ne!(api.post("/billing-groups/plain").ok().await["billingGroupId"], plain["billingGroupId"]);
    api.snapshot("create_billing_group");
}

async fn what_breaks_a_rule_is_not_made(api: Api) {
    for properties in [
        json!({ "billingGroupDescription": "d".repeat(2029) }),
        json!({ "billingGroupDescription": "a\nb" }),
        json!({ "billingGroupDescription": 1 }),
        json!({ "nonsense": "a" }),
    ] {
        create(&api, "g", properties).invalid().await;
    }
    for name in ["a%20b", "a%2Fb", "a.b", "%C3%BC", &"n".repeat(129)] {
        create(&api, name, json!({})).invalid().await;
    }
    api.post("/billing-groups/g").json(json!({ "tags": [{ "Key": "aws:a", "Value": "1" }] })).invalid().await;
    api.get("/billing-groups/g").refused(404, "ResourceNotFoundException").await;
    let fits = json!({ "billingGroupDescription": "d".repeat(2028) });
    create(&api, &encoded(&format!("{}:_-9", "n".repeat(124))), fits).ok().await;
    api.snapshot("create_billing_group_refused");
}

async fn tags_come_with_a_group(api: Api) {
    let tagged = |tags: Value| api.post("/billing-groups/g").json(json!({ "tags": tags }));
    let made = tagged(json!([{ "Key": "b", "Value": "2" }])).ok().await;
    let arn = api.arn("billinggroup/g");
    let listed = || api.get(format!("/tags?resourceArn={}", encoded(&arn))).quietly();
    assert_eq!(tagged(json!([{ "Key": "b", "Value": "2" }])).ok().await, made);
    tagged(json!([{ "Key": "b", "Value": "3" }])).refused(409, "ResourceAlreadyExistsException").await;
    api.post("/tags").json(json!({ "resourceArn": arn, "tags": [{ "Key": "a", "Value": "1" }] })).ok().await;
    assert_eq!(listed().ok().await["tags"], json!([{ "Key": "a", "Value": "1" }, { "Key": "b", "Value": "2" }]));
    api.post("/untag").json(json!({ "resourceArn": arn, "tagKeys": ["b"] })).ok().await;
    // They go with the group, and do not come back with its name.
    api.delete("/billing-groups/g").ok().await;
    listed().refused(404, "ResourceNotFoundException").await;
    api.billing_group("g").await;
    assert_eq!(listed().ok().await["tags"], json!([]));
    api.snapshot("create_billing_group_tags");
}

async fn a_scope_has_twenty_thousand_groups_at_most(api: Api) {
    // Made past the door, for time's sake.
    let scope = gatehouse_domain::scope::Scope::new(ACCOUNT.parse().unwrap(), REGION.parse().unwrap());
    let numbers: Vec<u32> = (0..limits::BILLING_GROUPS - 1).collect();
    for numbers in numbers.chunks(500) {
        let mut batch = Batch::new();
        for number in numbers {
            batch.insert_billing_group(&BillingGroupRecord {
                scope,
                name: format!("g{number}").parse().unwrap(),
                billing_group_id: format!("id-{number}"),
                description: None,
                version: 1,
                created_at: NOW,
            });
        }
        api.running().house.store.commit(batch, NOW).await.unwrap();
    }
    create(&api, "last", json!({})).ok().await;
    let refused = create(&api, "more", json!({})).invalid().await;
    assert!(refused.contains("(20000)"), "{refused}");
    // What exists is not counted twice, and what is gone makes room.
    create(&api, "g7", json!({})).ok().await;
    api.delete("/billing-groups/g7").ok().await;
    create(&api, "more", json!({})).ok().await;
    create(&api, "g7", json!({})).invalid().await;
}
