//! DescribeThing.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;

on_both_engines!(a_thing_is_described);

async fn a_thing_is_described(api: Api) {
    api.get("/things/t").refused(404, "ResourceNotFoundException").await;
    let body = json!({ "attributePayload": { "attributes": { "b": "2", "a": "1" } } });
    let made = api.post("/things/t").json(body).ok().await;
    assert_eq!(
        api.get("/things/t").ok().await,
        json!({
            "defaultClientId": "t",
            "thingName": "t",
            "thingId": made["thingId"],
            "thingArn": api.arn("thing/t"),
            "attributes": { "a": "1", "b": "2" },
            "version": 1,
        })
    );
    api.thing_type("lamp").await;
    api.billing_group("g").await;
    api.patch("/things/t").json(json!({ "thingTypeName": "lamp" })).quietly().ok().await;
    api.add_to_billing_group("t", "g").await;
    let told = api.get("/things/t").ok().await;
    assert_eq!(
        (&told["thingTypeName"], &told["billingGroupName"], &told["version"]),
        (&json!("lamp"), &json!("g"), &json!(2))
    );
    api.get("/things/T").refused(404, "ResourceNotFoundException").await;
    api.get("/things/a%20b").invalid().await;
    api.snapshot("describe_thing");
}
