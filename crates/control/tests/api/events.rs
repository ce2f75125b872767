//! What changes announce: whoever judges by the registry hears of a change that concerns it, and of nothing else.

use gatehouse_domain::event::Event;
use serde_json::json;

use crate::client::{Api, Ask, Certificate};
use crate::harness::on_both_engines;
use crate::samples::{ALLOW_ALL, ALLOW_CONNECT, CERTIFICATE, ROLE, TEMPLATE};

on_both_engines!(every_change_announces_what_it_touched, what_changes_nothing_announces_nothing);

/// Sends `ask` and tells what was announced meanwhile: the kind of event and what it names.
async fn announced(api: &Api, ask: Ask) -> Vec<(String, String)> {
    let store = &api.running().house.store;
    let before = store.last_epoch().await.unwrap();
    ask.quietly().send().await;
    let events = store.events_after(before, 100).await.unwrap();
    events
        .iter()
        .map(|logged| {
            let named = match &logged.event {
                Event::Certificate { certificate_id, .. }
                | Event::CertificatePolicies { certificate_id, .. }
                | Event::CertificateThings { certificate_id, .. } => certificate_id.to_string(),
                Event::Policy { policy_name, .. } => policy_name.to_string(),
                Event::Thing { thing_name, .. } => thing_name.to_string(),
                Event::ProvisioningTemplate { template_name, .. } => template_name.to_string(),
                other => panic!("{other:?}"),
            };
            (logged.event.name().to_owned(), named)
        })
        .collect()
}

fn event(kind: &str, named: &str) -> Vec<(String, String)> {
    vec![(kind.to_owned(), named.to_owned())]
}

fn attach(api: &Api, certificate: &Certificate) -> Ask {
    api.put("/target-policies/p").json(json!({ "target": certificate.arn }))
}

fn detach(api: &Api, certificate: &Certificate) -> Ask {
    api.post("/target-policies/p").json(json!({ "target": certificate.arn }))
}

fn principal(api: &Api, method: &str, certificate: &Certificate) -> Ask {
    api.ask(method, "/things/t/principals").header("x-amzn-principal", &certificate.arn)
}

async fn every_change_announces_what_it_touched(api: Api) {
    let policy = |target: &str, document: &str| api.post(target).json(json!({ "policyDocument": document }));
    // A policy that is new is attached to nobody.
    assert_eq!(announced(&api, policy("/policies/p", ALLOW_ALL)).await, []);
    let version = policy("/policies/p/version?setAsDefault=true", ALLOW_CONNECT);
    assert_eq!(announced(&api, version).await, event("policy", "p"));
    assert_eq!(announced(&api, api.patch("/policies/p/version/1")).await, event("policy", "p"));

    assert_eq!(announced(&api, api.post("/things/t")).await, event("thing", "t"));
    let update = json!({ "attributePayload": { "attributes": { "a": "1" } } });
    assert_eq!(announced(&api, api.patch("/things/t").json(update)).await, event("thing", "t"));

    api.thing_type("y").await;
    for change in [json!({ "thingTypeName": "y" }), json!({ "removeThingType": true })] {
        assert_eq!(announced(&api, api.patch("/things/t").json(change)).await, event("thing", "t"));
    }
    let typed = json!({ "thingTypeName": "y" });
    assert_eq!(announced(&api, api.post("/things/typed").json(typed)).await, event("thing", "typed"));

    let certificate = api.certificate().await;
    let id = certificate.id.as_str();
    assert_eq!(announced(&api, attach(&api, &certificate)).await, event("certificate_policies", id));
    assert_eq!(announced(&api, detach(&api, &certificate)).await, event("certificate_policies", id));
    assert_eq!(announced(&api, principal(&api, "PUT", &certificate)).await, event("certificate_things", id));
    assert_eq!(announced(&api, principal(&api, "DELETE", &certificate)).await, event("certificate_things", id));
    for status in ["INACTIVE", "ACTIVE", "REVOKED"] {
        let update = api.put(format!("/certificates/{id}?newStatus={status}"));
        assert_eq!(announced(&api, update).await, event("certificate", id));
    }
    attach(&api, &certificate).quietly().ok().await;
    let delete = api.delete(format!("/certificates/{id}?forceDelete=true"));
    assert_eq!(announced(&api, delete).await, event("certificate", id));
    assert_eq!(announced(&api, api.delete("/things/t")).await, event("thing", "t"));
    api.delete("/policies/p/version/2").quietly().ok().await;
    assert_eq!(announced(&api, api.delete("/policies/p")).await, event("policy", "p"));

    let made = json!({ "templateName": "fleet", "templateBody": TEMPLATE, "provisioningRoleArn": ROLE });
    let of_template = || event("provisioning_template", "fleet");
    assert_eq!(announced(&api, api.post("/provisioning-templates").json(made)).await, of_template());
    let path = "/provisioning-templates/fleet";
    let enable = json!({ "enabled": true });
    assert_eq!(announced(&api, api.patch(path).json(enable)).await, of_template());
    let version = api.post(format!("{path}/versions?setAsDefault=true")).json(json!({ "templateBody": TEMPLATE }));
    assert_eq!(announced(&api, version).await, of_template());
    assert_eq!(announced(&api, api.delete(path)).await, of_template());

    let register = api.post("/certificate/register-no-ca").json(json!({ "certificatePem": CERTIFICATE }));
    let kinds: Vec<String> = announced(&api, register).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["certificate"]);
    let kinds: Vec<String> =
        announced(&api, api.post("/keys-and-certificate")).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["certificate"]);
}

