//! ListThingsInBillingGroup.

use serde_json::json;

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(the_things_of_a_group_are_listed_by_name);

async fn the_things_of_a_group_are_listed_by_name(api: Api) {
    api.get("/billing-groups/g/things").refused(404, "ResourceNotFoundException").await;
    api.billing_group("g").await;
    api.billing_group("other").await;
    assert_eq!(api.get("/billing-groups/g/things").ok().await, json!({ "things": [] }));
    for name in ["c", "a", "B", "b", "free"] {
        api.thing(name).await;
    }
    for name in ["c", "a", "B"] {
        api.add_to_billing_group(name, "g").await;
    }
    api.add_to_billing_group("b", "other").await;
    assert_eq!(api.get("/billing-groups/g/things").ok().await, json!({ "things": ["B", "a", "c"] }));
    let first = api.get("/billing-groups/g/things?maxResults=2").ok().await;
    assert_eq!(first["things"], json!(["B", "a"]));
    let token = encoded(first["nextToken"].as_str().unwrap());
    let rest = api.get(format!("/billing-groups/g/things?nextToken={token}")).quietly().ok().await;
    assert_eq!(rest, json!({ "things": ["c"] }));
    api.delete("/things/a").quietly().ok().await;
    assert_eq!(api.get("/billing-groups/g/things").ok().await, json!({ "things": ["B", "c"] }));
    for query in ["maxResults=0", "maxResults=251", "nextToken=x"] {
        api.get(format!("/billing-groups/g/things?{query}")).invalid().await;
    }
    api.snapshot("list_things_in_billing_group");
}
