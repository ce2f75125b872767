//! ListThings.

use serde_json::{Value, json};

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(things_are_listed_by_name_and_found_by_attribute, halves_of_a_search_are_refused);

async fn thing(api: &Api, name: &str, attributes: Value) {
    let body = json!({ "attributePayload": { "attributes": attributes } });
    api.post(format!("/things/{name}")).json(body).quietly().ok().await;
}

async fn things_are_listed_by_name_and_found_by_attribute(api: Api) {
    assert_eq!(api.get("/things").ok().await, json!({ "things": [] }));
    thing(&api, "c", json!({ "color": "red" })).await;
    thing(&api, "a", json!({ "color": "redder", "size": "red" })).await;
    thing(&api, "B", json!({ "color": "Red" })).await;
    thing(&api, "b", json!({})).await;
    let found = |query: &str| {
        let ask = api.get(format!("/things{query}"));
        async move {
            let listed = ask.ok().await;
            let things = listed["things"].as_array().unwrap().clone();
            things.iter().map(|t| t["thingName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(found("").await, ["B", "a", "b", "c"]);
    let no: [&str; 0] = [];
    assert_eq!(found("?attributeName=color&attributeValue=red").await, ["c"]);
    assert_eq!(found("?attributeName=color&attributeValue=red&usePrefixAttributeValue=true").await, ["a", "c"]);
    assert_eq!(found("?attributeName=size&attributeValue=red").await, ["a"]);
    assert_eq!(found("?attributeName=color&attributeValue=blue").await, no);
    // A prefix is text and no pattern.
    for value in ["%25", "_", "*", "re_"] {
        let query = format!("?attributeName=color&attributeValue={value}&usePrefixAttributeValue=true");
        if value != "%25" && value != "*" {
            assert_eq!(found(&query).await, no, "{value}");
        } else {
            api.get(format!("/things{query}")).invalid().await;
        }
    }
    assert_eq!(found("?thingTypeName=x").await, no);
    api.thing_type("x").await;
    for name in ["c", "b"] {
        api.patch(format!("/things/{name}")).json(json!({ "thingTypeName": "x" })).quietly().ok().await;
    }
    assert_eq!(found("?thingTypeName=x").await, ["b", "c"]);
    assert_eq!(found("?thingTypeName=x&attributeName=color&attributeValue=red").await, ["c"]);
    assert_eq!(found("?thingTypeName=x&attributeName=size&attributeValue=red").await, no);
    // The filter applies before the page.
    let first =
        api.get("/things?attributeName=color&attributeValue=r&usePrefixAttributeValue=true&maxResults=1").ok().await;
    assert_eq!(first["things"][0]["thingName"], "a");
    let token = encoded(first["nextToken"].as_str().unwrap());
    let query = format!("?attributeName=color&attributeValue=r&usePrefixAttributeValue=true&nextToken={token}");
    assert_eq!(found(&query).await, ["c"]);
    api.snapshot("list_things");
}

async fn halves_of_a_search_are_refused(api: Api) {
    api.get("/things?attributeName=color").invalid().await;
    api.get("/things?attributeValue=red").invalid().await;
    api.get("/things?attributeName=a%20b&attributeValue=c").invalid().await;
    api.get("/things?maxResults=251").invalid().await;
    api.get("/things?maxResults=-1").invalid().await;
    api.get("/things?nextToken=x").invalid().await;
    api.get(format!("/things?thingTypeName={}", "x".repeat(129))).invalid().await;
    api.snapshot("list_things_refused");
}
