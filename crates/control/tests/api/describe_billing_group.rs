//! DescribeBillingGroup.

use serde_json::json;

use crate::client::Api;
use crate::harness::{NOW, on_both_engines};

on_both_engines!(a_group_is_described);

async fn a_group_is_described(api: Api) {
    api.get("/billing-groups/north").refused(404, "ResourceNotFoundException").await;
    let properties = json!({ "billingGroupDescription": "the \"north\" {1}" });
    let made = api.post("/billing-groups/north").json(json!({ "billingGroupProperties": properties })).ok().await;
    assert_eq!(
        api.get("/billing-groups/north").ok().await,
        json!({
            "billingGroupName": "north",
            "billingGroupId": made["billingGroupId"],
            "billingGroupArn": api.arn("billinggroup/north"),
            "version": 1,
            "billingGroupProperties": properties,
            "billingGroupMetadata": { "creationDate": NOW.as_secs() },
        })
    );
    // What was not said is left out.
    api.billing_group("plain").await;
    assert_eq!(api.get("/billing-groups/plain").ok().await["billingGroupProperties"], json!({}));
    api.get("/billing-groups/North").refused(404, "ResourceNotFoundException").await;
    api.get("/billing-groups/a%20b").invalid().await;
    api.snapshot("describe_billing_group");
}
