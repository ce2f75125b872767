//! Carrying a plan out: whatever stands against it, or breaks, nothing of it is left behind. RegisterThing is the way in.

use gatehouse_control::access_key::AccessKeyWish;
use gatehouse_domain::limits;
use serde_json::{Value, json};

use crate::authority::{Authority, self_signed};
use crate::client::{Api, Certificate};
use crate::database::refused_without_trace;
use crate::harness::{OTHER_REGION, on_both_engines};
use crate::register_thing::{
    CONFLICT, UNUSABLE, by_csr, by_id, certificate, certificate_of, document, groups_of, policies_of, policy,
    principals_of, register, thing, with_overrides,
};
use crate::samples::{ALLOW_ALL, ALLOW_CONNECT, BAD_CSRS, CSR, UNKNOWN_ID};
use crate::transfer_certificate::{TARGET, inactive, offer};

on_both_engines!(
    what_is_no_template_is_refused,
    parameters_must_fit_the_template,
    what_the_template_names_must_exist,
    what_another_tenant_has_does_not_exist,
    a_certificate_that_may_not_be_used_is_refused,
    an_exclusive_certificate_stays_with_its_thing,
    a_certificate_has_ten_policies_at_most,
    a_thing_is_in_ten_groups_and_one_of_a_branch,
    a_thing_keeps_to_its_attributes,
    a_policy_of_a_document_says_what_the_document_says,
    bad_requests_and_certificates_are_refused,
    every_step_is_asked_of_the_callers_policy,
    no_more_is_asked_of_the_callers_policy,
    a_commit_that_breaks_off_leaves_nothing,
);

const INVALID: &str = "InvalidRequestException";

/// Refused, without a trace; answers the message.
async fn refused(api: &Api, resources: Value, status: u16, error: &str) -> String {
    refused_without_trace(api, register(api, &resources, &json!({})), status, error).await
}

/// Refused, and the message contains `needle`.
async fn unusable(api: &Api, resources: Value, needle: &str) {
    let message = refused(api, resources, 400, UNUSABLE).await;
    assert!(message.contains(needle), "{message}");
}

/// A certificate and a thing.
fn with_thing(certificate: Value, properties: Value) -> Value {
    json!({ "certificate": certificate, "thing": thing("t", properties) })
}

async fn what_is_no_template_is_refused(api: Api) {
    let send = |body: Value| refused_without_trace(&api, api.post("/things").json(body), 400, INVALID);
    let with = |body: &str| send(json!({ "templateBody": body, "parameters": {} }));
    for body in ["", "{", "[]", "{}", "null", r#"{"Resources":{}}"#] {
        let message = with(body).await;
        assert!(message.starts_with("templateBody: "), "{body}: {message}");
    }
    send(json!({})).await;
    send(json!({ "templateBody": {}, "parameters": {} })).await;
    send(json!({ "templateBody": "{}", "parameters": { "a": 1 } })).await;
    send(json!({ "templateBody": "{}", "parameters": [] })).await;
    send(json!({ "templateBody": "{}", "template": "{}" })).await;
    with(&" ".repeat(limits::TEMPLATE_BODY_BYTES + 1)).await;
    for (resources, needle) in [
        (json!({ "thing": thing("t", json!({})) }), "AWS::IoT::Certificate is needed"),
        (json!({ "certificate": by_csr(), "second": by_csr() }), "at most one"),
        (json!({ "certificate": certificate(json!({})) }), "exactly one of"),
        (
            json!({ "certificate": certificate(json!({ "CertificateSigningRequest": CSR, "CertificateId": UNKNOWN_ID })) }),
            "exactly one of",
        ),
        (json!({ "certificate": certificate(json!({ "CertificateId": "1" })) }), "64 hexadecimal digits"),
        (
            json!({ "certificate": certificate(json!({ "CertificateSigningRequest": CSR, "Status": "REVOKED" })) }),
            "Status",
        ),
        (with_thing(by_csr(), json!({ "ThingNames": "u" })), "ThingNames"),
        (with_thing(by_csr(), json!({ "BillingGroup": "a b" })), "BillingGroup"),
        (json!({ "certificate": by_csr(), "p": document("{}") }), "policy document is refused"),
        (json!({ "certificate": with_overrides(by_csr(), json!({ "Status": "MERGE" })) }), "OverrideSettings"),
    ] {
        let message = refused(&api, resources, 400, INVALID).await;
        assert!(message.contains(needle), "{message}");
    }
    let told = json!({ "Resources": { "certificate": by_csr() }, "DeviceConfiguration": { "url": "x" } });
    with(&told.to_string()).await;
    api.snapshot("provisioning_no_template");
}

