//! ListRoleAliases.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;

on_both_engines!(aliases_are_listed_by_name);

async fn aliases_are_listed_by_name(api: Api) {
    assert_eq!(api.get("/role-aliases").ok().await, json!({ "roleAliases": [] }));
    let role = json!({ "roleArn": "arn:aws:iam::123456789012:role/r" });
    for alias in ["b", "a", "B", "c"] {
        api.post(format!("/role-aliases/{alias}")).json(role.clone()).quietly().ok().await;
    }
    assert_eq!(api.get("/role-aliases").ok().await["roleAliases"], json!(["c", "b", "a", "B"]));
    let first = api.get("/role-aliases?isAscendingOrder=true&pageSize=3").quietly().ok().await;
    assert_eq!(first["roleAliases"], json!(["B", "a", "b"]));
    let marker = crate::client::encoded(first["nextMarker"].as_str().unwrap());
    let rest = api.get(format!("/role-aliases?isAscendingOrder=true&pageSize=3&marker={marker}")).quietly().ok().await;
    assert_eq!(rest, json!({ "roleAliases": ["c"] }));
    api.get("/role-aliases?pageSize=0").invalid().await;
    api.get("/role-aliases?pageSize=251").invalid().await;
    api.get("/role-aliases?marker=AAAA").invalid().await;
    api.snapshot("list_role_aliases");
}
