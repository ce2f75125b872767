//! GetPolicyVersion.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::{ALLOW_ALL, ALLOW_CONNECT};

on_both_engines!(each_version_is_told);

async fn each_version_is_told(api: Api) {
    api.get("/policies/p/version/1").refused(404, "ResourceNotFoundException").await;
    api.policy("p").await;
    api.clock().advance_ms(250);
    api.post("/policies/p/version").json(json!({ "policyDocument": ALLOW_CONNECT })).ok().await;
    let first = api.get("/policies/p/version/1").ok().await;
    let second = api.get("/policies/p/version/2").ok().await;
    assert_eq!((&first["policyDocument"], &first["isDefaultVersion"]), (&json!(ALLOW_ALL), &json!(true)));
    assert_eq!((&second["policyDocument"], &second["isDefaultVersion"]), (&json!(ALLOW_CONNECT), &json!(false)));
    assert_eq!(second["creationDate"], json!(1_800_000_000.25));
    for unknown in ["3", "0", "18446744073709551616"] {
        api.get(format!("/policies/p/version/{unknown}")).refused(404, "ResourceNotFoundException").await;
    }
    for malformed in ["one", "-1", "+1", "1.0"] {
        api.get(format!("/policies/p/version/{malformed}")).invalid().await;
    }
    api.snapshot("get_policy_version");
}
