//! ListThingPrincipals.

use serde_json::json;

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(principals_of_a_thing_are_listed);

async fn principals_of_a_thing_are_listed(api: Api) {
    api.get("/things/t/principals").refused(404, "ResourceNotFoundException").await;
    api.thing("t").await;
    assert_eq!(api.get("/things/t/principals").ok().await, json!({ "principals": [] }));
    let mut arns = Vec::new();
    for number in 0..3 {
        let certificate = api.certificate().await;
        api.attach_to_thing("t", &certificate, number == 0).await;
        arns.push(certificate.arn);
    }
    // By id, of whatever type.
    arns.sort_unstable();
    let list = |query: &str| api.get(format!("/things/t/principals{query}")).quietly();
    assert_eq!(list("").ok().await, json!({ "principals": arns }));
    let first = list("?maxResults=2").ok().await;
    assert_eq!(first["principals"], json!(arns[..2]));
    let token = encoded(first["nextToken"].as_str().unwrap());
    assert_eq!(list(&format!("?nextToken={token}")).ok().await, json!({ "principals": arns[2..] }));
    api.get("/things/t/principals?maxResults=251").invalid().await;
    api.get("/things/a%20b/principals").invalid().await;
    api.snapshot("list_thing_principals");
}
