//! UpdateProvisioningTemplate.

use serde_json::{Value, json};

use crate::client::{Api, Ask};
use crate::harness::on_both_engines;
use crate::samples::{ROLE, TEMPLATE, TEMPLATE_INACTIVE};

on_both_engines!(each_part_changes_on_its_own, what_does_not_fit_is_refused);

const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:check";
const PATH: &str = "/provisioning-templates/fleet";

fn update(api: &Api, body: Value) -> Ask {
    api.patch(PATH).json(body)
}

async fn each_part_changes_on_its_own(api: Api) {
    update(&api, json!({ "enabled": true })).refused(404, "ResourceNotFoundException").await;
    api.template("fleet", "FLEET_PROVISIONING").await;
    api.post(format!("{PATH}/versions")).json(json!({ "templateBody": TEMPLATE_INACTIVE })).quietly().ok().await;
    let mut expected = api.get(PATH).ok().await;
    let other_role = ROLE.replace("fleet", "other");
    let hook = json!({ "targetArn": FUNCTION, "payloadVersion": "2020-04-01" });
    let steps = [
        (json!({ "enabled": true }), vec![("enabled", json!(true))]),
        (json!({ "description": "of lamps" }), vec![("description", json!("of lamps"))]),
        (json!({ "description": "" }), vec![("description", json!(""))]),
        (
            json!({ "defaultVersionId": 2 }),
            vec![("defaultVersionId", json!(2)), ("templateBody", json!(TEMPLATE_INACTIVE))],
        ),
        (json!({ "provisioningRoleArn": other_role }), vec![("provisioningRoleArn", json!(other_role))]),
        (json!({ "preProvisioningHook": { "targetArn": FUNCTION } }), vec![("preProvisioningHook", hook)]),
        (json!({ "removePreProvisioningHook": true }), vec![("preProvisioningHook", Value::Null)]),
        (
            json!({ "enabled": false, "defaultVersionId": 1 }),
            vec![("enabled", json!(false)), ("defaultVersionId", json!(1)), ("templateBody", json!(TEMPLATE))],
        ),
    ];
    for (seconds, (body, changes)) in (1_800_000_001..).zip(steps) {
        api.clock().advance_ms(1_000);
        assert_eq!(update(&api, body.clone()).ok().await, json!({}));
        expected["lastModifiedDate"] = json!(seconds);
        for (member, value) in changes {
            match value {
                Value::Null => drop(expected.as_object_mut().unwrap().remove(member)),
                value => expected[member] = value,
            }
        }
        assert_eq!(api.get(PATH).quietly().ok().await, expected, "{body}");
    }
    // What changes nothing is no change.
    api.clock().advance_ms(1_000);
    update(&api, json!({ "enabled": false, "defaultVersionId": 1, "removePreProvisioningHook": true })).ok().await;
    update(&api, json!({})).ok().await;
    assert_eq!(api.get(PATH).ok().await, expected);
    api.snapshot("update_provisioning_template");
}

async fn what_does_not_fit_is_refused(api: Api) {
    api.template("fleet", "FLEET_PROVISIONING").await;
    api.template("jitp", "JITP").await;
    let before = api.get(PATH).quietly().ok().await;
    for version in [0, 2, -1, i64::from(i32::MAX)] {
        update(&api, json!({ "defaultVersionId": version })).refused(404, "ResourceNotFoundException").await;
    }
    let hook = json!({ "targetArn": FUNCTION });
    for body in [
        json!({ "enabled": true, "preProvisioningHook": hook, "removePreProvisioningHook": true }),
        json!({ "enabled": true, "preProvisioningHook": { "targetArn": "check" } }),
        json!({ "enabled": true, "preProvisioningHook": { "targetArn": FUNCTION, "payloadVersion": "2021-04-01" } }),
        json!({ "enabled": true, "provisioningRoleArn": "arn:aws:iam::210987654321:role/fleet/provisioning" }),
        json!({ "enabled": true, "description": "a\nb" }),
        json!({ "enabled": true, "templateBody": TEMPLATE }),
        json!({ "enabled": true, "type": "JITP" }),
        json!({ "enabled": true, "defaultVersionId": "1" }),
    ] {
        update(&api, body).invalid().await;
    }
    api.patch("/provisioning-templates/jitp").json(json!({ "preProvisioningHook": hook })).invalid().await;
    assert_eq!(api.get(PATH).quietly().ok().await, before);
    api.snapshot("update_provisioning_template_refused");
}
