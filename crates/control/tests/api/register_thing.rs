//! RegisterThing: what a template makes of things, certificates and policies that are new, and of those that exist.

use gatehouse_pki::certificate::Certificate as X509;
use gatehouse_pki::csr::VerifiedCsr;
use serde_json::{Map, Value, json};

use crate::authority::Authority;
use crate::client::{Api, Ask, Certificate};
use crate::database::refused_without_trace;
use crate::harness::on_both_engines;
use crate::samples::{ALLOW_ALL, ALLOW_CONNECT, CSR};

on_both_engines!(
    a_template_makes_all_that_it_names,
    a_certificate_alone_is_enough,
    a_registered_certificate_is_named_by_its_id,
    a_certificate_of_a_registered_authority_is_registered,
    policies_are_those_of_their_documents,
    a_certificate_is_attached_as_the_template_says,
    attributes_of_an_existing_thing_are_overridden_as_the_template_says,
    the_type_of_an_existing_thing_is_overridden_as_the_template_says,
    groups_of_an_existing_thing_are_overridden_as_the_template_says,
    the_status_of_a_registered_certificate_is_overridden_as_the_template_says,
    the_billing_group_of_an_existing_thing_stays,
    repeated_it_changes_nothing,
    each_change_is_announced_once,
);

/// What exists stands against the template.
pub(crate) const CONFLICT: &str = "ConflictingResourceUpdateException";
/// What the template names does not exist, or may not be used so.
pub(crate) const UNUSABLE: &str = "ResourceRegistrationFailureException";

/// RegisterThing by a template of these resources, which declares the parameters that are given.
pub(crate) fn register(api: &Api, resources: &Value, parameters: &Value) -> Ask {
    let declared: Map<String, Value> =
        parameters.as_object().unwrap().keys().map(|name| (name.clone(), json!({ "Type": "String" }))).collect();
    let body = json!({ "Parameters": declared, "Resources": resources }).to_string();
    api.post("/things").json(json!({ "templateBody": body, "parameters": parameters }))
}

/// A certificate with these properties.
pub(crate) fn certificate(properties: Value) -> Value {
    json!({ "Type": "AWS::IoT::Certificate", "Properties": properties })
}

/// A certificate to be issued.
pub(crate) fn by_csr() -> Value {
    certificate(json!({ "CertificateSigningRequest": CSR }))
}

/// A registered certificate.
pub(crate) fn by_id(registered: &Certificate) -> Value {
    certificate(json!({ "CertificateId": registered.id }))
}

/// A thing with these properties besides its name.
pub(crate) fn thing(name: impl Into<Value>, mut properties: Value) -> Value {
    properties["ThingName"] = name.into();
    json!({ "Type": "AWS::IoT::Thing", "Properties": properties })
}

/// A policy that exists.
pub(crate) fn policy(name: &str) -> Value {
    json!({ "Type": "AWS::IoT::Policy", "Properties": { "PolicyName": name } })
}

/// The policy of a document, which is a string or an object.
pub(crate) fn document(document: impl Into<Value>) -> Value {
    json!({ "Type": "AWS::IoT::Policy", "Properties": { "PolicyDocument": document.into() } })
}

/// A document that allows `action` on everything.
pub(crate) fn allow(action: &str) -> String {
    ALLOW_CONNECT.replace("iot:Connect", action)
}

/// The resource, with OverrideSettings.
pub(crate) fn with_overrides(mut resource: Value, settings: Value) -> Value {
    resource["OverrideSettings"] = settings;
    resource
}

/// The certificate that an answer names as `certificate`.
pub(crate) fn certificate_of(answer: &Value) -> Certificate {
    let arn = answer["resourceArns"]["certificate"].as_str().unwrap().to_owned();
    Certificate { id: arn.rsplit('/').next().unwrap().to_owned(), arn }
}

/// The names of the policies that are attached to the certificate, sorted.
pub(crate) async fn policies_of(api: &Api, certificate: &Certificate) -> Vec<String> {
    let listed = api.get("/principal-policies").header("x-amzn-iot-principal", &certificate.arn).quietly().ok().await;
    let names = listed["policies"].as_array().unwrap().iter();
    let mut names: Vec<String> = names.map(|policy| policy["policyName"].as_str().unwrap().to_owned()).collect();
    names.sort_unstable();
    names
}

