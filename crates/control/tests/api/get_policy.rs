//! GetPolicy.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::ALLOW_CONNECT;

on_both_engines!(the_default_version_is_told);

async fn the_default_version_is_told(api: Api) {
    api.get("/policies/p").refused(404, "ResourceNotFoundException").await;
    api.policy("p").await;
    let first = api.get("/policies/p").ok().await;
    api.clock().advance_ms(1_500);
    api.post("/policies/p/version").json(json!({ "policyDocument": ALLOW_CONNECT })).ok().await;
    assert_eq!(api.get("/policies/p").ok().await["policyDocument"], first["policyDocument"]);
    api.clock().advance_ms(1_500);
    api.patch("/policies/p/version/2").ok().await;
    let second = api.get("/policies/p").ok().await;
    assert_eq!((&second["policyDocument"], &second["defaultVersionId"]), (&json!(ALLOW_CONNECT), &json!("2")));
    assert_eq!((&second["creationDate"], &second["lastModifiedDate"]), (&json!(1_800_000_000), &json!(1_800_000_003)));
    for policy in [&first, &second] {
        let id = policy["generationId"].as_str().unwrap();
        assert!(id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    }
    api.get("/policies/a%20b").invalid().await;
    api.snapshot("get_policy");
}
