//! CreateProvisioningTemplate.

use gatehouse_control::access_key::AccessKeyWish;
use serde_json::{Value, json};

use crate::client::{Api, Ask, encoded};
use crate::harness::{ACCOUNT, on_both_engines};
use crate::samples::{ROLE, TEMPLATE};

on_both_engines!(
    a_template_is_made_and_waits_to_be_enabled,
    what_is_no_template_is_refused,
    a_hook_is_a_function_of_the_account_and_region,
    a_scope_has_256_templates_at_most,
    tags_come_with_a_template,
    whoever_may_not_pass_the_role_makes_no_template,
);

const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:check";

/// A request for the template `name`, with `more` members.
fn create(api: &Api, name: &str, more: &Value) -> Ask {
    let mut body = json!({ "templateName": name, "templateBody": TEMPLATE, "provisioningRoleArn": ROLE });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    api.post("/provisioning-templates").json(body)
}

async fn a_template_is_made_and_waits_to_be_enabled(api: Api) {
    let made = create(&api, "fleet", &json!({})).ok().await;
    let arn = api.arn("provisioningtemplate/fleet");
    assert_eq!(made, json!({ "templateName": "fleet", "templateArn": arn, "defaultVersionId": 1 }));
    let described = api.get("/provisioning-templates/fleet").ok().await;
    assert_eq!((&described["enabled"], &described["type"]), (&json!(false), &json!("FLEET_PROVISIONING")));
    let taken = create(&api, "fleet", &json!({})).refused(409, "ResourceAlreadyExistsException").await;
    assert_eq!((&taken["resourceId"], &taken["resourceArn"]), (&json!("fleet"), &json!(arn)));
    // Capitals make another name.
    create(&api, "Fleet", &json!({ "enabled": true, "type": "JITP", "description": "of the CA" })).ok().await;
    let described = api.get("/provisioning-templates/Fleet").ok().await;
    assert_eq!((&described["enabled"], &described["type"]), (&json!(true), &json!("JITP")));
    create(&api, &"n".repeat(36), &json!({ "description": "d".repeat(500) })).quietly().ok().await;
    api.snapshot("create_provisioning_template");
}

async fn what_is_no_template_is_refused(api: Api) {
    let of_a_subject = json!({
        "Parameters": { "AWS::IoT::Certificate::CommonName": { "Type": "String" } },
        "Resources": serde_json::from_str::<Value>(TEMPLATE).unwrap()["Resources"],
    });
    let with_properties = |properties: Value| {
        let mut body: Value = serde_json::from_str(TEMPLATE).unwrap();
        body["Resources"]["thing"] = json!({ "Type": "AWS::IoT::Thing", "Properties": properties });
        body.to_string()
    };
    for more in [
        json!({ "templateBody": "" }),
        json!({ "templateBody": "[]" }),
        json!({ "templateBody": "{}" }),
        json!({ "templateBody": TEMPLATE.replace("\"Type\"", "\"Typ\"") }),
        json!({ "templateBody": with_properties(json!({ "ThingName": { "Ref": "AWS::Region" } })) }),
        json!({ "templateBody": with_properties(json!({ "ThingName": "a/b" })) }),
        json!({ "templateBody": with_properties(json!({ "ThingName": "a", "Foo": "b" })) }),
        json!({ "templateBody": of_a_subject.to_string() }),
        json!({ "templateBody": format!("{TEMPLATE}{}", " ".repeat(10_240)) }),
        // Of at most 10,240 characters, and more bytes.
        json!({ "templateBody": TEMPLATE.replace("\"certificate\"", &format!("\"{}\"", "\u{e9}".repeat(5_200))) }),
        json!({ "templateName": "a.b" }),
        json!({ "templateName": "" }),
        json!({ "templateName": "n".repeat(37) }),
        json!({ "description": "d".repeat(501) }),
        json!({ "description": "a\nb" }),
        json!({ "type": "BULK" }),
        json!({ "enabled": "true" }),
        json!({ "provisioningRoleArn": "arn:aws:iam::123456789012:user/someone" }),
        json!({ "provisioningRoleArn": "arn:aws:iam::210987654321:role/fleet/provisioning" }),
        json!({ "provisioningRoleArn": "role" }),
        json!({ "tags": [{ "Key": "aws:a" }] }),
        json!({ "nonsense": true }),
    ] {
        create(&api, "t", &more).invalid().await;
    }
    // What one type takes, the other does not.
    create(&api, "t", &json!({ "templateBody": of_a_subject.to_string(), "type": "JITP" })).ok().await;
    for missing in ["templateName", "templateBody", "provisioningRoleArn"] {
        let mut body = json!({ "templateName": "m", "templateBody": TEMPLATE, "provisioningRoleArn": ROLE });
        body.as_object_mut().unwrap().remove(missing);
        api.post("/provisioning-templates").json(body).invalid().await;
    }
    let templates = api.get("/provisioning-templates").quietly().ok().await["templates"].clone();
    assert_eq!(templates.as_array().unwrap().len(), 1);
    api.snapshot("create_provisioning_template_refused");
}

