//! ListPolicyPrincipals.

use serde_json::json;

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(principals_are_listed_in_both_orders);

async fn principals_are_listed_in_both_orders(api: Api) {
    let list = |query: &str| api.get(format!("/policy-principals{query}")).header("x-amzn-iot-policy", "p");
    list("").refused(404, "ResourceNotFoundException").await;
    api.policy("p").await;
    assert_eq!(list("").ok().await, json!({ "principals": [] }));
    let mut arns = Vec::new();
    for _ in 0..3 {
        let certificate = api.certificate().await;
        api.attach("p", &certificate).await;
        api.clock().advance_ms(1);
        arns.push(certificate.arn);
    }
    assert_eq!(list("?isAscendingOrder=true").ok().await["principals"], json!(arns));
    arns.reverse();
    let first = list("?pageSize=1").ok().await;
    assert_eq!(first["principals"], json!(arns[..1]));
    let marker = encoded(first["nextMarker"].as_str().unwrap());
    let rest = list(&format!("?pageSize=2&marker={marker}")).ok().await;
    assert_eq!(rest, json!({ "principals": arns[1..] }));
    api.get("/policy-principals").invalid().await;
    api.get("/policy-principals").header("x-amzn-iot-policy", "a b").invalid().await;
    api.get("/policy-principals").header("x-amzn-iot-policy", "\u{e9}").invalid().await;
    list("?pageSize=300").invalid().await;
    api.snapshot("list_policy_principals");
}
