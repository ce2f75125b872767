//! One tenant neither sees nor touches what another has, and cannot tell it from what does not exist.

use serde_json::{Value, json};

use crate::client::{Api, encoded};
use crate::harness::{OTHER_REGION, on_both_engines};
use crate::samples::{ALLOW_ALL, CERTIFICATE, TEMPLATE, UNKNOWN_ID};

on_both_engines!(nothing_of_another_tenant_is_seen_or_touched, a_certificate_may_belong_to_many_tenants);

async fn nothing_of_another_tenant_is_seen_or_touched(api: Api) {
    api.policy("p").await;
    api.thing("t").await;
    let certificate = api.certificate().await;
    api.attach("p", &certificate).await;
    api.attach_to_thing("t", &certificate, false).await;
    api.thing_type("y").await;
    api.billing_group("b").await;
    api.add_to_billing_group("t", "b").await;
    api.template("fleet", "JITP").await;
    let before = state(&api, &certificate.id).await;

    let account = api.of_account("210987654321").await;
    for other in [api.in_region(OTHER_REGION), account] {
        let path = format!("/certificates/{}", certificate.id);
        let unknown = format!("/certificates/{UNKNOWN_ID}");
        for (method, query) in [("GET", ""), ("PUT", "?newStatus=REVOKED"), ("DELETE", "?forceDelete=true")] {
            let ours = other.ask(method, format!("{path}{query}")).refused(404, "ResourceNotFoundException").await;
            let none = other.ask(method, format!("{unknown}{query}")).refused(404, "ResourceNotFoundException").await;
            // But for the id, word for word what is said of an id that nobody has.
            assert_eq!(ours.to_string().replace(&certificate.id, UNKNOWN_ID), none.to_string());
        }
        for (method, target) in [
            ("GET", "/policies/p"),
            ("DELETE", "/policies/p"),
            ("GET", "/policies/p/version"),
            ("GET", "/policies/p/version/1"),
            ("PATCH", "/policies/p/version/1"),
            ("DELETE", "/policies/p/version/1"),
            ("POST", "/policy-targets/p"),
            ("GET", "/things/t"),
            ("PATCH", "/things/t"),
            ("GET", "/things/t/principals"),
            ("GET", "/things/t/principals-v2"),
            ("GET", "/thing-types/y"),
            ("PATCH", "/thing-types/y"),
            ("POST", "/thing-types/y/deprecate"),
            ("DELETE", "/thing-types/y"),
            ("GET", "/billing-groups/b"),
            ("GET", "/billing-groups/b/things"),
            ("GET", "/provisioning-templates/fleet"),
            ("PATCH", "/provisioning-templates/fleet"),
            ("DELETE", "/provisioning-templates/fleet"),
            ("GET", "/provisioning-templates/fleet/versions"),
            ("GET", "/provisioning-templates/fleet/versions/1"),
            ("DELETE", "/provisioning-templates/fleet/versions/1"),
        ] {
            other.ask(method, target).quietly().refused(404, "ResourceNotFoundException").await;
        }
        let not_found = "ResourceNotFoundException";
        let properties = json!({ "billingGroupProperties": {} });
        other.patch("/billing-groups/b").json(properties).quietly().refused(404, not_found).await;
        for group_or_type in [json!({ "thingTypeName": "y" }), json!({ "billingGroupName": "b" })] {
            other.post("/things/t").json(group_or_type).quietly().refused(404, not_found).await;
        }
        other.delete("/things/t").quietly().ok().await;
        other.delete("/billing-groups/b").quietly().ok().await;
        for path in ["/thing-types", "/billing-groups"] {
            let listed = other.get(path).quietly().ok().await.to_string();
            assert!(!listed.contains("\"y\"") && !listed.contains("\"b\""), "{listed}");
        }
        // By its full ARN, too.
        other.policy("p").await;
        other.thing("t").await;
        let target = json!({ "target": certificate.arn });
        other.put("/target-policies/p").json(target.clone()).refused(404, not_found).await;
        other.post("/target-policies/p").json(target).ok().await;
        other.post(format!("/attached-policies/{}", encoded(&certificate.arn))).refused(404, not_found).await;
        let principal = |method: &str, path: &str, header| other.ask(method, path).header(header, &certificate.arn);
        principal("PUT", "/things/t/principals", "x-amzn-principal").refused(404, not_found).await;
        principal("DELETE", "/things/t/principals", "x-amzn-principal").refused(404, not_found).await;
        principal("GET", "/principals/things", "x-amzn-principal").refused(404, not_found).await;
        principal("GET", "/principals/things-v2", "x-amzn-principal").refused(404, not_found).await;
        principal("PUT", "/principal-policies/p", "x-amzn-iot-principal").refused(404, not_found).await;
        principal("DELETE", "/principal-policies/p", "x-amzn-iot-principal").refused(404, not_found).await;
        principal("GET", "/principal-policies", "x-amzn-iot-principal").refused(404, not_found).await;
        let effective = json!({ "principal": certificate.arn });
        other.post("/effective-policies").json(effective).refused(404, not_found).await;
        let simulated = json!({
            "principal": certificate.arn,
            "authInfos": [{ "actionType": "CONNECT", "resources": ["*"] }],
        });
        other.post("/test-authorization").json(simulated).refused(404, not_found).await;
        let tags = json!({ "resourceArn": api.arn("policy/p"), "tags": [{ "Key": "a", "Value": "1" }] });
        other.post("/tags").json(tags).refused(404, not_found).await;
        let untag = json!({ "resourceArn": api.arn("policy/p"), "tagKeys": ["a"] });
        other.post("/untag").json(untag).refused(404, not_found).await;
        other.get(format!("/tags?resourceArn={}", encoded(&api.arn("policy/p")))).refused(404, not_found).await;
        let version = json!({ "templateBody": TEMPLATE });
        other.post("/provisioning-templates/fleet/versions").json(version).refused(404, not_found).await;
        for (path, items) in [("/certificates", "certificates"), ("/provisioning-templates", "templates")] {
            assert_eq!(other.get(path).ok().await[items], json!([]));
        }
    }
    assert_eq!(state(&api, &certificate.id).await, before);
    api.snapshot("tenants");
}