async fn a_hook_is_a_function_of_the_account_and_region(api: Api) {
    let with = |hook: Value| create(&api, "t", &json!({ "preProvisioningHook": hook }));
    for hook in [
        json!({}),
        json!({ "targetArn": "check" }),
        json!({ "targetArn": "arn:aws:sns:us-east-1:123456789012:topic" }),
        json!({ "targetArn": FUNCTION.replace("us-east-1", "eu-west-1") }),
        json!({ "targetArn": FUNCTION.replace(ACCOUNT, "210987654321") }),
        json!({ "targetArn": FUNCTION, "payloadVersion": "2021-04-01" }),
        json!({ "targetArn": FUNCTION, "payloadVersion": "x" }),
    ] {
        with(hook).invalid().await;
    }
    create(&api, "t", &json!({ "preProvisioningHook": { "targetArn": FUNCTION }, "type": "JITP" })).invalid().await;
    with(json!({ "targetArn": FUNCTION })).ok().await;
    let described = api.get("/provisioning-templates/t").ok().await;
    assert_eq!(described["preProvisioningHook"], json!({ "targetArn": FUNCTION, "payloadVersion": "2020-04-01" }));
    api.snapshot("create_provisioning_template_hook");
}

async fn a_scope_has_256_templates_at_most(api: Api) {
    for number in 0..256 {
        api.template(&format!("t{number}"), "JITP").await;
    }
    create(&api, "more", &json!({})).refused(410, "LimitExceededException").await;
    // What exists is not counted twice, and what is gone makes room.
    create(&api, "t7", &json!({})).refused(409, "ResourceAlreadyExistsException").await;
    api.delete("/provisioning-templates/t7").quietly().ok().await;
    create(&api, "more", &json!({})).ok().await;
    create(&api, "t7", &json!({})).refused(410, "LimitExceededException").await;
}

async fn tags_come_with_a_template(api: Api) {
    let tags = json!([{ "Key": "b", "Value": "2" }, { "Key": "a", "Value": "" }]);
    create(&api, "t", &json!({ "tags": tags })).ok().await;
    let arn = api.arn("provisioningtemplate/t");
    let listed = || api.get(format!("/tags?resourceArn={}", encoded(&arn))).quietly();
    assert_eq!(listed().ok().await["tags"], json!([{ "Key": "a", "Value": "" }, { "Key": "b", "Value": "2" }]));
    api.post("/untag").json(json!({ "resourceArn": arn, "tagKeys": ["b"] })).quietly().ok().await;
    let more = json!({ "resourceArn": arn, "tags": [{ "Key": "c", "Value": "3" }] });
    api.post("/tags").json(more.clone()).quietly().ok().await;
    assert_eq!(listed().ok().await["tags"], json!([{ "Key": "a", "Value": "" }, { "Key": "c", "Value": "3" }]));
    // They go with the template, and do not come back with its name.
    api.delete("/provisioning-templates/t").quietly().ok().await;
    listed().refused(404, "ResourceNotFoundException").await;
    api.post("/tags").json(more).quietly().refused(404, "ResourceNotFoundException").await;
    create(&api, "t", &json!({})).quietly().ok().await;
    assert_eq!(listed().ok().await["tags"], json!([]));
}

async fn whoever_may_not_pass_the_role_makes_no_template(api: Api) {
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "iot:*", "Resource": api.arn("provisioningtemplate/mine") },
        { "Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::123456789012:role/fleet/*" },
    ] });
    let wish = AccessKeyWish { account: ACCOUNT.parse().unwrap(), policy: Some(policy.to_string()), expires_at: None };
    let limited = api.with_key(api.running().access_key(wish).await);
    let admin = json!({ "provisioningRoleArn": "arn:aws:iam::123456789012:role/admin" });
    let refused = create(&limited, "mine", &admin).refused(403, "AccessDeniedException").await;
    assert!(refused["message"].as_str().unwrap().contains("iam:PassRole on resource: arn:aws:iam::123456789012:role/admin"));
    create(&limited, "another", &json!({})).refused(403, "AccessDeniedException").await;
    create(&limited, "mine", &json!({})).ok().await;
    limited.patch("/provisioning-templates/mine").json(admin).refused(403, "AccessDeniedException").await;
    let described = api.get("/provisioning-templates/mine").quietly().ok().await;
    assert_eq!(described["provisioningRoleArn"], ROLE);
    api.snapshot("create_provisioning_template_pass_role");
}
