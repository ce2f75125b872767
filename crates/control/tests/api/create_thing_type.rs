//! CreateThingType.

use serde_json::{Value, json};

use crate::client::{Api, Ask, encoded};
use crate::harness::on_both_engines;

on_both_engines!(
    creating_again_answers_the_type_that_exists,
    what_breaks_a_rule_is_not_made,
    tags_come_with_a_type,
    a_key_makes_the_types_that_its_policy_allows,
);

fn create(api: &Api, name: &str, properties: Value) -> Ask {
    api.post(format!("/thing-types/{name}")).json(json!({ "thingTypeProperties": properties }))
}

async fn creating_again_answers_the_type_that_exists(api: Api) {
    let lamp = json!({ "thingTypeDescription": "a lamp", "searchableAttributes": ["wattage", "colour"] });
    let made = create(&api, "lamp", lamp.clone()).ok().await;
    assert_eq!((&made["thingTypeName"], &made["thingTypeArn"]), (&json!("lamp"), &json!(api.arn("thingtype/lamp"))));
    assert_eq!(create(&api, "lamp", lamp).ok().await, made);
    // Attributes have no order.
    let turned = json!({ "thingTypeDescription": "a lamp", "searchableAttributes": ["colour", "wattage"] });
    assert_eq!(create(&api, "lamp", turned).ok().await, made);
    for other in [
        json!({ "thingTypeDescription": "a lamp" }),
        json!({ "thingTypeDescription": "a bulb", "searchableAttributes": ["wattage", "colour"] }),
        json!({}),
    ] {
        let refused = create(&api, "lamp", other).refused(409, "ResourceAlreadyExistsException").await;
        assert_eq!((&refused["resourceId"], &refused["resourceArn"]), (&made["thingTypeId"], &made["thingTypeArn"]));
    }
    // Nothing is as good as nothing said.
    let plain = api.post("/thing-types/plain").ok().await;
    let empty = json!({
        "thingTypeDescription": "",
        "searchableAttributes": [],
        "mqtt5Configuration": { "propagatingAttributes": [] },
    });
    assert_eq!(create(&api, "plain", empty).ok().await, plain);
    assert_ne!(plain["thingTypeId"], made["thingTypeId"]);
    // Capitals make another name.
    create(&api, "Lamp", json!({})).ok().await;
    api.snapshot("create_thing_type");
}

async fn what_breaks_a_rule_is_not_made(api: Api) {
    for properties in [
        json!({ "searchableAttributes": ["a", "b", "c", "d"] }),
        json!({ "searchableAttributes": ["a", "b", "a"] }),
        json!({ "searchableAttributes": ["a b"] }),
        json!({ "searchableAttributes": [""] }),
        json!({ "searchableAttributes": ["k".repeat(129)] }),
        json!({ "searchableAttributes": "a" }),
        json!({ "thingTypeDescription": "d".repeat(2029) }),
        json!({ "thingTypeDescription": "a\nb" }),
        json!({ "mqtt5Configuration": { "propagatingAttributes": [{ "userPropertyKey": "k", "thingAttribute": "a" }] } }),
        json!({ "mqtt5Configuration": { "propagatingAttributes": [{}] } }),
        json!({ "mqtt5Configuration": { "nonsense": [] } }),
        json!({ "nonsense": 1 }),
    ] {
        create(&api, "t", properties).invalid().await;
    }
    for name in ["a%20b", "a%2Fb", "a.b", "%C3%BC", &"n".repeat(129)] {
        create(&api, name, json!({})).invalid().await;
    }
    for tags in [json!([{ "Key": "aws:a", "Value": "1" }]), json!([{ "Key": "a" }, { "Key": "a" }])] {
        api.post("/thing-types/t").json(json!({ "tags": tags })).invalid().await;
    }
    api.get("/thing-types/t").refused(404, "ResourceNotFoundException").await;
    let fits = json!({ "thingTypeDescription": "d".repeat(2028), "searchableAttributes": ["k".repeat(128), "#/@", "b"] });
    create(&api, &encoded(&format!("{}:_-9", "n".repeat(124))), fits).ok().await;
    api.snapshot("create_thing_type_refused");
}

async fn tags_come_with_a_type(api: Api) {
    let tagged = |tags: Value| api.post("/thing-types/t").json(json!({ "tags": tags }));
    let made = tagged(json!([{ "Key": "b", "Value": "2" }, { "Key": "a", "Value": "" }])).ok().await;
    let arn = api.arn("thingtype/t");
    let listed = || api.get(format!("/tags?resourceArn={}", encoded(&arn))).quietly();
    assert_eq!(listed().ok().await["tags"], json!([{ "Key": "a", "Value": "" }, { "Key": "b", "Value": "2" }]));
    // Repeated, the call is answered as long as the type has the tags that it asks for.
    assert_eq!(tagged(json!([{ "Key": "b", "Value": "2" }])).ok().await, made);
    tagged(json!([{ "Key": "b", "Value": "3" }])).refused(409, "ResourceAlreadyExistsException").await;
    tagged(json!([{ "Key": "c", "Value": "2" }])).refused(409, "ResourceAlreadyExistsException").await;
    api.post("/untag").json(json!({ "resourceArn": arn, "tagKeys": ["b"] })).ok().await;
    api.post("/tags").json(json!({ "resourceArn": arn, "tags": [{ "Key": "c", "Value": "3" }] })).ok().await;
    assert_eq!(listed().ok().await["tags"], json!([{ "Key": "a", "Value": "" }, { "Key": "c", "Value": "3" }]));
    // They go with the type, and do not come back with its name.
    api.deprecate("t").await;
    api.clock().advance_ms(5 * 60 * 1000);
    api.delete("/thing-types/t").ok().await;
    listed().refused(404, "ResourceNotFoundException").await;
    assert_ne!(api.post("/thing-types/t").ok().await["thingTypeId"], made["thingTypeId"]);
    assert_eq!(listed().ok().await["tags"], json!([]));
    api.snapshot("create_thing_type_tags");
}

async fn a_key_makes_the_types_that_its_policy_allows(api: Api) {
    let statements = json!([{
        "Effect": "Allow",
        "Action": ["iot:*ThingType", "iot:TagResource"],
        "Resource": api.arn("thingtype/mine-*"),
    }]);
    let limited = api.limited(statements).await;
    create(&limited, "mine-1", json!({})).ok().await;
    limited.get("/thing-types/mine-1").ok().await;
    let tag = |arn: String| json!({ "resourceArn": arn, "tags": [{ "Key": "a", "Value": "1" }] });
    limited.post("/tags").json(tag(api.arn("thingtype/mine-1"))).ok().await;
    api.thing_type("other").await;
    let denied = "AccessDeniedException";
    create(&limited, "other-1", json!({})).refused(403, denied).await;
    limited.get("/thing-types/other").refused(403, denied).await;
    limited.patch("/thing-types/other").refused(403, denied).await;
    limited.post("/thing-types/other/deprecate").refused(403, denied).await;
    limited.delete("/thing-types/other").refused(403, denied).await;
    limited.get("/thing-types").refused(403, denied).await;
    limited.post("/tags").json(tag(api.arn("thingtype/other"))).refused(403, denied).await;
}
