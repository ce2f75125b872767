//! CreateThing.

use serde_json::{Value, json};

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(
    creating_again_answers_the_thing_that_exists,
    what_does_not_exist_cannot_be_named,
    a_thing_has_three_attributes_at_most,
    a_thing_with_a_type_has_fifty_attributes_at_most,
    a_thing_begins_in_its_billing_group,
    names_have_128_characters_at_most,
);

async fn creating_again_answers_the_thing_that_exists(api: Api) {
    let create =
        |attributes: Value| api.post("/things/t").json(json!({ "attributePayload": { "attributes": attributes } }));
    let made = create(json!({ "a": "1", "empty": "" })).ok().await;
    assert_eq!((&made["thingName"], &made["thingArn"]), (&json!("t"), &json!(api.arn("thing/t"))));
    assert_eq!(create(json!({ "a": "1" })).ok().await, made);
    let refused = create(json!({ "a": "2" })).refused(409, "ResourceAlreadyExistsException").await;
    assert_eq!((&refused["resourceId"], &refused["resourceArn"]), (&made["thingId"], &made["thingArn"]));
    api.post("/things/t").refused(409, "ResourceAlreadyExistsException").await;
    assert_eq!(api.get("/things/t").ok().await["attributes"], json!({ "a": "1" }));
    // A name used again names another thing.
    api.delete("/things/t").ok().await;
    assert_ne!(create(json!({ "a": "1" })).ok().await["thingId"], made["thingId"]);
    api.snapshot("create_thing");
}

async fn what_does_not_exist_cannot_be_named(api: Api) {
    api.post("/things/t").json(json!({ "thingTypeName": "x" })).refused(404, "ResourceNotFoundException").await;
    api.post("/things/t").json(json!({ "billingGroupName": "x" })).refused(404, "ResourceNotFoundException").await;
    api.get("/things/t").quietly().refused(404, "ResourceNotFoundException").await;
    api.snapshot("create_thing_unknown");
}

async fn a_thing_has_three_attributes_at_most(api: Api) {
    let create = |name: &str, attributes: Value| {
        api.post(format!("/things/{name}")).json(json!({ "attributePayload": { "attributes": attributes } }))
    };
    create("three", json!({ "a": "1", "b": "2", "c": "3" })).ok().await;
    create("four", json!({ "a": "1", "b": "2", "c": "3", "d": "4" })).invalid().await;
    // An empty value takes no place.
    create("three-and-an-empty-one", json!({ "a": "1", "b": "2", "c": "3", "d": "" })).ok().await;
    create("long", json!({ "k".repeat(128): "v".repeat(800) })).ok().await;
    create("t", json!({ "k".repeat(129): "v" })).invalid().await;
    create("t", json!({ "k": "v".repeat(801) })).invalid().await;
    create("t", json!({ "a b": "v" })).invalid().await;
    create("t", json!({ "a": "v w" })).invalid().await;
    create("t", json!({ "a": 1 })).invalid().await;
    create("t", json!(["a"])).invalid().await;
    api.get("/things/t").quietly().refused(404, "ResourceNotFoundException").await;
    api.snapshot("create_thing_attributes");
}

async fn a_thing_with_a_type_has_fifty_attributes_at_most(api: Api) {
    api.thing_type("lamp").await;
    let attributes = |count: usize| -> Value { (0..count).map(|n| (format!("a{n}"), json!("v"))).collect() };
    let create = |name: &str, body: Value| api.post(format!("/things/{name}")).json(body).quietly();
    let typed = |count| json!({ "thingTypeName": "lamp", "attributePayload": { "attributes": attributes(count) } });
    create("t", typed(51)).invalid().await;
    api.get("/things/t").quietly().refused(404, "ResourceNotFoundException").await;
    let made = create("t", typed(50)).ok().await;
    assert_eq!(create("t", typed(50)).ok().await, made);
    let told = api.get("/things/t").quietly().ok().await;
    assert_eq!((&told["thingTypeName"], &told["attributes"]), (&json!("lamp"), &attributes(50)));
    // The type is part of what is repeated.
    create("u", json!({})).ok().await;
    create("u", json!({ "thingTypeName": "lamp" })).refused(409, "ResourceAlreadyExistsException").await;
    create("t", json!({ "attributePayload": { "attributes": attributes(3) } }))
        .refused(409, "ResourceAlreadyExistsException")
        .await;
    // An unknown type prevents all of it.
    create("v", json!({ "thingTypeName": "Lamp" })).refused(404, "ResourceNotFoundException").await;
    api.get("/things/v").quietly().refused(404, "ResourceNotFoundException").await;
}

async fn a_thing_begins_in_its_billing_group(api: Api) {
    api.billing_group("g").await;
    api.billing_group("h").await;
    let create = |body: Value| api.post("/things/t").json(body);
    let made = create(json!({ "billingGroupName": "g" })).ok().await;
    assert_eq!(create(json!({ "billingGroupName": "g" })).ok().await, made);
    let taken = "ResourceAlreadyExistsException";
    create(json!({ "billingGroupName": "h" })).refused(409, taken).await;
    create(json!({})).refused(409, taken).await;
    assert_eq!(api.billing_group_of("t").await, "g");
    assert_eq!(api.get("/billing-groups/g/things").ok().await["things"], json!(["t"]));
    // What is wanted is compared with where the thing is now.
    api.add_to_billing_group("t", "h").await;
    create(json!({ "billingGroupName": "g" })).refused(409, taken).await;
    assert_eq!(create(json!({ "billingGroupName": "h" })).ok().await, made);
    api.snapshot("create_thing_billing_group");
}

async fn names_have_128_characters_at_most(api: Api) {
    let name = format!("{}:_-9", "n".repeat(124));
    assert_eq!(name.len(), 128);
    let made = api.post(format!("/things/{}", encoded(&name))).ok().await;
    assert_eq!(made["thingName"], name);
    for name in [&*format!("{name}n"), "a b", "a/b", "a.b", "é", "\u{0}", "../t"] {
        api.post(format!("/things/{}", encoded(name))).invalid().await;
    }
    api.snapshot("create_thing_names");
}
