//! CreateProvisioningTemplateVersion.

use serde_json::json;

use crate::client::{Api, Ask};
use crate::harness::on_both_engines;
use crate::samples::{TEMPLATE, TEMPLATE_INACTIVE};

on_both_engines!(
    a_version_is_provisioned_by_when_asked,
    a_template_has_five_versions_at_most,
    what_makes_no_version_is_refused,
);

const PATH: &str = "/provisioning-templates/fleet";

fn create(api: &Api, query: &str, body: &str) -> Ask {
    api.post(format!("{PATH}/versions{query}")).json(json!({ "templateBody": body }))
}

async fn a_version_is_provisioned_by_when_asked(api: Api) {
    api.template("fleet", "FLEET_PROVISIONING").await;
    api.clock().advance_ms(1_500);
    let made = create(&api, "", TEMPLATE_INACTIVE).ok().await;
    let arn = api.arn("provisioningtemplate/fleet");
    assert_eq!(
        made,
        json!({ "templateArn": arn, "templateName": "fleet", "versionId": 2, "isDefaultVersion": false })
    );
    let described = api.get(PATH).ok().await;
    assert_eq!((&described["templateBody"], &described["defaultVersionId"]), (&json!(TEMPLATE), &json!(1)));
    let made = create(&api, "?setAsDefault=true", TEMPLATE_INACTIVE).ok().await;
    assert_eq!((&made["versionId"], &made["isDefaultVersion"]), (&json!(3), &json!(true)));
    let described = api.get(PATH).ok().await;
    assert_eq!((&described["templateBody"], &described["defaultVersionId"]), (&json!(TEMPLATE_INACTIVE), &json!(3)));
    api.snapshot("create_provisioning_template_version");
}

async fn a_template_has_five_versions_at_most(api: Api) {
    api.template("fleet", "FLEET_PROVISIONING").await;
    for _ in 0..4 {
        create(&api, "", TEMPLATE).quietly().ok().await;
    }
    create(&api, "", TEMPLATE).refused(409, "VersionsLimitExceededException").await;
    create(&api, "?setAsDefault=true", TEMPLATE).refused(409, "VersionsLimitExceededException").await;
    // A number is never used again.
    api.delete(format!("{PATH}/versions/5")).ok().await;
    assert_eq!(create(&api, "", TEMPLATE).ok().await["versionId"], 6);
    api.snapshot("create_provisioning_template_version_limit");
}

async fn what_makes_no_version_is_refused(api: Api) {
    create(&api, "", TEMPLATE).refused(404, "ResourceNotFoundException").await;
    api.template("fleet", "JITP").await;
    let told = TEMPLATE.replace("{\"Resources\"", "{\"DeviceConfiguration\":{\"a\":\"b\"},\"Resources\"");
    for body in ["", "{}", &told, &format!("{TEMPLATE}{}", " ".repeat(10_240))] {
        create(&api, "", body).invalid().await;
    }
    create(&api, "?setAsDefault=2", TEMPLATE).invalid().await;
    api.post(format!("{PATH}/versions")).json(json!({})).invalid().await;
    let versions = api.get(format!("{PATH}/versions")).quietly().ok().await;
    assert_eq!(versions["versions"].as_array().unwrap().len(), 1);
    api.snapshot("create_provisioning_template_version_refused");
}
