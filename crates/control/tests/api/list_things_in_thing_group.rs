//! ListThingsInThingGroup.

use serde_json::json;

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(things_are_listed_with_those_below_when_asked);

async fn things_are_listed_with_those_below_when_asked(api: Api) {
    api.get("/thing-groups/g/things").refused(404, "ResourceNotFoundException").await;
    api.group("house", None).await;
    for (group, parent) in [("floor", "house"), ("hall", "house"), ("room", "floor")] {
        api.group(group, Some(parent)).await;
    }
    for (thing, group) in [("d", "house"), ("c", "hall"), ("b", "room"), ("a", "floor"), ("c", "floor")] {
        api.thing(thing).await;
        api.enter(thing, group).await;
    }
    for (query, things) in [
        ("house/things", vec!["d"]),
        ("house/things?recursive=false", vec!["d"]),
        ("house/things?recursive=true", vec!["a", "b", "c", "d"]),
        ("floor/things", vec!["a", "c"]),
        ("floor/things?recursive=true", vec!["a", "b", "c"]),
        ("room/things?recursive=true", vec!["b"]),
    ] {
        assert_eq!(api.get(format!("/thing-groups/{query}")).quietly().ok().await, json!({ "things": things }), "{query}");
    }
    let first = api.get("/thing-groups/house/things?recursive=true&maxResults=3").ok().await;
    assert_eq!(first["things"], json!(["a", "b", "c"]));
    let token = encoded(first["nextToken"].as_str().unwrap());
    let rest = api.get(format!("/thing-groups/house/things?recursive=true&maxResults=3&nextToken={token}")).ok().await;
    assert_eq!(rest, json!({ "things": ["d"] }));
    // A thing that is gone is in no group.
    api.delete("/things/d").quietly().ok().await;
    assert_eq!(api.get("/thing-groups/house/things").ok().await, json!({ "things": [] }));
    api.snapshot("list_things_in_thing_group");
}
