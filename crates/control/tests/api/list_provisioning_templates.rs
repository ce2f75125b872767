//! ListProvisioningTemplates.

use serde_json::json;

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(templates_are_listed_by_name);

async fn templates_are_listed_by_name(api: Api) {
    let path = "/provisioning-templates";
    assert_eq!(api.get(path).ok().await, json!({ "templates": [] }));
    for name in ["b", "a", "B"] {
        api.template(name, "JITP").await;
    }
    api.clock().advance_ms(1_500);
    api.patch("/provisioning-templates/a").json(json!({ "description": "first" })).quietly().ok().await;
    let first = api.get(format!("{path}?maxResults=2")).ok().await;
    assert_eq!(
        first["templates"],
        json!([
            {
                "templateArn": api.arn("provisioningtemplate/B"),
                "templateName": "B",
                "creationDate": 1_800_000_000,
                "lastModifiedDate": 1_800_000_000,
                "enabled": false,
                "type": "JITP",
            },
            {
                "templateArn": api.arn("provisioningtemplate/a"),
                "templateName": "a",
                "description": "first",
                "creationDate": 1_800_000_000,
                "lastModifiedDate": 1_800_000_001.5,
                "enabled": false,
                "type": "JITP",
            },
        ])
    );
    let token = encoded(first["nextToken"].as_str().unwrap());
    let rest = api.get(format!("{path}?maxResults=2&nextToken={token}")).quietly().ok().await;
    assert_eq!(rest["templates"][0]["templateName"], "b");
    assert_eq!(rest.get("nextToken"), None);
    api.get(format!("{path}?maxResults=0")).invalid().await;
    api.get(format!("{path}?maxResults=251")).invalid().await;
    api.get(format!("{path}?nextToken=AAAA")).invalid().await;
    api.snapshot("list_provisioning_templates");
}
