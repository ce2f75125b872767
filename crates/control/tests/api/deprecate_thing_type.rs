//! DeprecateThingType.

use serde_json::{Value, json};

use crate::client::{Api, Ask};
use crate::harness::{NOW, on_both_engines};

on_both_engines!(a_deprecated_type_keeps_its_things_and_takes_no_more, the_first_date_counts_until_it_is_undone);

fn undo(api: &Api) -> Ask {
    api.post("/thing-types/lamp/deprecate").json(json!({ "undoDeprecate": true }))
}

async fn a_deprecated_type_keeps_its_things_and_takes_no_more(api: Api) {
    api.thing_type("lamp").await;
    api.thing_type("bulb").await;
    let typed = json!({ "thingTypeName": "lamp" });
    let made = api.post("/things/a").json(typed.clone()).ok().await;
    api.thing("b").await;
    assert_eq!(api.post("/thing-types/lamp/deprecate").ok().await, json!({}));

    // What it has, it keeps, and may be changed.
    let keep = json!({ "thingTypeName": "lamp", "attributePayload": { "attributes": { "a": "1" } } });
    api.patch("/things/a").json(keep).ok().await;
    api.patch("/things/a").json(json!({ "attributePayload": { "attributes": { "a": "2" } } })).ok().await;
    assert_eq!(api.get("/things/a").quietly().ok().await["thingTypeName"], "lamp");
    // Nothing else gets it.
    assert!(api.post("/things/c").json(typed.clone()).invalid().await.contains("lamp is deprecated"));
    assert!(api.patch("/things/b").json(typed.clone()).invalid().await.contains("lamp is deprecated"));
    api.get("/things/c").quietly().refused(404, "ResourceNotFoundException").await;
    assert_eq!(api.get("/things/b").quietly().ok().await["version"], 1);
    // Once it has gone to another type, there is no way back.
    api.patch("/things/a").json(json!({ "thingTypeName": "bulb" })).ok().await;
    api.patch("/things/a").json(typed.clone()).invalid().await;
    api.patch("/things/a").json(json!({ "removeThingType": true })).ok().await;
    api.patch("/things/a").json(typed.clone()).invalid().await;

    undo(&api).ok().await;
    api.patch("/things/a").json(typed.clone()).ok().await;
    api.post("/things/c").json(typed.clone()).ok().await;
    // Repeating the call that made a thing associates nothing.
    api.patch("/things/a").json(json!({ "attributePayload": { "attributes": {} } })).quietly().ok().await;
    api.deprecate("lamp").await;
    assert_eq!(api.post("/things/a").json(typed).ok().await, made);
    api.snapshot("deprecate_thing_type");
}

async fn the_first_date_counts_until_it_is_undone(api: Api) {
    let deprecate = |body: Value| api.post("/thing-types/lamp/deprecate").json(body);
    deprecate(json!({})).refused(404, "ResourceNotFoundException").await;
    undo(&api).refused(404, "ResourceNotFoundException").await;
    api.thing_type("lamp").await;
    undo(&api).ok().await;
    let date = async || {
        let told = api.get("/thing-types/lamp").quietly().ok().await["thingTypeMetadata"].clone();
        assert_eq!(told["deprecated"], told.get("deprecationDate").is_some());
        told.get("deprecationDate").and_then(Value::as_i64)
    };
    assert_eq!(date().await, None);
    deprecate(json!({})).ok().await;
    api.clock().advance_ms(1000);
    deprecate(json!({ "undoDeprecate": false })).ok().await;
    assert_eq!(date().await, Some(NOW.as_secs()));
    undo(&api).ok().await;
    assert_eq!(date().await, None);
    deprecate(json!({})).ok().await;
    assert_eq!(date().await, Some(NOW.as_secs() + 1));
    deprecate(json!({ "undoDeprecate": "yes" })).invalid().await;
    deprecate(json!({ "undo": true })).invalid().await;
    api.snapshot("deprecate_thing_type_dates");
}