async fn parameters_must_fit_the_template(api: Api) {
    let resources = json!({
        "certificate": certificate(json!({ "CertificateSigningRequest": { "Ref": "Csr" } })),
        "thing": thing(json!({ "Ref": "Name" }), json!({})),
        "policy": document(json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "iot:Connect", "Resource": { "Ref": "Resource" },
        }] })),
    });
    let declared = json!({
        "Csr": { "Type": "String", "Default": CSR },
        "Name": { "Type": "String" },
        "Resource": { "Type": "String", "Default": "*" },
    });
    let body = json!({ "Parameters": declared, "Resources": resources }).to_string();
    let send = |parameters: Value| api.post("/things").json(json!({ "templateBody": body, "parameters": parameters }));
    for (parameters, needle) in [
        (json!({}), "Cannot resolve reference value: Name"),
        (json!({ "Name": "a b" }), "Resources.thing.Properties.ThingName"),
        (json!({ "Name": "" }), "Resources.thing.Properties.ThingName"),
        (json!({ "Name": "t", "Csr": "" }), "CertificateSigningRequest"),
        (json!({ "Name": "t", "Resource": "*" }), "Resources.policy"),
        (json!({ "Name": "t", "Resource": "${iot:ClientId}" }), "Resources.policy"),
        (json!({ "Name": "x".repeat(4097) }), "4096"),
        (json!({ "Name": "t", "k".repeat(2049): "" }), "2048"),
    ] {
        let message = refused_without_trace(&api, send(parameters), 400, INVALID).await;
        assert!(message.contains(needle), "{message}");
    }
    // What the author wrote is not a parameter's; what the template does not declare is passed over.
    send(json!({ "Name": "t", "more": "${*}" })).ok().await;
    api.get("/things/t").quietly().ok().await;
    api.snapshot("provisioning_parameters");
}

async fn what_the_template_names_must_exist(api: Api) {
    api.thing_type("former").await;
    api.deprecate("former").await;
    let unknown = Certificate { id: UNKNOWN_ID.into(), arn: String::new() };
    for (resources, needle) in [
        (json!({ "certificate": by_id(&unknown) }), "certificate abababab"),
        (with_thing(by_csr(), json!({ "ThingTypeName": "nope" })), "thing type nope does not exist"),
        (with_thing(by_csr(), json!({ "ThingTypeName": "former" })), "thing type former is deprecated"),
        (with_thing(by_csr(), json!({ "ThingGroups": ["nope"] })), "thing group nope does not exist"),
        (with_thing(by_csr(), json!({ "BillingGroup": "nope" })), "billing group nope does not exist"),
        (json!({ "certificate": by_csr(), "p": policy("nope") }), "policy nope does not exist"),
    ] {
        unusable(&api, resources, needle).await;
    }
    // The same for what exists.
    let registered = api.certificate().await;
    api.thing("t").await;
    for (properties, settings, needle) in [
        (json!({ "ThingTypeName": "nope" }), json!({ "ThingTypeName": "REPLACE" }), "thing type nope does not exist"),
        (
            json!({ "ThingTypeName": "former" }),
            json!({ "ThingTypeName": "REPLACE" }),
            "thing type former is deprecated",
        ),
        (json!({ "ThingGroups": ["nope"] }), json!({ "ThingGroups": "MERGE" }), "thing group nope does not exist"),
    ] {
        let thing = with_overrides(thing("t", properties), settings);
        unusable(&api, json!({ "certificate": by_id(&registered), "thing": thing }), needle).await;
    }
    api.snapshot("provisioning_unknown");
}

