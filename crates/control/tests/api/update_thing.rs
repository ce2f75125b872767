//! UpdateThing.

use serde_json::{Value, json};

use crate::client::Api;
use crate::harness::on_both_engines;

on_both_engines!(attributes_are_replaced_or_merged, what_does_not_fit_is_refused);

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