/// The ARNs of the certificates that are attached to the thing.
pub(crate) async fn principals_of(api: &Api, thing: &str) -> Value {
    api.get(format!("/things/{thing}/principals")).quietly().ok().await["principals"].clone()
}

/// The names of the groups that the thing is in.
pub(crate) async fn groups_of(api: &Api, thing: &str) -> Vec<String> {
    let listed = api.get(format!("/things/{thing}/thing-groups")).quietly().ok().await;
    let groups = listed["thingGroups"].as_array().unwrap().iter();
    groups.map(|group| group["groupName"].as_str().unwrap().to_owned()).collect()
}

async fn a_template_makes_all_that_it_names(api: Api) {
    api.thing_type("lamp").await;
    api.group("north", None).await;
    api.group("east", None).await;
    api.billing_group("payer").await;
    api.policy("existing").await;
    let resources = json!({
        "certificate": certificate(json!({ "CertificateSigningRequest": { "Ref": "Csr" } })),
        "thing": thing(json!({ "Fn::Join": ["-", ["lamp", { "Ref": "Serial" }]] }), json!({
            "AttributePayload": { "serial": { "Ref": "Serial" }, "version": "v1", "none": "" },
            "ThingTypeName": "lamp",
            "ThingGroups": ["north", { "Ref": "Group" }],
            "BillingGroup": "payer",
        })),
        "by name": policy("existing"),
        "by document": document(ALLOW_CONNECT),
    });
    let made = register(&api, &resources, &json!({ "Csr": CSR, "Serial": "7", "Group": "east" })).ok().await;
    let certificate = certificate_of(&made);
    let arns = made["resourceArns"].as_object().unwrap();
    assert_eq!(arns.keys().collect::<Vec<_>>(), ["by document", "by name", "certificate", "thing"]);
    assert_eq!(
        (&arns["thing"], &arns["by name"]),
        (&json!(api.arn("thing/lamp-7")), &json!(api.arn("policy/existing")))
    );

    let described = api.describe(&certificate).await;
    assert_eq!(described["certificatePem"], made["certificatePem"]);
    assert_eq!((&described["status"], &described["certificateMode"]), (&json!("ACTIVE"), &json!("DEFAULT")));
    let of_request = VerifiedCsr::from_pem(CSR).unwrap();
    let issued = X509::from_pem(made["certificatePem"].as_str().unwrap()).unwrap();
    assert_eq!(issued.spki_der(), of_request.spki_der());

    let told = api.get("/things/lamp-7").ok().await;
    assert_eq!(told["attributes"], json!({ "serial": "7", "version": "v1" }));
    assert_eq!((&told["thingTypeName"], &told["billingGroupName"]), (&json!("lamp"), &json!("payer")));
    assert_eq!((&told["version"], &told["defaultClientId"]), (&json!(1), &json!("lamp-7")));
    assert_eq!(groups_of(&api, "lamp-7").await, ["east", "north"]);
    assert_eq!(principals_of(&api, "lamp-7").await, json!([certificate.arn]));
    let of_document = arns["by document"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert_eq!(policies_of(&api, &certificate).await, [&*of_document, "existing"]);
    let read = api.get(format!("/policies/{of_document}")).ok().await;
    assert_eq!((&read["policyDocument"], &read["defaultVersionId"]), (&json!(ALLOW_CONNECT), &json!("1")));
    api.snapshot("register_thing");
}

async fn a_certificate_alone_is_enough(api: Api) {
    for status in ["ACTIVE", "INACTIVE"] {
        let resources = json!({ "certificate": certificate(json!({
            "CertificateSigningRequest": CSR,
            "Status": status,
        })) });
        let made = register(&api, &resources, &json!({})).ok().await;
        let certificate = certificate_of(&made);
        assert_eq!(made["resourceArns"], json!({ "certificate": certificate.arn }));
        assert_eq!(api.describe(&certificate).await["status"], status);
        assert!(policies_of(&api, &certificate).await.is_empty());
    }
    assert_eq!(api.get("/things").quietly().ok().await["things"], json!([]));
}

async fn a_registered_certificate_is_named_by_its_id(api: Api) {
    let registered = api.certificate().await;
    let before = api.describe(&registered).await;
    for name in ["a", "b"] {
        let resources = json!({ "certificate": by_id(&registered), "thing": thing(name, json!({})) });
        let made = register(&api, &resources, &json!({})).ok().await;
        assert_eq!((&made["certificatePem"], certificate_of(&made)), (&before["certificatePem"], registered.clone()));
        assert_eq!(principals_of(&api, name).await, json!([registered.arn]));
    }
    assert_eq!(api.describe(&registered).await, before);
    // As a parameter, and under the name that it has in provisioning.
    let resources = json!({ "certificate": certificate(json!({ "CertificateId": { "Ref": "AWS::IoT::Certificate::Id" } })) });
    let parameters = json!({ "AWS::IoT::Certificate::Id": registered.id.to_uppercase() });
    let made = register(&api, &resources, &parameters).ok().await;
    assert_eq!(certificate_of(&made), registered);
}

async fn a_certificate_of_a_registered_authority_is_registered(api: Api) {
    let authority = Authority::new("authority");
    let ca = authority.registered(&api).await;
    let pem = authority.signs("device");
    let by_pem = |pem: &str, ca_pem: Option<&str>| {
        let mut properties = json!({ "CertificatePem": pem });
        if let Some(ca_pem) = ca_pem {
            properties["CACertificatePem"] = json!(ca_pem);
        }
        json!({ "certificate": certificate(properties), "thing": thing("t", json!({})) })
    };
    let made = register(&api, &by_pem(&pem, None), &json!({})).ok().await;
    let device = certificate_of(&made);
    assert_eq!(made["certificatePem"], pem);
    let described = api.describe(&device).await;
    assert_eq!((&described["status"], &described["caCertificateId"]), (&json!("ACTIVE"), &json!(ca)));
    // Registered, it is the same certificate, and what it is stays, whoever vouches for it by now.
    api.put(format!("/cacertificate/{ca}?newStatus=INACTIVE")).quietly().ok().await;
    let again = register(&api, &by_pem(&pem, None), &json!({})).ok().await;
    assert_eq!((again, api.describe(&device).await), (made, described));
    api.put(format!("/cacertificate/{ca}?newStatus=ACTIVE")).quietly().ok().await;

    // Of two that signed it, one is named.
    let renewed = authority.renewed("authority");
    let second = renewed.registered(&api).await;
    let pem = authority.signs("another device");
    let refused =
        refused_without_trace(&api, register(&api, &by_pem(&pem, None), &json!({})), 400, UNUSABLE).await;
    assert!(refused.contains("caCertificatePem"), "{refused}");
    let made = register(&api, &by_pem(&pem, Some(&renewed.pem)), &json!({})).ok().await;
    assert_eq!(api.describe(&certificate_of(&made)).await["caCertificateId"], second);
    assert_eq!(principals_of(&api, "t").await.as_array().unwrap().len(), 2);
}

async fn policies_are_those_of_their_documents(api: Api) {
    let as_object: Value = serde_json::from_str(ALLOW_CONNECT).unwrap();
    let with_parameter = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Action": "iot:Connect",
        "Resource": { "Fn::Sub": ["arn:aws:iot:us-east-1:123456789012:client/${name}", { "name": { "Ref": "Serial" } }] },
    }] });
    let names = |made: &Value, resources: [&str; 2]| {
        resources.map(|resource| made["resourceArns"][resource].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
    };
    let count = || async { api.get("/policies").quietly().ok().await["policies"].as_array().unwrap().len() };

    // Twice the same document, and the policy of the document by its name, are one policy.
    let twice = json!({ "certificate": by_csr(), "a": document(ALLOW_ALL), "b": document(ALLOW_ALL) });
    let made = register(&api, &twice, &json!({})).ok().await;
    let [a, b] = names(&made, ["a", "b"]);
    assert_eq!((a.len(), &a), (40, &b));
    assert!(a.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()), "{a}");
    assert_eq!((policies_of(&api, &certificate_of(&made)).await, count().await), (vec![a.clone()], 1));
    let by_name = json!({ "certificate": by_csr(), "a": document(ALLOW_ALL), "b": policy(&a) });
    let made = register(&api, &by_name, &json!({})).ok().await;
    assert_eq!(names(&made, ["a", "b"]), [a.clone(), a.clone()]);
    assert_eq!((policies_of(&api, &certificate_of(&made)).await, count().await), (vec![a], 1));

    // An object has the document that it comes to, which differs with the parameters in it.
    let objects = json!({ "certificate": by_csr(), "a": document(as_object), "b": document(with_parameter) });
    let mut met = Vec::new();
    for serial in ["1", "2", "1"] {
        let made = register(&api, &objects, &json!({ "Serial": serial })).ok().await;
        let [constant, of_serial] = names(&made, ["a", "b"]);
        let read = api.get(format!("/policies/{of_serial}")).quietly().ok().await;
        assert!(read["policyDocument"].as_str().unwrap().contains(&format!("client/{serial}\"")), "{read}");
        met.push((constant, of_serial));
    }
    assert_eq!((&met[0], &met[0].0), (&met[2], &met[1].0));
    assert_ne!(met[0].1, met[1].1);
    assert_eq!(count().await, 4);
    // Where it is attached it stays attached.
    let registered = api.certificate().await;
    let resources = json!({ "certificate": by_id(&registered), "a": document(ALLOW_ALL) });
    for _ in 0..2 {
        register(&api, &resources, &json!({})).ok().await;
        assert_eq!(policies_of(&api, &registered).await.len(), 1);
    }
    api.snapshot("register_thing_policies");
}

