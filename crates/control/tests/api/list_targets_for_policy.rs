//! ListTargetsForPolicy.

use serde_json::json;

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(targets_are_listed_as_they_were_attached);

async fn targets_are_listed_as_they_were_attached(api: Api) {
    api.post("/policy-targets/p").refused(404, "ResourceNotFoundException").await;
    api.policy("p").await;
    let mut arns = Vec::new();
    for _ in 0..3 {
        let certificate = api.certificate().await;
        api.attach("p", &certificate).await;
        api.clock().advance_ms(1);
        arns.push(certificate.arn);
    }
    assert_eq!(api.post("/policy-targets/p").ok().await, json!({ "targets": arns }));
    let first = api.post("/policy-targets/p?pageSize=2").ok().await;
    assert_eq!(first["targets"], json!(arns[..2]));
    let marker = encoded(first["nextMarker"].as_str().unwrap());
    let rest = api.post(format!("/policy-targets/p?pageSize=2&marker={marker}")).ok().await;
    assert_eq!(rest, json!({ "targets": arns[2..] }));
    api.post("/policy-targets/p?pageSize=0").invalid().await;
    api.post("/policy-targets/p?isAscendingOrder=true").invalid().await;
    api.post("/policy-targets/a%20b").invalid().await;
    api.snapshot("list_targets_for_policy");
}
