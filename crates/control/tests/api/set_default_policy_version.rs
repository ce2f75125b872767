//! SetDefaultPolicyVersion.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::ALLOW_CONNECT;

on_both_engines!(another_version_comes_into_force);

async fn another_version_comes_into_force(api: Api) {
    api.patch("/policies/p/version/1").refused(404, "ResourceNotFoundException").await;
    api.policy("p").await;
    api.post("/policies/p/version").json(json!({ "policyDocument": ALLOW_CONNECT })).quietly().ok().await;
    let before = api.get("/policies/p").ok().await;
    api.clock().advance_ms(1_000);
    assert_eq!(api.patch("/policies/p/version/2").ok().await, json!({}));
    let after = api.get("/policies/p").ok().await;
    assert_eq!((&after["defaultVersionId"], &after["policyDocument"]), (&json!("2"), &json!(ALLOW_CONNECT)));
    assert_ne!(after["generationId"], before["generationId"]);
    // Again: nothing changes.
    api.clock().advance_ms(1_000);
    api.patch("/policies/p/version/2").ok().await;
    assert_eq!(api.get("/policies/p").ok().await, after);
    for unknown in ["3", "0", "99999999999999999999"] {
        api.patch(format!("/policies/p/version/{unknown}")).refused(404, "ResourceNotFoundException").await;
    }
    api.patch("/policies/p/version/two").invalid().await;
    api.snapshot("set_default_policy_version");
}
