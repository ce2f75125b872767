//! DescribeProvisioningTemplate.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::{ROLE, TEMPLATE, TEMPLATE_INACTIVE};

on_both_engines!(a_template_tells_all_that_it_is);

async fn a_template_tells_all_that_it_is(api: Api) {
    api.get("/provisioning-templates/fleet").refused(404, "ResourceNotFoundException").await;
    let body = json!({
        "templateName": "fleet",
        "description": "of lamps",
        "templateBody": format!(" {TEMPLATE}\n"),
        "enabled": true,
        "provisioningRoleArn": ROLE,
    });
    api.post("/provisioning-templates").json(body).ok().await;
    assert_eq!(
        api.get("/provisioning-templates/fleet").ok().await,
        json!({
            "templateName": "fleet",
            "templateArn": api.arn("provisioningtemplate/fleet"),
            "description": "of lamps",
            "creationDate": 1_800_000_000,
            "lastModifiedDate": 1_800_000_000,
            "defaultVersionId": 1,
            // As it was given.
            "templateBody": format!(" {TEMPLATE}\n"),
            "enabled": true,
            "provisioningRoleArn": ROLE,
            "type": "FLEET_PROVISIONING",
        })
    );
    let version = json!({ "templateBody": TEMPLATE_INACTIVE });
    api.post("/provisioning-templates/fleet/versions?setAsDefault=true").json(version).ok().await;
    let described = api.get("/provisioning-templates/fleet").ok().await;
    assert_eq!((&described["defaultVersionId"], &described["templateBody"]), (&json!(2), &json!(TEMPLATE_INACTIVE)));
    api.get("/provisioning-templates/Fleet").refused(404, "ResourceNotFoundException").await;
    api.get("/provisioning-templates/a.b").invalid().await;
    api.snapshot("describe_provisioning_template");
}