async fn a_certificate_is_attached_as_the_template_says(api: Api) {
    for (given, told) in [(None, "NON_EXCLUSIVE_THING"), (Some("EXCLUSIVE_THING"), "EXCLUSIVE_THING")] {
        let mut properties = json!({ "CertificateSigningRequest": CSR });
        if let Some(given) = given {
            properties["ThingPrincipalType"] = json!(given);
        }
        let resources = json!({ "certificate": certificate(properties), "thing": thing("t", json!({})) });
        let made = register(&api, &resources, &json!({})).ok().await;
        let certificate = certificate_of(&made);
        let path = format!("/things/t/principals-v2?thingPrincipalType={told}");
        let listed = api.get(path).quietly().ok().await;
        let attached = json!([{ "principal": certificate.arn, "thingPrincipalType": told }]);
        assert_eq!(listed["thingPrincipalObjects"], attached);
        // Again, as it is.
        let again = json!({
            "certificate": certificate_with(&certificate, json!({ "ThingPrincipalType": told })),
            "thing": thing("t", json!({})),
        });
        register(&api, &again, &json!({})).ok().await;
    }
}

fn certificate_with(registered: &Certificate, mut properties: Value) -> Value {
    properties["CertificateId"] = json!(registered.id);
    certificate(properties)
}

