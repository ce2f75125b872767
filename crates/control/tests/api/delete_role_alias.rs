//! DeleteRoleAlias.

use serde_json::json;

use crate::client::Api;
use crate::harness::{OTHER_REGION, on_both_engines};

on_both_engines!(an_alias_is_deleted_once);

async fn an_alias_is_deleted_once(api: Api) {
    api.delete("/role-aliases/a").refused(404, "ResourceNotFoundException").await;
    let role = json!({ "roleArn": "arn:aws:iam::123456789012:role/r" });
    for api in [&api, &api.in_region(OTHER_REGION)] {
        api.post("/role-aliases/a").json(role.clone()).quietly().ok().await;
    }
    assert_eq!(api.delete("/role-aliases/a").ok().await, json!({}));
    api.get("/role-aliases/a").refused(404, "ResourceNotFoundException").await;
    api.delete("/role-aliases/a").refused(404, "ResourceNotFoundException").await;
    api.in_region(OTHER_REGION).get("/role-aliases/a").quietly().ok().await;
    api.delete("/role-aliases/a.b").invalid().await;
    api.snapshot("delete_role_alias");
}
