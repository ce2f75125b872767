//! ListTargetsForPolicy.

use serde_json::json;

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(targets_are_listed_as_they_were_attached, thing_groups_come_behind_certificates);

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

async fn thing_groups_come_behind_certificates(api: Api) {
    api.policy("p").await;
    let mut arns = Vec::new();
    for group in ["g2", "g1"] {
        api.group(group, None).await;
        api.attach_to_group("p", group).await;
        api.clock().advance_ms(1);
        arns.push(api.arn(&format!("thinggroup/{group}")));
    }
    for at in 0..2 {
        let certificate = api.certificate().await;
        api.attach("p", &certificate).await;
        api.clock().advance_ms(1);
        arns.insert(at, certificate.arn);
    }
    for size in 1..6 {
        let (mut targets, mut marker) = (Vec::new(), String::new());
        loop {
            let page = api.post(format!("/policy-targets/p?pageSize={size}{marker}")).quietly().ok().await;
            targets.extend(page["targets"].as_array().unwrap().iter().map(|arn| arn.as_str().unwrap().to_owned()));
            let Some(next) = page["nextMarker"].as_str() else { break };
            marker = format!("&marker={}", encoded(next));
        }
        assert_eq!(targets, arns, "pages of {size}");
    }
    // Only what is attached.
    api.post("/target-policies/p").json(json!({ "target": arns[2] })).quietly().ok().await;
    arns.remove(2);
    assert_eq!(api.post("/policy-targets/p").quietly().ok().await, json!({ "targets": arns }));
    // The older form tells of certificates only.
    let principals = api.get("/policy-principals?isAscendingOrder=true").header("x-amzn-iot-policy", "p").quietly();
    assert_eq!(principals.ok().await, json!({ "principals": arns[..2] }));
}