/// A thing that exists, with two attributes, a type, a group and a billing group.
async fn existing_thing(api: &Api) -> Certificate {
    for name in ["old", "new"] {
        api.thing_type(name).await;
        api.group(name, None).await;
        api.billing_group(name).await;
    }
    let body = json!({
        "attributePayload": { "attributes": { "a": "old", "z": "26" } },
        "thingTypeName": "old",
        "billingGroupName": "old",
    });
    api.post("/things/t").json(body).quietly().ok().await;
    api.enter("t", "old").await;
    api.certificate().await
}

/// Registers the existing thing with `properties` under each of `words` as the setting `name`, and tells the thing after
/// each. `FAIL` must be refused.
async fn overridden(api: &Api, name: &str, properties: &Value, words: &[&str]) -> Vec<Value> {
    let registered = existing_thing(api).await;
    let mut told = Vec::new();
    for word in words {
        let overrides = if word.is_empty() { json!({}) } else { json!({ name: word }) };
        let thing = with_overrides(thing("t", properties.clone()), overrides);
        let ask = register(api, &json!({ "certificate": by_id(&registered), "thing": thing }), &json!({}));
        if *word == "FAIL" {
            let refused = refused_without_trace(api, ask, 409, CONFLICT).await;
            assert_eq!(refused, format!("thing t: the thing exists, and the template's OverrideSettings say FAIL for its {name}"));
        } else {
            ask.ok().await;
            assert_eq!(principals_of(api, "t").await, json!([registered.arn]));
        }
        let mut thing = api.get("/things/t").quietly().ok().await;
        thing["groups"] = json!(groups_of(api, "t").await);
        told.push(thing);
    }
    told
}