/// All that an account tells of its registry.
async fn state(api: &Api, certificate_id: &str) -> Vec<Value> {
    let mut told = Vec::new();
    for path in [
        &*format!("/certificates/{certificate_id}"),
        "/certificates",
        "/policies",
        "/policies/p",
        "/policies/p/version",
        "/things",
        "/things/t/principals-v2",
        "/things/t",
        "/thing-types",
        "/billing-groups",
        "/billing-groups/b/things",
        "/provisioning-templates",
        "/provisioning-templates/fleet",
    ] {
        told.push(api.get(path).quietly().ok().await);
    }
    told.push(api.post("/policy-targets/p").quietly().ok().await);
    told.push(api.get(format!("/tags?resourceArn={}", encoded(&api.arn("policy/p")))).quietly().ok().await);
    told
}

async fn a_certificate_may_belong_to_many_tenants(api: Api) {
    let other = api.of_account("210987654321").await;
    let abroad = api.in_region(OTHER_REGION);
    let mut id = String::new();
    for tenant in [&api, &other, &abroad] {
        let body = json!({ "certificatePem": CERTIFICATE, "status": "ACTIVE" });
        let registered = tenant.post("/certificate/register-no-ca").json(body).ok().await;
        id = registered["certificateId"].as_str().unwrap().to_owned();
        assert_eq!(registered["certificateArn"], tenant.arn(&format!("cert/{id}")));
        let policy = json!({ "policyDocument": ALLOW_ALL });
        tenant.post("/policies/p").json(policy).ok().await;
        let target = json!({ "target": registered["certificateArn"] });
        tenant.put("/target-policies/p").json(target).ok().await;
    }
    // Each has its own status, attachments and life.
    let path = format!("/certificates/{id}");
    other.put(format!("{path}?newStatus=REVOKED")).ok().await;
    abroad.put(format!("{path}?newStatus=INACTIVE")).ok().await;
    abroad.delete(format!("{path}?forceDelete=true")).ok().await;
    assert_eq!(api.get(&path).quietly().ok().await["certificateDescription"]["status"], "ACTIVE");
    assert_eq!(other.get(&path).quietly().ok().await["certificateDescription"]["status"], "REVOKED");
    abroad.get(&path).refused(404, "ResourceNotFoundException").await;
    assert_eq!(api.post("/policy-targets/p").quietly().ok().await["targets"].as_array().unwrap().len(), 1);
    api.snapshot("tenants_certificate");
}
