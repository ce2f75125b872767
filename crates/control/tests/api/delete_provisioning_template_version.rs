//! DeleteProvisioningTemplateVersion.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::TEMPLATE;

on_both_engines!(the_default_version_stays);

async fn the_default_version_stays(api: Api) {
    let path = "/provisioning-templates/t/versions";
    api.delete(format!("{path}/1")).refused(404, "ResourceNotFoundException").await;
    api.template("t", "JITP").await;
    api.post(path).json(json!({ "templateBody": TEMPLATE })).ok().await;
    api.delete(format!("{path}/1")).refused(409, "DeleteConflictException").await;
    api.patch("/provisioning-templates/t").json(json!({ "defaultVersionId": 2 })).ok().await;
    api.delete(format!("{path}/2")).refused(409, "DeleteConflictException").await;
    assert_eq!(api.delete(format!("{path}/1")).ok().await, json!({}));
    for unknown in ["1", "3", "0"] {
        api.delete(format!("{path}/{unknown}")).refused(404, "ResourceNotFoundException").await;
    }
    api.delete(format!("{path}/x")).invalid().await;
    let left = api.get(path).ok().await["versions"].clone();
    assert_eq!(left, json!([{ "versionId": 2, "creationDate": 1_800_000_000, "isDefaultVersion": true }]));
    api.snapshot("delete_provisioning_template_version");
}