async fn attributes_of_an_existing_thing_are_overridden_as_the_template_says(api: Api) {
    let given = json!({ "AttributePayload": { "a": "new", "b": "2" } });
    let words = ["FAIL", "", "DO_NOTHING", "MERGE", "REPLACE"];
    let things = overridden(&api, "AttributePayload", &given, &words).await;
    let attributes: Vec<&Value> = things.iter().map(|thing| &thing["attributes"]).collect();
    let old = json!({ "a": "old", "z": "26" });
    let merged = json!({ "a": "new", "b": "2", "z": "26" });
    assert_eq!(attributes, [&old, &old, &old, &merged, &json!({ "a": "new", "b": "2" })]);
    let versions: Vec<&Value> = things.iter().map(|thing| &thing["version"]).collect();
    assert_eq!(versions, [1, 1, 1, 2, 3]);
    // What is not overridden stays.
    for thing in &things {
        assert_eq!((&thing["thingTypeName"], &thing["groups"]), (&json!("old"), &json!(["old"])));
    }
    let listed = api.get("/things?attributeName=b&attributeValue=2").quietly().ok().await;
    assert_eq!(listed["things"].as_array().unwrap().len(), 1);
    api.snapshot("register_thing_attributes");
}

async fn the_type_of_an_existing_thing_is_overridden_as_the_template_says(api: Api) {
    let words = ["FAIL", "", "DO_NOTHING", "REPLACE"];
    let things = overridden(&api, "ThingTypeName", &json!({ "ThingTypeName": "new" }), &words).await;
    let types: Vec<&Value> = things.iter().map(|thing| &thing["thingTypeName"]).collect();
    assert_eq!(types, ["old", "old", "old", "new"]);
    for thing in &things {
        assert_eq!(thing["attributes"], json!({ "a": "old", "z": "26" }));
    }
}

async fn groups_of_an_existing_thing_are_overridden_as_the_template_says(api: Api) {
    let words = ["FAIL", "", "DO_NOTHING", "MERGE", "REPLACE"];
    let things = overridden(&api, "ThingGroups", &json!({ "ThingGroups": ["new"] }), &words).await;
    let groups: Vec<&Value> = things.iter().map(|thing| &thing["groups"]).collect();
    let old = json!(["old"]);
    assert_eq!(groups, [&old, &old, &old, &json!(["new", "old"]), &json!(["new"])]);
}

async fn the_status_of_a_registered_certificate_is_overridden_as_the_template_says(api: Api) {
    let registered = api.certificate().await;
    let with = |status: &str, word: Option<&str>| {
        let resource = certificate_with(&registered, json!({ "Status": status }));
        let settings = word.map_or_else(|| json!({}), |word| json!({ "Status": word }));
        register(&api, &json!({ "certificate": with_overrides(resource, settings) }), &json!({}))
    };
    let status = || async { api.describe(&registered).await["status"].clone() };
    for word in [None, Some("DO_NOTHING")] {
        with("INACTIVE", word).ok().await;
        assert_eq!(status().await, "ACTIVE");
    }
    refused_without_trace(&api, with("INACTIVE", Some("FAIL")), 409, CONFLICT).await;
    // It is there, whatever its status.
    refused_without_trace(&api, with("ACTIVE", Some("FAIL")), 409, CONFLICT).await;
    for wanted in ["INACTIVE", "ACTIVE"] {
        with(wanted, Some("REPLACE")).ok().await;
        assert_eq!(status().await, wanted);
    }
    let told = api.describe(&registered).await;
    assert_eq!(told["customerVersion"], 3);
    // A new one has no status to fail for.
    let resource = certificate(json!({ "CertificateSigningRequest": CSR, "Status": "INACTIVE" }));
    let resources = json!({ "certificate": with_overrides(resource, json!({ "Status": "FAIL" })) });
    register(&api, &resources, &json!({})).ok().await;

    // What was revoked stays revoked, and may be attached all the same.
    api.put(format!("/certificates/{}?newStatus=REVOKED", registered.id)).quietly().ok().await;
    refused_without_trace(&api, with("ACTIVE", Some("REPLACE")), 400, UNUSABLE).await;
    with("ACTIVE", None).ok().await;
    assert_eq!(status().await, "REVOKED");
    api.snapshot("register_thing_status");
}

