//! DeletePolicyVersion.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::ALLOW_CONNECT;

on_both_engines!(the_default_version_stays);

async fn the_default_version_stays(api: Api) {
    api.delete("/policies/p/version/1").refused(404, "ResourceNotFoundException").await;
    api.policy("p").await;
    api.post("/policies/p/version").json(json!({ "policyDocument": ALLOW_CONNECT })).ok().await;
    api.delete("/policies/p/version/1").refused(409, "DeleteConflictException").await;
    assert_eq!(api.delete("/policies/p/version/2").ok().await, json!({}));
    for unknown in ["2", "3", "0", "99999999999999999999999999"] {
        api.delete(format!("/policies/p/version/{unknown}")).refused(404, "ResourceNotFoundException").await;
    }
    for malformed in ["x", "-1", "%31x", "1%20"] {
        api.delete(format!("/policies/p/version/{malformed}")).invalid().await;
    }
    let left = api.get("/policies/p/version").ok().await;
    assert_eq!(left["policyVersions"].as_array().unwrap().len(), 1);
    api.snapshot("delete_policy_version");
}
