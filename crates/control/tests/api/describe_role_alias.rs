//! DescribeRoleAlias.

use serde_json::json;

use crate::client::Api;
use crate::harness::{ACCOUNT, on_both_engines};

on_both_engines!(an_alias_tells_all_that_it_is);

async fn an_alias_tells_all_that_it_is(api: Api) {
    api.get("/role-aliases/reader").refused(404, "ResourceNotFoundException").await;
    let role = json!({ "roleArn": "arn:aws:iam::123456789012:role/reader" });
    api.post("/role-aliases/reader").json(role).ok().await;
    let described = api.get("/role-aliases/reader").ok().await["roleAliasDescription"].clone();
    assert_eq!((&described["owner"], &described["credentialDurationSeconds"]), (&json!(ACCOUNT), &json!(3600)));
    api.get("/role-aliases/Reader").refused(404, "ResourceNotFoundException").await;
    api.get("/role-aliases/a.b").invalid().await;
    let other = api.of_account("210987654321").await;
    other.get("/role-aliases/reader").refused(404, "ResourceNotFoundException").await;
    api.snapshot("describe_role_alias");
}