async fn what_changes_nothing_announces_nothing(api: Api) {
    let arn = api.policy("p").await;
    api.thing("t").await;
    let certificate = api.certificate().await;
    api.attach("p", &certificate).await;
    api.attach_to_thing("t", &certificate, false).await;
    let unattached = api.certificate().await;
    api.template("fleet", "FLEET_PROVISIONING").await;
    let template = "/provisioning-templates/fleet";
    let id = &certificate.id;
    let asks = [
        // Repeated.
        attach(&api, &certificate),
        detach(&api, &unattached),
        principal(&api, "PUT", &certificate),
        api.post("/things/t"),
        api.patch("/policies/p/version/1"),
        api.put(format!("/certificates/{id}?newStatus=ACTIVE")),
        api.delete("/things/nope"),
        // Of no concern for who connects.
        api.post("/policies/p/version").json(json!({ "policyDocument": ALLOW_CONNECT })),
        api.delete("/policies/p/version/2"),
        api.post("/tags").json(json!({ "resourceArn": arn, "tags": [{ "Key": "a", "Value": "1" }] })),
        api.get("/endpoint"),
        api.post("/thing-types/y"),
        api.post("/thing-types/y/deprecate"),
        api.post("/billing-groups/b"),
        api.put("/billing-groups/addThingToBillingGroup").json(json!({ "billingGroupName": "b", "thingName": "t" })),
        api.put("/billing-groups/removeThingFromBillingGroup")
            .json(json!({ "billingGroupName": "b", "thingName": "t" })),
        api.delete("/billing-groups/b"),
        api.patch(template).json(json!({ "enabled": false })),
        api.post(format!("{template}/versions")).json(json!({ "templateBody": TEMPLATE })),
        api.delete(format!("{template}/versions/2")),
        api.delete(format!("{template}/versions/1")),
        // Refused.
        api.delete("/policies/p"),
        api.delete("/things/t"),
        api.delete(format!("/certificates/{id}")),
        api.put(format!("/certificates/{id}?newStatus=PENDING_TRANSFER")),
        api.post("/policies/p").json(json!({ "policyDocument": ALLOW_ALL })),
        api.post("/policies/q").json(json!({ "policyDocument": "{}" })),
        principal(&api, "DELETE", &unattached),
    ];
    for ask in asks {
        let what = ask.what();
        assert_eq!(announced(&api, ask).await, [], "{what}");
    }
}
