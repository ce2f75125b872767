//! ListPrincipalThingsV2.

use serde_json::json;

use crate::client::{Api, Certificate, encoded};
use crate::harness::on_both_engines;
use crate::samples::UNKNOWN_ID;

on_both_engines!(things_are_told_with_the_type_of_their_attachment);

async fn things_are_told_with_the_type_of_their_attachment(api: Api) {
    for name in ["a", "b"] {
        api.thing(name).await;
    }
    let (shared, exclusive) = (api.certificate().await, api.certificate().await);
    api.attach_to_thing("a", &shared, false).await;
    api.attach_to_thing("b", &shared, false).await;
    api.attach_to_thing("a", &exclusive, true).await;
    let list = |query: &str, certificate: &Certificate| {
        api.get(format!("/principals/things-v2{query}")).header("x-amzn-principal", &certificate.arn)
    };
    let object = |name: &str, of_type: &str| json!({ "thingName": name, "thingPrincipalType": of_type });
    let (no, yes) = ("NON_EXCLUSIVE_THING", "EXCLUSIVE_THING");
    assert_eq!(list("", &shared).ok().await["principalThingObjects"], json!([object("a", no), object("b", no)]));
    assert_eq!(list("", &exclusive).ok().await["principalThingObjects"], json!([object("a", yes)]));
    let filter = |of_type: &str| format!("?thingPrincipalType={of_type}");
    assert_eq!(list(&filter(yes), &shared).ok().await["principalThingObjects"], json!([]));
    assert_eq!(list(&filter(yes), &exclusive).ok().await["principalThingObjects"], json!([object("a", yes)]));
    let first = list("?maxResults=1", &shared).ok().await;
    let token = encoded(first["nextToken"].as_str().unwrap());
    let rest = list(&format!("?nextToken={token}"), &shared).ok().await;
    assert_eq!(rest, json!({ "principalThingObjects": [object("b", no)] }));

    list(&filter("NEVER"), &shared).invalid().await;
    api.get("/principals/things-v2").invalid().await;
    let unknown = Certificate { id: UNKNOWN_ID.to_owned(), arn: api.arn(&format!("cert/{UNKNOWN_ID}")) };
    list("", &unknown).refused(404, "ResourceNotFoundException").await;
    api.snapshot("list_principal_things_v2");
}
