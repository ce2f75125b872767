//! ListPrincipalThings.

use serde_json::json;

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;
use crate::samples::{COGNITO_IDENTITY, UNKNOWN_ID};

on_both_engines!(things_of_a_certificate_are_listed_by_name);

async fn things_of_a_certificate_are_listed_by_name(api: Api) {
    let certificate = api.certificate().await;
    let list = |query: &str| api.get(format!("/principals/things{query}")).header("x-amzn-principal", &certificate.arn);
    assert_eq!(list("").ok().await, json!({ "things": [] }));
    for name in ["b", "c", "a", "B"] {
        api.thing(name).await;
        api.attach_to_thing(name, &certificate, false).await;
    }
    assert_eq!(list("").ok().await["things"], json!(["B", "a", "b", "c"]));
    let first = list("?maxResults=3").ok().await;
    let token = encoded(first["nextToken"].as_str().unwrap());
    assert_eq!(list(&format!("?maxResults=3&nextToken={token}")).ok().await, json!({ "things": ["c"] }));
    let of = |principal: &str| api.get("/principals/things").header("x-amzn-principal", principal);
    of(&api.arn(&format!("cert/{UNKNOWN_ID}"))).refused(404, "ResourceNotFoundException").await;
    of(&api.arn("thing/a")).invalid().await;
    of(COGNITO_IDENTITY).invalid().await;
    api.get("/principals/things").invalid().await;
    list("?maxResults=0").invalid().await;
    list("?nextToken=").invalid().await;
    api.snapshot("list_principal_things");
}
