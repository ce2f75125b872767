//! UpdateBillingGroup.

use serde_json::{Value, json};

use crate::client::{Api, Ask};
use crate::harness::on_both_engines;

on_both_engines!(a_description_changes_when_it_is_named, what_does_not_fit_is_refused);

fn update(api: &Api, body: Value) -> Ask {
    api.patch("/billing-groups/g").json(body)
}

async fn a_description_changes_when_it_is_named(api: Api) {
    api.billing_group("g").await;
    let steps = [
        (json!({ "billingGroupDescription": "a" }), json!({ "billingGroupDescription": "a" })),
        (json!({}), json!({ "billingGroupDescription": "a" })),
        (json!({ "billingGroupDescription": "b" }), json!({ "billingGroupDescription": "b" })),
        (json!({ "billingGroupDescription": "" }), json!({})),
    ];
    for (version, (given, after)) in (2..).zip(steps) {
        let body = json!({ "billingGroupProperties": given, "expectedVersion": version - 1 });
        assert_eq!(update(&api, body).ok().await, json!({ "version": version }));
        let told = api.get("/billing-groups/g").quietly().ok().await;
        assert_eq!((&told["billingGroupProperties"], &told["version"]), (&after, &json!(version)));
    }
    api.snapshot("update_billing_group");
}

async fn what_does_not_fit_is_refused(api: Api) {
    let given = json!({ "billingGroupDescription": "a" });
    let body = json!({ "billingGroupProperties": given });
    update(&api, body.clone()).refused(404, "ResourceNotFoundException").await;
    api.billing_group("g").await;
    for expected in [0, 2, -1] {
        let body = json!({ "billingGroupProperties": given, "expectedVersion": expected });
        update(&api, body).refused(409, "VersionConflictException").await;
    }
    update(&api, json!({})).invalid().await;
    update(&api, json!({ "expectedVersion": 1 })).invalid().await;
    update(&api, json!({ "billingGroupProperties": { "billingGroupDescription": "d".repeat(2029) } })).invalid().await;
    update(&api, json!({ "billingGroupProperties": given, "expectedVersion": "1" })).invalid().await;
    assert_eq!(api.get("/billing-groups/g").quietly().ok().await["version"], 1);
    update(&api, body).ok().await;
    api.snapshot("update_billing_group_refused");
}
