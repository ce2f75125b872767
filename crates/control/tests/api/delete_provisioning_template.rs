//! DeleteProvisioningTemplate.

use serde_json::json;

use crate::authority::Authority;
use crate::client::Api;
use crate::harness::{OTHER_REGION, on_both_engines};
use crate::samples::TEMPLATE;

on_both_engines!(a_template_is_deleted_once_with_its_versions, what_an_authority_names_stays);

async fn a_template_is_deleted_once_with_its_versions(api: Api) {
    let path = "/provisioning-templates/t";
    api.delete(path).refused(404, "ResourceNotFoundException").await;
    for api in [&api, &api.in_region(OTHER_REGION)] {
        api.template("t", "JITP").await;
    }
    api.post(format!("{path}/versions")).json(json!({ "templateBody": TEMPLATE })).quietly().ok().await;
    assert_eq!(api.delete(path).ok().await, json!({}));
    api.get(path).refused(404, "ResourceNotFoundException").await;
    api.get(format!("{path}/versions/2")).refused(404, "ResourceNotFoundException").await;
    api.delete(path).refused(404, "ResourceNotFoundException").await;
    api.in_region(OTHER_REGION).get(path).quietly().ok().await;
    api.delete("/provisioning-templates/a.b").invalid().await;
    // One that is made again begins anew.
    api.template("t", "FLEET_PROVISIONING").await;
    let versions = api.get(format!("{path}/versions")).ok().await["versions"].clone();
    assert_eq!(versions, json!([{ "versionId": 1, "creationDate": 1_800_000_000, "isDefaultVersion": true }]));
    api.snapshot("delete_provisioning_template");
}

async fn what_an_authority_names_stays(api: Api) {
    api.template("t", "JITP").await;
    let id = Authority::new("authority").registered(&api).await;
    let update = |body| api.put(format!("/cacertificate/{id}")).json(body).quietly();
    update(json!({ "registrationConfig": { "templateName": "t" } })).ok().await;
    let refused = api.delete("/provisioning-templates/t").refused(409, "DeleteConflictException").await;
    assert_eq!(
        refused["message"],
        "provisioning template t is named in the registrationConfig of CA certificates: change them first"
    );
    // It may change all the same.
    api.patch("/provisioning-templates/t").json(json!({ "enabled": true })).quietly().ok().await;
    update(json!({ "removeAutoRegistration": true })).ok().await;
    api.delete("/provisioning-templates/t").ok().await;
}
