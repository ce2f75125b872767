//! ListThingPrincipalsV2.

use serde_json::{Value, json};

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(principals_are_told_with_the_type_of_their_attachment);

async fn principals_are_told_with_the_type_of_their_attachment(api: Api) {
    api.get("/things/t/principals-v2").refused(404, "ResourceNotFoundException").await;
    api.thing("t").await;
    let mut objects = Vec::new();
    for exclusive in [true, false, true] {
        let certificate = api.certificate().await;
        api.attach_to_thing("t", &certificate, exclusive).await;
        let of_type = if exclusive { "EXCLUSIVE_THING" } else { "NON_EXCLUSIVE_THING" };
        objects.push(json!({ "principal": certificate.arn, "thingPrincipalType": of_type }));
    }
    objects.sort_by_key(|object| object["principal"].to_string());
    let list = |query: &str| api.get(format!("/things/t/principals-v2{query}")).quietly();
    assert_eq!(list("").ok().await, json!({ "thingPrincipalObjects": objects }));
    for of_type in ["EXCLUSIVE_THING", "NON_EXCLUSIVE_THING"] {
        let of_this: Vec<&Value> = objects.iter().filter(|object| object["thingPrincipalType"] == of_type).collect();
        let listed = list(&format!("?thingPrincipalType={of_type}")).ok().await;
        assert_eq!(listed, json!({ "thingPrincipalObjects": of_this }));
    }
    // A page of the filtered ones: the next has no more of them, and no token.
    let first = list("?thingPrincipalType=EXCLUSIVE_THING&maxResults=1").ok().await;
    let token = encoded(first["nextToken"].as_str().unwrap());
    let rest = list(&format!("?thingPrincipalType=EXCLUSIVE_THING&maxResults=1&nextToken={token}")).ok().await;
    assert_eq!(rest["thingPrincipalObjects"].as_array().unwrap().len(), 1);
    assert_eq!(rest.get("nextToken"), None);
    api.get("/things/t/principals-v2?thingPrincipalType=x").invalid().await;
    api.get("/things/t/principals-v2?maxResults=x").invalid().await;
    api.snapshot("list_thing_principals_v2");
}
