//! ListPolicies.

use serde_json::{Value, json};

use crate::client::Api;
use crate::harness::on_both_engines;

on_both_engines!(the_newest_policy_comes_first);

async fn the_newest_policy_comes_first(api: Api) {
    assert_eq!(api.get("/policies").ok().await, json!({ "policies": [] }));
    for name in ["b", "a", "c"] {
        api.policy(name).await;
        api.clock().advance_ms(1);
    }
    let names = |listed: &Value| -> Vec<String> {
        let policies = listed["policies"].as_array().unwrap();
        policies.iter().map(|p| p["policyName"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&api.get("/policies").ok().await), ["c", "a", "b"]);
    assert_eq!(names(&api.get("/policies?isAscendingOrder=true").ok().await), ["b", "a", "c"]);
    api.get("/policies?pageSize=251").invalid().await;
    api.get("/policies?marker=a%20b").invalid().await;
    api.snapshot("list_policies");
}
