//! ListPrincipalPolicies.

use serde_json::{Value, json};

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;
use crate::samples::{COGNITO_IDENTITY, UNKNOWN_ID};

on_both_engines!(policies_are_listed_in_both_orders);

async fn policies_are_listed_in_both_orders(api: Api) {
    let certificate = api.certificate().await;
    let list =
        |query: &str| api.get(format!("/principal-policies{query}")).header("x-amzn-iot-principal", &certificate.arn);
    assert_eq!(list("").ok().await, json!({ "policies": [] }));
    for name in ["b", "a", "c"] {
        api.policy(name).await;
        api.attach(name, &certificate).await;
        api.clock().advance_ms(1);
    }
    let names = |listed: Value| -> Vec<String> {
        let policies = listed["policies"].as_array().unwrap();
        policies.iter().map(|p| p["policyName"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(list("?isAscendingOrder=true").ok().await), ["b", "a", "c"]);
    assert_eq!(names(list("").ok().await), ["c", "a", "b"]);
    let first = list("?pageSize=2").ok().await;
    let marker = encoded(first["nextMarker"].as_str().unwrap());
    assert_eq!(names(list(&format!("?marker={marker}")).ok().await), ["b"]);

    let of = |principal: &str| api.get("/principal-policies").header("x-amzn-iot-principal", principal);
    of(&api.arn(&format!("cert/{UNKNOWN_ID}"))).refused(404, "ResourceNotFoundException").await;
    of(&api.arn("thing/t")).invalid().await;
    of(COGNITO_IDENTITY).invalid().await;
    api.get("/principal-policies").invalid().await;
    api.snapshot("list_principal_policies");
}