async fn what_another_tenant_has_does_not_exist(api: Api) {
    let registered = api.certificate().await;
    api.policy("p").await;
    api.thing_type("y").await;
    api.group("g", None).await;
    api.billing_group("b").await;
    for other in [api.of_account("210987654321").await, api.in_region(OTHER_REGION)] {
        for resources in [
            json!({ "certificate": by_id(&registered) }),
            with_thing(by_csr(), json!({ "ThingTypeName": "y" })),
            with_thing(by_csr(), json!({ "ThingGroups": ["g"] })),
            with_thing(by_csr(), json!({ "BillingGroup": "b" })),
            json!({ "certificate": by_csr(), "p": policy("p") }),
        ] {
            refused(&other, resources, 400, UNUSABLE).await;
        }
    }
}

async fn a_certificate_that_may_not_be_used_is_refused(api: Api) {
    let target = api.of_account(TARGET).await;
    let registered = inactive(&api).await;
    offer(&api, &registered).quietly().ok().await;
    let replaced = |status: &str| {
        let properties = json!({ "CertificateId": registered.id, "Status": status });
        with_overrides(certificate(properties), json!({ "Status": "REPLACE" }))
    };
    for resources in [
        json!({ "certificate": by_id(&registered) }),
        with_thing(by_id(&registered), json!({})),
        json!({ "certificate": by_id(&registered), "p": document(ALLOW_ALL) }),
        json!({ "certificate": replaced("ACTIVE") }),
    ] {
        unusable(&api, resources, "PENDING_TRANSFER").await;
    }
    // To whom it is offered has it no more than anybody else.
    unusable(&target, json!({ "certificate": by_id(&registered) }), "is not registered").await;

    let revoked = api.certificate().await;
    api.put(format!("/certificates/{}?newStatus=REVOKED", revoked.id)).quietly().ok().await;
    for status in ["ACTIVE", "INACTIVE"] {
        let properties = json!({ "CertificateId": revoked.id, "Status": status });
        let resource = with_overrides(certificate(properties), json!({ "Status": "REPLACE" }));
        unusable(&api, with_thing(resource, json!({})), "REVOKED").await;
    }
    api.snapshot("provisioning_certificate");
}

async fn an_exclusive_certificate_stays_with_its_thing(api: Api) {
    api.thing("other").await;
    api.thing("here").await;
    let (exclusive, shared, here) = (api.certificate().await, api.certificate().await, api.certificate().await);
    api.attach_to_thing("other", &exclusive, true).await;
    api.attach_to_thing("other", &shared, false).await;
    api.attach_to_thing("here", &here, false).await;
    let as_exclusive = |registered: &Certificate| {
        certificate(json!({ "CertificateId": registered.id, "ThingPrincipalType": "EXCLUSIVE_THING" }))
    };
    unusable(&api, with_thing(by_id(&exclusive), json!({})), "another thing as EXCLUSIVE_THING").await;
    unusable(&api, with_thing(as_exclusive(&exclusive), json!({})), "another thing as EXCLUSIVE_THING").await;
    unusable(&api, with_thing(as_exclusive(&shared), json!({})), "attached to other things").await;
    let resources = json!({ "certificate": as_exclusive(&here), "thing": thing("here", json!({})) });
    unusable(&api, resources, "another thingPrincipalType").await;
    register(&api, &with_thing(by_id(&shared), json!({})), &json!({})).ok().await;
    api.snapshot("provisioning_exclusive");
}

async fn a_certificate_has_ten_policies_at_most(api: Api) {
    let registered = api.certificate().await;
    let mut resources = json!({ "certificate": by_id(&registered) });
    for number in 0..9 {
        api.policy(&format!("p{number}")).await;
        resources[format!("p{number}")] = policy(&format!("p{number}"));
    }
    register(&api, &resources, &json!({})).ok().await;
    let more = json!({ "certificate": by_id(&registered), "a": document(ALLOW_ALL), "b": document(ALLOW_CONNECT) });
    unusable(&api, more, "10").await;
    // What is attached already takes no other place, nor does the same twice.
    resources["same"] = document(ALLOW_ALL);
    register(&api, &resources, &json!({})).ok().await;
    assert_eq!(policies_of(&api, &registered).await.len(), 10);
    let full = json!({ "certificate": by_id(&registered), "a": document(ALLOW_ALL), "b": document(ALLOW_ALL) });
    register(&api, &full, &json!({})).ok().await;
    unusable(&api, json!({ "certificate": by_id(&registered), "a": document(ALLOW_CONNECT) }), "10").await;
    resources["eleventh"] = policy("p0");
    let message = refused(&api, resources, 400, INVALID).await;
    assert!(message.contains("at most 10 policies"), "{message}");
    api.snapshot("provisioning_ten_policies");
}

