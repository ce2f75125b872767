//! ListPolicyVersions.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::ALLOW_CONNECT;

on_both_engines!(the_newest_version_comes_first);

async fn the_newest_version_comes_first(api: Api) {
    api.get("/policies/p/version").refused(404, "ResourceNotFoundException").await;
    api.policy("p").await;
    for _ in 0..2 {
        api.clock().advance_ms(1_500);
        api.post("/policies/p/version").json(json!({ "policyDocument": ALLOW_CONNECT })).quietly().ok().await;
    }
    api.patch("/policies/p/version/2").quietly().ok().await;
    assert_eq!(
        api.get("/policies/p/version").ok().await["policyVersions"],
        json!([
            { "versionId": "3", "isDefaultVersion": false, "createDate": 1_800_000_003 },
            { "versionId": "2", "isDefaultVersion": true, "createDate": 1_800_000_001.5 },
            { "versionId": "1", "isDefaultVersion": false, "createDate": 1_800_000_000 },
        ])
    );
    api.get("/policies/p/version?pageSize=1").invalid().await;
    api.snapshot("list_policy_versions");
}
