//! DescribeThingType.

use serde_json::json;

use crate::client::Api;
use crate::harness::{NOW, on_both_engines};

on_both_engines!(a_type_is_described);

async fn a_type_is_described(api: Api) {
    api.get("/thing-types/lamp").refused(404, "ResourceNotFoundException").await;
    let properties = json!({ "thingTypeDescription": "a \"lamp\" {1}", "searchableAttributes": ["wattage", "colour"] });
    let made = api.post("/thing-types/lamp").json(json!({ "thingTypeProperties": properties })).ok().await;
    let expected = |metadata| {
        json!({
            "thingTypeName": "lamp",
            "thingTypeId": made["thingTypeId"],
            "thingTypeArn": api.arn("thingtype/lamp"),
            "thingTypeProperties": {
                "thingTypeDescription": "a \"lamp\" {1}",
                "searchableAttributes": ["colour", "wattage"],
            },
            "thingTypeMetadata": metadata,
        })
    };
    let made_at = NOW.as_secs();
    let in_use = json!({ "deprecated": false, "creationDate": made_at });
    assert_eq!(api.get("/thing-types/lamp").ok().await, expected(in_use.clone()));
    api.clock().advance_ms(7000);
    api.deprecate("lamp").await;
    let deprecated = json!({ "deprecated": true, "deprecationDate": made_at + 7, "creationDate": made_at });
    assert_eq!(api.get("/thing-types/lamp").ok().await, expected(deprecated));
    api.post("/thing-types/lamp/deprecate").json(json!({ "undoDeprecate": true })).quietly().ok().await;
    assert_eq!(api.get("/thing-types/lamp").ok().await, expected(in_use));
    // What was not said is left out.
    api.thing_type("plain").await;
    assert_eq!(api.get("/thing-types/plain").ok().await["thingTypeProperties"], json!({}));
    api.get("/thing-types/Lamp").refused(404, "ResourceNotFoundException").await;
    api.get("/thing-types/a%20b").invalid().await;
    api.snapshot("describe_thing_type");
}