async fn a_thing_is_in_ten_groups_and_one_of_a_branch(api: Api) {
    let names: Vec<String> = (0..11).map(|number| format!("g{number}")).collect();
    for name in &names {
        api.group(name, None).await;
    }
    api.group("below", Some("g0")).await;
    let branch = "lies on the same branch";
    unusable(&api, with_thing(by_csr(), json!({ "ThingGroups": ["g0", "below"] })), branch).await;
    let message = refused(&api, with_thing(by_csr(), json!({ "ThingGroups": names })), 400, INVALID).await;
    assert!(message.contains("at most 10 groups"), "{message}");
    register(&api, &with_thing(by_csr(), json!({ "ThingGroups": names[..10] })), &json!({})).ok().await;
    assert_eq!(groups_of(&api, "t").await.len(), 10);
    let merging = |groups: Value, word: &str| {
        let thing = with_overrides(thing("t", json!({ "ThingGroups": groups })), json!({ "ThingGroups": word }));
        json!({ "certificate": by_csr(), "thing": thing })
    };
    unusable(&api, merging(json!(["g10"]), "MERGE"), "10 thing groups at most").await;
    unusable(&api, merging(json!(["below"]), "MERGE"), branch).await;
    // A group that two parameters name is one.
    let twice = merging(json!([{ "Ref": "A" }, { "Ref": "B" }]), "REPLACE");
    register(&api, &twice, &json!({ "A": "below", "B": "below" })).ok().await;
    assert_eq!(groups_of(&api, "t").await, ["below"]);
    unusable(&api, merging(json!(["g0"]), "MERGE"), branch).await;
    api.snapshot("provisioning_groups");
}

async fn a_thing_keeps_to_its_attributes(api: Api) {
    api.thing_type("y").await;
    let attributes =
        |range: std::ops::Range<usize>| -> Value { range.map(|number| (format!("a{number}"), json!("v"))).collect() };
    let typed = json!({ "ThingTypeName": "y", "AttributePayload": attributes(0..50) });
    register(&api, &with_thing(by_csr(), typed), &json!({})).ok().await;
    api.thing("untyped").await;
    let merging = |name: &str, given: Value, typed: bool| {
        let mut properties = json!({ "AttributePayload": given });
        if typed {
            properties["ThingTypeName"] = json!("y");
        }
        let thing = with_overrides(thing(name, properties), json!({ "AttributePayload": "MERGE" }));
        json!({ "certificate": by_csr(), "thing": thing })
    };
    unusable(&api, merging("t", attributes(50..51), true), "at most 50").await;
    // The type that it is not given, because the template leaves what exists alone, gives it no room.
    unusable(&api, merging("untyped", attributes(0..4), true), "at most 3").await;
    register(&api, &merging("untyped", attributes(0..3), false), &json!({})).ok().await;
    unusable(&api, merging("untyped", attributes(3..4), false), "at most 3").await;
}

