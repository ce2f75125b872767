//! ListProvisioningTemplateVersions.

use serde_json::json;

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;
use crate::samples::TEMPLATE;

on_both_engines!(the_newest_version_comes_first);

async fn the_newest_version_comes_first(api: Api) {
    let path = "/provisioning-templates/t/versions";
    api.get(path).refused(404, "ResourceNotFoundException").await;
    api.template("t", "JITP").await;
    for query in ["?setAsDefault=true", ""] {
        api.clock().advance_ms(1_500);
        api.post(format!("{path}{query}")).json(json!({ "templateBody": TEMPLATE })).quietly().ok().await;
    }
    let first = api.get(format!("{path}?maxResults=2")).ok().await;
    assert_eq!(
        first["versions"],
        json!([
            { "versionId": 3, "creationDate": 1_800_000_003, "isDefaultVersion": false },
            { "versionId": 2, "creationDate": 1_800_000_001.5, "isDefaultVersion": true },
        ])
    );
    let token = encoded(first["nextToken"].as_str().unwrap());
    let rest = api.get(format!("{path}?maxResults=2&nextToken={token}")).quietly().ok().await;
    let last = json!([{ "versionId": 1, "creationDate": 1_800_000_000, "isDefaultVersion": false }]);
    assert_eq!(rest, json!({ "versions": last }));
    api.get(format!("{path}?maxResults=0")).invalid().await;
    api.get(format!("{path}?nextToken=AAAA")).invalid().await;
    api.snapshot("list_provisioning_template_versions");
}