async fn the_billing_group_of_an_existing_thing_stays(api: Api) {
    let registered = existing_thing(&api).await;
    let resources = json!({ "certificate": by_id(&registered), "thing": thing("t", json!({ "BillingGroup": "new" })) });
    register(&api, &resources, &json!({})).ok().await;
    assert_eq!(api.billing_group_of("t").await, "old");
}

async fn repeated_it_changes_nothing(api: Api) {
    let registered = existing_thing(&api).await;
    let thing = thing("t", json!({
        "AttributePayload": { "a": "new" },
        "ThingTypeName": "new",
        "ThingGroups": ["new", "old"],
    }));
    let settings = json!({ "AttributePayload": "REPLACE", "ThingTypeName": "REPLACE", "ThingGroups": "REPLACE" });
    let resources = json!({
        "certificate": with_overrides(certificate_with(&registered, json!({ "Status": "INACTIVE" })), json!({ "Status": "REPLACE" })),
        "thing": with_overrides(thing, settings),
        "policy": document(ALLOW_ALL),
    });
    let made = register(&api, &resources, &json!({})).ok().await;
    let database = &api.running().database;
    let before = database.contents().await;
    assert_eq!(register(&api, &resources, &json!({})).ok().await, made);
    assert_eq!(database.contents().await, before);
}

async fn each_change_is_announced_once(api: Api) {
    let announced = |ask: Ask| async {
        let store = &api.running().house.store;
        let before = store.last_epoch().await.unwrap();
        let answer = ask.ok().await;
        let events = store.events_after(before, 100).await.unwrap();
        let mut kinds: Vec<&str> = events.iter().map(|logged| logged.event.name()).collect();
        kinds.sort_unstable();
        (kinds, answer)
    };
    let resources = json!({
        "certificate": by_csr(),
        "thing": thing("t", json!({ "AttributePayload": { "a": "1" } })),
        "p": document(ALLOW_ALL),
        "q": document(ALLOW_CONNECT),
    });
    let all = ["certificate", "certificate_policies", "certificate_things", "thing"];
    let (kinds, made) = announced(register(&api, &resources, &json!({}))).await;
    assert_eq!(kinds, all);
    let registered = certificate_of(&made);
    let status = |status: &str| {
        with_overrides(certificate_with(&registered, json!({ "Status": status })), json!({ "Status": "REPLACE" }))
    };
    let merging = |value: &str| {
        let properties = json!({ "AttributePayload": { "a": value } });
        with_overrides(thing("t", properties), json!({ "AttributePayload": "MERGE" }))
    };
    for (resources, expected) in [
        (json!({ "certificate": status("ACTIVE") }), vec![]),
        (json!({ "certificate": status("INACTIVE") }), vec!["certificate"]),
        (json!({ "certificate": by_id(&registered), "thing": merging("1") }), vec![]),
        (json!({ "certificate": by_id(&registered), "thing": merging("2") }), vec!["thing"]),
        (json!({ "certificate": by_id(&registered), "p": document(ALLOW_ALL) }), vec![]),
        (json!({ "certificate": by_id(&registered), "p": document(allow("iot:Publish")) }), vec!["certificate_policies"]),
        (json!({ "certificate": by_id(&registered), "thing": thing("u", json!({})) }), vec!["certificate_things", "thing"]),
    ] {
        let (kinds, _) = announced(register(&api, &resources, &json!({})).quietly()).await;
        assert_eq!(kinds, expected, "{resources}");
    }
}