async fn a_policy_of_a_document_says_what_the_document_says(api: Api) {
    let resources = json!({ "certificate": by_csr(), "p": document(ALLOW_CONNECT) });
    let made = register(&api, &resources, &json!({})).ok().await;
    let name = made["resourceArns"]["p"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let version = |document: &str| {
        let body = json!({ "policyDocument": document });
        api.post(format!("/policies/{name}/version?setAsDefault=true")).json(body).quietly()
    };
    version(ALLOW_ALL).ok().await;
    let message = refused(&api, resources.clone(), 409, CONFLICT).await;
    assert!(message.contains(&name), "{message}");
    api.patch(format!("/policies/{name}/version/1")).quietly().ok().await;
    register(&api, &resources, &json!({})).ok().await;
    // Whoever may create policies can take the name before there is a policy of the document.
    let elsewhere = api.in_region(OTHER_REGION);
    let body = json!({ "policyDocument": ALLOW_ALL });
    elsewhere.post(format!("/policies/{name}")).json(body).quietly().ok().await;
    refused(&elsewhere, resources, 409, CONFLICT).await;
    api.snapshot("provisioning_taken_document");
}

async fn bad_requests_and_certificates_are_refused(api: Api) {
    for (why, csr) in BAD_CSRS {
        let resources = with_thing(certificate(json!({ "CertificateSigningRequest": csr })), json!({}));
        let message = refused(&api, resources, 400, INVALID).await;
        assert!(message.starts_with("the certificate signing request is refused: "), "{why}: {message}");
    }
    let (authority, stranger) = (Authority::new("authority"), Authority::new("authority"));
    let ca = authority.registered(&api).await;
    let (device, alone) = (authority.signs("device"), self_signed("alone"));
    let no_ca = "No CA certificate exists";
    for (pem, ca_pem, needle) in [
        (&*alone, None, no_ca),
        (&*stranger.signs("device"), None, no_ca),
        (&*device, Some(&*stranger.pem), no_ca),
        (&*device, Some("x"), "the CA certificate cannot be read"),
        ("x", None, "the certificate cannot be read"),
        (CSR, None, "the certificate cannot be read"),
    ] {
        let mut properties = json!({ "CertificatePem": pem });
        if let Some(ca_pem) = ca_pem {
            properties["CACertificatePem"] = json!(ca_pem);
        }
        unusable(&api, with_thing(certificate(properties), json!({})), needle).await;
    }
    let other = api.of_account("210987654321").await;
    let by_pem = || with_thing(certificate(json!({ "CertificatePem": device })), json!({}));
    unusable(&other, by_pem(), no_ca).await;
    api.put(format!("/cacertificate/{ca}?newStatus=INACTIVE")).quietly().ok().await;
    let message = refused(&api, by_pem(), 400, UNUSABLE).await;
    assert!(message.ends_with("is INACTIVE: activate it before registering its certificates"), "{message}");
}

/// A registration in which everything is new, and what it takes, with the resource that each is asked of.
async fn everything(api: &Api) -> (Value, Vec<(&'static str, String)>) {
    api.thing_type("y").await;
    api.group("g", None).await;
    api.billing_group("b").await;
    let properties = json!({ "ThingTypeName": "y", "ThingGroups": ["g"], "BillingGroup": "b" });
    let mut resources = with_thing(by_csr(), properties);
    resources["p"] = document(ALLOW_CONNECT);
    let made = register(
        &api.of_account("999999999999").await,
        &json!({
            "certificate": by_csr(),
            "p": document(ALLOW_CONNECT),
        }),
        &json!({}),
    );
    let name = made.quietly().ok().await["resourceArns"]["p"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let asked = vec![
        ("iot:RegisterThing", "*".to_owned()),
        ("iot:CreateCertificateFromCsr", "*".to_owned()),
        ("iot:CreateThing", api.arn("thing/t")),
        ("iot:CreateThing", api.arn("billinggroup/b")),
        ("iot:AddThingToThingGroup", api.arn("thing/t")),
        ("iot:AddThingToThingGroup", api.arn("thinggroup/g")),
        ("iot:AttachThingPrincipal", api.arn("cert/*")),
        ("iot:CreatePolicy", api.arn(&format!("policy/{name}"))),
        ("iot:AttachPolicy", api.arn("cert/*")),
    ];
    (resources, asked)
}

/// A registration that changes what exists, and what it takes.
async fn changes(api: &Api) -> (Value, Vec<(&'static str, String)>) {
    let registered = inactive(api).await;
    api.group("former", None).await;
    api.group("next", None).await;
    api.thing("u").await;
    api.enter("u", "former").await;
    api.policy("p").await;
    let properties = json!({ "ThingGroups": ["next"], "AttributePayload": { "a": "1" } });
    let settings = json!({ "ThingGroups": "REPLACE", "AttributePayload": "MERGE" });
    let resources = json!({
        "certificate": with_overrides(by_id(&registered), json!({ "Status": "REPLACE" })),
        "thing": with_overrides(thing("u", properties), settings),
        "p": policy("p"),
    });
    let asked = vec![
        ("iot:RegisterThing", "*".to_owned()),
        ("iot:DescribeCertificate", registered.arn.clone()),
        ("iot:UpdateCertificate", registered.arn.clone()),
        ("iot:UpdateThing", api.arn("thing/u")),
        ("iot:AddThingToThingGroup", api.arn("thing/u")),
        ("iot:AddThingToThingGroup", api.arn("thinggroup/next")),
        ("iot:RemoveThingFromThingGroup", api.arn("thing/u")),
        ("iot:RemoveThingFromThingGroup", api.arn("thinggroup/former")),
        ("iot:AttachThingPrincipal", registered.arn.clone()),
        ("iot:AttachPolicy", registered.arn),
    ];
    (resources, asked)
}

/// A registration of a certificate that a registered CA has signed, and what it takes.
async fn by_an_authority(api: &Api) -> (Value, Vec<(&'static str, String)>) {
    let authority = Authority::new("authority");
    authority.registered(api).await;
    let resources = json!({ "certificate": certificate(json!({ "CertificatePem": authority.signs("device") })) });
    (resources, vec![("iot:RegisterThing", "*".to_owned()), ("iot:RegisterCertificate", "*".to_owned())])
}

async fn every_step_is_asked_of_the_callers_policy(api: Api) {
    for (resources, asked) in [everything(&api).await, changes(&api).await, by_an_authority(&api).await] {
        for (action, resource) in &asked {
            let denied = api
                .limited(json!([
                    { "Effect": "Allow", "Action": "iot:*", "Resource": "*" },
                    { "Effect": "Deny", "Action": action, "Resource": resource },
                ]))
                .await;
            let message = refused(&denied, resources.clone(), 403, "AccessDeniedException").await;
            let told =
                format!("is not authorized to perform: {action} on resource: {}", resource.trim_end_matches('*'));
            assert!(message.contains(&told), "{message}");
        }
    }
}

async fn no_more_is_asked_of_the_callers_policy(api: Api) {
    for (resources, asked) in [everything(&api).await, changes(&api).await, by_an_authority(&api).await] {
        let statements: Vec<Value> = asked
            .iter()
            .map(|(action, resource)| json!({ "Effect": "Allow", "Action": action, "Resource": resource }))
            .collect();
        let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        let account = crate::harness::ACCOUNT.parse().unwrap();
        let wish = AccessKeyWish { account, policy: Some(policy), expires_at: None };
        let allowed = api.with_key(api.running().access_key(wish).await);
        let made = register(&allowed, &resources, &json!({})).ok().await;
        // What is as the template says takes no more than looking at it.
        let looking = json!([{
            "Effect": "Allow",
            "Action": ["iot:RegisterThing", "iot:DescribeCertificate"],
            "Resource": "*",
        }]);
        let mut again = resources;
        again["certificate"] = by_id(&certificate_of(&made));
        register(&api.limited(looking).await, &again, &json!({})).ok().await;
    }
    assert_eq!(principals_of(&api, "t").await.as_array().unwrap().len(), 1);
}

async fn a_commit_that_breaks_off_leaves_nothing(api: Api) {
    let (mut resources, _) = everything(&api).await;
    resources["thing"]["Properties"]["AttributePayload"] = json!({ "a": "1" });
    let database = &api.running().database;
    // Tables that are not read on the way: without them the commit breaks off, each time at another step.
    for table in [
        "certificate_pems",
        "thing_attributes",
        "thing_group_members",
        "thing_principals",
        "policy_attachments",
        "change_log",
    ] {
        let before = database.contents().await;
        database.run(&format!("ALTER TABLE {table} RENAME TO hidden")).await;
        let told = register(&api, &resources, &json!({})).refused(500, "InternalFailureException").await;
        assert!(!told.to_string().contains(table), "{told}");
        database.run(&format!("ALTER TABLE hidden RENAME TO {table}")).await;
        assert_eq!(database.contents().await, before, "{table}");
    }
    register(&api, &resources, &json!({})).ok().await;
    assert_eq!(principals_of(&api, "t").await.as_array().unwrap().len(), 1);
}
