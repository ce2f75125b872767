//! DeleteThingType.

use serde_json::json;

use crate::client::Api;
use crate::harness::{NOW, on_both_engines};

on_both_engines!(a_type_goes_five_minutes_after_its_deprecation, a_type_with_things_stays);

const FIVE_MINUTES_MS: i64 = 5 * 60 * 1000;

async fn a_type_goes_five_minutes_after_its_deprecation(api: Api) {
    api.delete("/thing-types/t").refused(404, "ResourceNotFoundException").await;
    api.thing_type("t").await;
    let first = api.get("/thing-types/t").quietly().ok().await["thingTypeId"].clone();
    assert!(api.delete("/thing-types/t").invalid().await.contains("it is not deprecated"));
    api.deprecate("t").await;
    let refused = api.delete("/thing-types/t").invalid().await;
    assert!(refused.contains("after 2027-01-15T08:05:00Z"), "{refused}");
    api.clock().set(NOW.plus_millis(FIVE_MINUTES_MS - 1));
    api.delete("/thing-types/t").invalid().await;
    // Deprecated anew, it waits anew.
    api.post("/thing-types/t/deprecate").json(json!({ "undoDeprecate": true })).quietly().ok().await;
    api.deprecate("t").await;
    api.clock().set(NOW.plus_millis(FIVE_MINUTES_MS));
    api.delete("/thing-types/t").invalid().await;
    api.clock().set(NOW.plus_millis(2 * FIVE_MINUTES_MS - 1));
    assert_eq!(api.delete("/thing-types/t").ok().await, json!({}));
    api.get("/thing-types/t").refused(404, "ResourceNotFoundException").await;
    api.delete("/thing-types/t").refused(404, "ResourceNotFoundException").await;
    api.post("/things/thing").json(json!({ "thingTypeName": "t" })).refused(404, "ResourceNotFoundException").await;
    // A name used again names another type, which is not deprecated.
    assert_ne!(api.post("/thing-types/t").ok().await["thingTypeId"], first);
    api.post("/things/thing").json(json!({ "thingTypeName": "t" })).ok().await;
    api.delete("/thing-types/a%20b").invalid().await;
    api.snapshot("delete_thing_type");
}

async fn a_type_with_things_stays(api: Api) {
    api.thing_type("t").await;
    for thing in ["a", "b"] {
        api.post(format!("/things/{thing}")).json(json!({ "thingTypeName": "t" })).quietly().ok().await;
    }
    api.deprecate("t").await;
    api.clock().advance_ms(FIVE_MINUTES_MS);
    assert!(api.delete("/thing-types/t").invalid().await.contains("things are associated with it"));
    api.patch("/things/a").json(json!({ "removeThingType": true })).ok().await;
    api.delete("/thing-types/t").invalid().await;
    api.delete("/things/b").ok().await;
    api.delete("/thing-types/t").ok().await;
    assert_eq!(api.get("/things?thingTypeName=t").quietly().ok().await["things"], json!([]));
    api.snapshot("delete_thing_type_with_things");
}
