//! UpdateThingType.

use serde_json::{Value, json};

use crate::client::{Api, Ask};
use crate::harness::on_both_engines;

on_both_engines!(what_is_named_is_replaced_and_the_rest_stays, what_breaks_a_rule_changes_nothing);

fn update(api: &Api, properties: Value) -> Ask {
    api.patch("/thing-types/t").json(json!({ "thingTypeProperties": properties }))
}

async fn properties(api: &Api) -> Value {
    api.get("/thing-types/t").quietly().ok().await["thingTypeProperties"].clone()
}

async fn what_is_named_is_replaced_and_the_rest_stays(api: Api) {
    let made = json!({ "thingTypeDescription": "a", "searchableAttributes": ["x"] });
    api.post("/thing-types/t").json(json!({ "thingTypeProperties": made })).quietly().ok().await;
    for (given, after) in [
        (json!({}), made),
        (json!({ "thingTypeDescription": "b" }), json!({ "thingTypeDescription": "b", "searchableAttributes": ["x"] })),
        (
            json!({ "searchableAttributes": ["z", "y"] }),
            json!({ "thingTypeDescription": "b", "searchableAttributes": ["y", "z"] }),
        ),
        (json!({ "thingTypeDescription": "" }), json!({ "searchableAttributes": ["y", "z"] })),
        (json!({ "searchableAttributes": [], "mqtt5Configuration": {} }), json!({})),
        (json!({ "thingTypeDescription": "c" }), json!({ "thingTypeDescription": "c" })),
    ] {
        assert_eq!(update(&api, given).ok().await, json!({}));
        assert_eq!(properties(&api).await, after);
    }
    api.patch("/thing-types/t").ok().await;
    // Its things keep it.
    api.post("/things/thing").json(json!({ "thingTypeName": "t" })).quietly().ok().await;
    update(&api, json!({ "thingTypeDescription": "d" })).ok().await;
    assert_eq!(api.get("/things/thing").quietly().ok().await["thingTypeName"], "t");
    api.snapshot("update_thing_type");
}

async fn what_breaks_a_rule_changes_nothing(api: Api) {
    update(&api, json!({ "thingTypeDescription": "b" })).refused(404, "ResourceNotFoundException").await;
    let made = json!({ "thingTypeDescription": "a", "searchableAttributes": ["x"] });
    api.post("/thing-types/t").json(json!({ "thingTypeProperties": made })).quietly().ok().await;
    for given in [
        json!({ "thingTypeDescription": "b", "searchableAttributes": ["a", "b", "c", "d"] }),
        json!({ "thingTypeDescription": "b", "searchableAttributes": ["a", "a"] }),
        json!({ "thingTypeDescription": "b", "mqtt5Configuration": { "propagatingAttributes": [{ "thingAttribute": "a" }] } }),
        json!({ "thingTypeDescription": "d".repeat(2029) }),
    ] {
        update(&api, given).invalid().await;
    }
    assert_eq!(properties(&api).await, made);
    // A deprecated type stays as it is.
    api.deprecate("t").await;
    update(&api, json!({ "thingTypeDescription": "b" })).invalid().await;
    api.post("/thing-types/t/deprecate").json(json!({ "undoDeprecate": true })).quietly().ok().await;
    update(&api, json!({ "thingTypeDescription": "b" })).ok().await;
    api.snapshot("update_thing_type_refused");
}
