//! UpdateRoleAlias.

use serde_json::{Value, json};

use crate::client::{Api, Ask};
use crate::harness::on_both_engines;

on_both_engines!(role_and_duration_change_apart);

async fn role_and_duration_change_apart(api: Api) {
    let update = |body: Value| -> Ask { api.put("/role-aliases/a").json(body) };
    update(json!({ "credentialDurationSeconds": 900 })).refused(404, "ResourceNotFoundException").await;
    let first = "arn:aws:iam::123456789012:role/first";
    api.post("/role-aliases/a").json(json!({ "roleArn": first })).quietly().ok().await;
    let shown = || async { api.get("/role-aliases/a").ok().await["roleAliasDescription"].clone() };
    let made = shown().await;

    api.clock().advance_ms(1_500);
    assert_eq!(update(json!({ "credentialDurationSeconds": 900 })).ok().await["roleAlias"], "a");
    let changed = shown().await;
    assert_eq!((&changed["roleArn"], &changed["credentialDurationSeconds"]), (&json!(first), &json!(900)));
    assert_eq!(changed["creationDate"], made["creationDate"]);
    assert_ne!(changed["lastModifiedDate"], made["lastModifiedDate"]);
    let second = "arn:aws:iam::123456789012:role/second";
    update(json!({ "roleArn": second })).ok().await;
    let changed = shown().await;
    assert_eq!((&changed["roleArn"], &changed["credentialDurationSeconds"]), (&json!(second), &json!(900)));

    for body in [
        json!({ "credentialDurationSeconds": 899 }),
        json!({ "credentialDurationSeconds": 43_201 }),
        json!({ "roleArn": "arn:aws:iam::123456789012:root" }),
        json!({ "roleArn": "arn:aws:iam::210987654321:role/second" }),
        json!({ "tags": [] }),
    ] {
        update(body).invalid().await;
    }
    assert_eq!(shown().await, changed);
    api.snapshot("update_role_alias");
}
