//! UpdateThing.

use serde_json::{Value, json};

use crate::client::Api;
use crate::harness::on_both_engines;

on_both_engines!(attributes_are_replaced_or_merged, a_type_comes_changes_and_goes, what_does_not_fit_is_refused);

async fn attributes_are_replaced_or_merged(api: Api) {
    let create = json!({ "attributePayload": { "attributes": { "a": "1", "b": "2" } } });
    api.post("/things/t").json(create).quietly().ok().await;
    let steps = [
        (json!({ "attributes": { "b": "3", "c": "4" }, "merge": true }), json!({ "a": "1", "b": "3", "c": "4" })),
        (json!({ "attributes": { "a": "" }, "merge": true }), json!({ "b": "3", "c": "4" })),
        (json!({ "attributes": { "d": "5", "e": "" } }), json!({ "d": "5" })),
        (json!({ "attributes": { "d": "6" }, "merge": false }), json!({ "d": "6" })),
        (json!({ "merge": true }), json!({ "d": "6" })),
        (json!({}), json!({ "d": "6" })),
        (json!({ "attributes": {} }), json!({})),
    ];
    for (version, (payload, attributes)) in (2..).zip(steps) {
        assert_eq!(api.patch("/things/t").json(json!({ "attributePayload": payload })).ok().await, json!({}));
        let thing = api.get("/things/t").quietly().ok().await;
        assert_eq!((&thing["attributes"], &thing["version"]), (&attributes, &json!(version)));
    }
    api.patch("/things/t").json(json!({ "removeThingType": true })).ok().await;
    api.snapshot("update_thing");
}

async fn a_type_comes_changes_and_goes(api: Api) {
    api.thing("t").await;
    for name in ["lamp", "bulb"] {
        api.thing_type(name).await;
    }
    let update = |body: Value| api.patch("/things/t").json(body);
    let told = async || {
        let thing = api.get("/things/t").quietly().ok().await;
        (thing.get("thingTypeName").cloned().unwrap_or_default(), thing["version"].as_i64())
    };
    let attributes = |count: usize| -> Value { (0..count).map(|n| (format!("a{n}"), json!("v"))).collect() };
    update(json!({ "thingTypeName": "lamp", "attributePayload": { "attributes": attributes(51) } })).invalid().await;
    assert_eq!(told().await, (Value::Null, Some(1)));
    update(json!({ "thingTypeName": "lamp", "attributePayload": { "attributes": attributes(50) } })).ok().await;
    assert_eq!(told().await, (json!("lamp"), Some(2)));
    update(json!({ "thingTypeName": "bulb" })).ok().await;
    update(json!({ "thingTypeName": "bulb" })).ok().await;
    assert_eq!(told().await, (json!("bulb"), Some(4)));
    update(json!({ "thingTypeName": "nope" })).refused(404, "ResourceNotFoundException").await;
    // Without a type it may have three attributes, so they go first, or at once.
    update(json!({ "removeThingType": true })).invalid().await;
    assert_eq!(told().await, (json!("bulb"), Some(4)));
    update(json!({ "removeThingType": true, "attributePayload": { "attributes": attributes(3) } })).ok().await;
    assert_eq!(told().await, (Value::Null, Some(5)));
    assert_eq!(api.get("/things?thingTypeName=bulb").ok().await["things"], json!([]));
    api.snapshot("update_thing_type_of_a_thing");
}

async fn what_does_not_fit_is_refused(api: Api) {
    let update = |body: Value| api.patch("/things/t").json(body);
    update(json!({})).refused(404, "ResourceNotFoundException").await;
    let create = json!({ "attributePayload": { "attributes": { "a": "1", "b": "2", "c": "3" } } });
    api.post("/things/t").json(create).quietly().ok().await;
    update(json!({ "thingTypeName": "x" })).refused(404, "ResourceNotFoundException").await;
    update(json!({ "thingTypeName": "x", "removeThingType": true })).invalid().await;
    update(json!({ "expectedVersion": 2 })).refused(409, "VersionConflictException").await;
    update(json!({ "attributePayload": { "attributes": { "d": "4" }, "merge": true } })).invalid().await;
    update(json!({ "attributePayload": { "attributes": { "a": "x y" } } })).invalid().await;
    update(json!({ "attributePayload": { "attributes": { "a": null } } })).ok().await;
    update(json!({ "expectedVersion": "1" })).invalid().await;
    update(json!({ "expectedVersion": 1.5 })).invalid().await;
    update(json!({ "attributePayload": [] })).invalid().await;
    update(json!({ "attributes": {} })).invalid().await;
    api.snapshot("update_thing_refused");
}
