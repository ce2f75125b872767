//! The cases of AWS's developer guide, on the context of a real connection.

use std::sync::Arc;

use super::{
    AlternativeNameKind, CallContext, CertificateNames, ConnectAttributes, ConnectionContext, ConnectionFacts, Context,
    ContextValue, CredentialDevice, Decision, Key, NameAttribute, PolicyDocument, Request, ThingFacts, Verdict,
    evaluate, explain,
};
use crate::certificate::CertificateId;
use crate::client_id::ClientId;
use crate::scope::{AccountId, Scope};
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp::from_secs(1_780_272_000);
const PREFIX: &str = "arn:aws:iot:us-east-1:123456789012:";

fn names() -> CertificateNames {
    let text = str::to_owned;
    CertificateNames {
        subject: [
            (NameAttribute::CommonName, text("sensor")),
            (NameAttribute::Organization, text("Example Corp")),
            (NameAttribute::Organization, text("AnyCompany")),
            (NameAttribute::OrganizationalUnit, text("a+b")),
        ]
        .into_iter()
        .chain((0..7).map(|n| (NameAttribute::Title, format!("t{n}"))))
        .collect(),
        issuer: [(NameAttribute::CommonName, text("issuer"))].into_iter().collect(),
        subject_alternative: [(AlternativeNameKind::DnsName, text("sensor.example.com"))].into_iter().collect(),
        issuer_alternative: [(AlternativeNameKind::Rfc822Name, text("ca@example.com"))].into_iter().collect(),
        serial_number: CertificateNames::serial_number_text(&[0, 0xCA, 0xFE]),
    }
}

fn facts() -> ConnectionFacts {
    ConnectionFacts {
        client_id: Some(ClientId::parse("lamp").unwrap()),
        source_ip: Some("::ffff:192.0.2.7".parse().unwrap()),
        domain_name: Some("iot.example.com".into()),
        certificate_id: Some(CertificateId::from_bytes([0xAB; 32])),
        certificate_names: Some(Arc::new(names())),
        thing: Some(Arc::new(ThingFacts {
            name: "lamp".parse().unwrap(),
            thing_type_name: Some("bulb".parse().unwrap()),
            attributes: [("Zone".to_owned(), "north".to_owned())].into(),
        })),
    }
}

fn without_thing() -> ConnectionFacts {
    ConnectionFacts { thing: None, ..facts() }
}

/// As over HTTPS: no client id, no thing.
fn without_client_id() -> ConnectionFacts {
    ConnectionFacts { client_id: None, thing: None, ..facts() }
}

fn policy(statements: &str) -> PolicyDocument {
    PolicyDocument::parse(&format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)).unwrap()
}

fn allow(action: &str, resource: &str) -> String {
    format!(r#"{{"Effect":"Allow","Action":"{action}","Resource":"{PREFIX}{resource}"}}"#)
}

fn decide(document: &PolicyDocument, facts: &ConnectionFacts, action: &str, resource: &str) -> Decision {
    let context = ConnectionContext::new(facts, NOW);
    evaluate([document], &Request { action, resource: &format!("{PREFIX}{resource}"), context: &context })
}

fn connects(document: &PolicyDocument, connect: ConnectAttributes<'_>) -> Decision {
    let facts = facts();
    let context = ConnectionContext::connecting(&facts, NOW, connect);
    let resource = format!("{PREFIX}client/lamp");
    evaluate([document], &Request { action: "iot:Connect", resource: &resource, context: &context })
}

#[test]
fn every_key_has_its_value() {
    let facts = facts();
    let context = ConnectionContext {
        topic: Some("direct"),
        include_socket_information: Some(false),
        ..ConnectionContext::connecting(
            &facts,
            NOW,
            ConnectAttributes { persistent: true, last_will_topic: Some("arn:will") },
        )
    };
    let id = "ab".repeat(32);
    let cases = [
        ("iot:ClientId", "lamp"),
        ("aws:SourceIp", "192.0.2.7"),
        ("iot:DomainName", "iot.example.com"),
        ("iot:Connection.Thing.ThingName", "lamp"),
        ("iot:Thing.ThingName", "lamp"),
        ("iot:Connection.Thing.ThingTypeName", "bulb"),
        ("iot:Connection.Thing.Attributes[Zone]", "north"),
        ("iot:Connection.Thing.IsAttached", "true"),
        ("iot:Certificate.Subject.CommonName", "sensor"),
        ("iot:Certificate.Subject.Organization", "Example Corp"),
        ("iot:Certificate.Subject.Organization.1", "AnyCompany"),
        ("iot:Certificate.Subject.Title.4", "t4"),
        ("iot:Certificate.Issuer.CommonName", "issuer"),
        ("iot:Certificate.Subject.AlternativeName.DNSName", "sensor.example.com"),
        ("iot:Certificate.Issuer.AlternativeName.RFC822Name", "ca@example.com"),
        ("iot:Certificate.SerialNumber", "cafe"),
        ("iot:CertificateId", &id),
        ("iot:LastWillTopic", "arn:will"),
        ("iot:Topic", "direct"),
        ("iot:IncludeSocketInformation", "false"),
        ("aws:CurrentTime", "2026-06-01T00:00:00Z"),
        ("aws:EpochTime", "1780272000"),
        ("aws:SecureTransport", "true"),
    ];
    for (name, value) in cases {
        assert_eq!(context.value(&Key::parse(name).unwrap()), ContextValue::One(value.into()), "{name}");
    }
    let many = |values: &[&'static str]| ContextValue::Many(values.iter().map(|value| (*value).into()).collect());
    let sets = [
        ("iot:ConnectAttributes", many(&["PersistentConnect", "LastWill"])),
        ("iot:Certificate.Subject.Organization.List", many(&["Example Corp", "AnyCompany"])),
        ("iot:Certificate.Subject.Title.List", many(&["t0", "t1", "t2", "t3", "t4"])),
        (
            "iot:Certificate.AvailableKeys",
            many(&[
                "iot:Certificate.Subject.Organization",
                "iot:Certificate.Subject.OrganizationalUnit",
                "iot:Certificate.Subject.CommonName",
                "iot:Certificate.Subject.Title",
                "iot:Certificate.Subject.AlternativeName.DNSName",
                "iot:Certificate.Issuer.CommonName",
                "iot:Certificate.Issuer.AlternativeName.RFC822Name",
                "iot:Certificate.SerialNumber",
            ]),
        ),
    ];
    for (name, value) in sets {
        assert_eq!(context.value(&Key::parse(name).unwrap()), value, "{name}");
    }
    for name in [
        "iot:Connection.Thing.Attributes[zone]",
        "iot:Certificate.Subject.Organization.2",
        "iot:Certificate.Subject.Title.5",
        "iot:Certificate.Subject.Country",
        "iot:Certificate.Subject.Country.List",
        "cognito-identity.amazonaws.com:aud",
    ] {
        assert_eq!(context.value(&Key::parse(name).unwrap()), ContextValue::Absent, "{name}");
    }
}

#[test]
fn what_a_connection_does_not_have_is_absent() {
    let nothing = ConnectionFacts::default();
    let context = ConnectionContext::new(&nothing, NOW);
    for name in [
        "iot:ClientId",
        "aws:SourceIp",
        "iot:DomainName",
        "iot:CertificateId",
        "iot:Certificate.SerialNumber",
        "iot:Certificate.AvailableKeys",
        "iot:ConnectAttributes",
        "iot:LastWillTopic",
        "iot:Connection.Thing.IsAttached",
    ] {
        assert_eq!(context.value(&Key::parse(name).unwrap()), ContextValue::Absent, "{name}");
    }
    let (mqtt, https) = (without_thing(), without_client_id());
    let is_attached =
        |facts| ConnectionContext::new(facts, NOW).value(&Key::ThingIsAttached) == ContextValue::One("false".into());
    assert!(is_attached(&mqtt));
    assert!(!is_attached(&https));
}

#[test]
fn topic_filters_are_compared_as_written() {
    let literal = policy(&allow("iot:Subscribe", "topicfilter/some/+/topic"));
    let any = policy(&allow("iot:Subscribe", "topicfilter/some/*/topic"));
    let cases = [
        ("topicfilter/some/+/topic", true, true),
        ("topicfilter/some/x/topic", false, true),
        ("topicfilter/some/a/b/topic", false, true),
        ("topicfilter/some/#", false, false),
        ("topic/some/+/topic", false, false),
    ];
    for (filter, by_literal, by_any) in cases {
        assert_eq!(decide(&literal, &facts(), "iot:Subscribe", filter).is_allowed(), by_literal, "{filter}");
        assert_eq!(decide(&any, &facts(), "iot:Subscribe", filter).is_allowed(), by_any, "{filter}");
    }
}

#[test]
fn a_restricted_branch_is_closed_by_denying_receive() {
    let deny = |action: &str, resource: &str| allow(action, resource).replace("Allow", "Deny");
    let all = allow("iot:*", "*");
    let subscribe = policy(&format!("{all},{}", deny("iot:Subscribe", "topicfilter/a/restricted/*")));
    assert_eq!(decide(&subscribe, &facts(), "iot:Subscribe", "topicfilter/a/#"), Decision::Allowed);
    assert_eq!(decide(&subscribe, &facts(), "iot:Subscribe", "topicfilter/a/restricted/x"), Decision::ExplicitDeny);
    let receive = policy(&format!("{all},{}", deny("iot:Receive", "topic/a/restricted/*")));
    assert_eq!(decide(&receive, &facts(), "iot:Receive", "topic/a/restricted/x"), Decision::ExplicitDeny);
    assert_eq!(decide(&receive, &facts(), "iot:Receive", "topic/a/open"), Decision::Allowed);
}

#[test]
fn actions_ignore_case_and_resources_do_not() {
    let document = policy(&allow("IOT:publish", "topic/A"));
    assert_eq!(decide(&document, &facts(), "iot:Publish", "topic/A"), Decision::Allowed);
    assert_eq!(decide(&document, &facts(), "iot:Publish", "topic/a"), Decision::ImplicitDeny);
    assert_eq!(decide(&document, &facts(), "iot:PublishX", "topic/A"), Decision::ImplicitDeny);
    let get = policy(&allow("iot:Get*", "thing/lamp"));
    assert_eq!(decide(&get, &facts(), "iot:GetThingShadow", "thing/lamp"), Decision::Allowed);
    assert_eq!(decide(&get, &facts(), "iotjobsdata:GetPendingJobExecutions", "thing/lamp"), Decision::ImplicitDeny);
}

#[test]
fn not_action_and_not_resource_turn_their_lists_round() {
    let document = policy(&format!(
        r#"{{"Effect":"Allow","NotAction":["iot:Publish","iot:Retain*"],"NotResource":"{PREFIX}topic/secret/*"}}"#
    ));
    assert_eq!(decide(&document, &facts(), "iot:Receive", "topic/a"), Decision::Allowed);
    assert_eq!(decide(&document, &facts(), "iot:Receive", "topic/secret/a"), Decision::ImplicitDeny);
    assert_eq!(decide(&document, &facts(), "iot:Publish", "topic/a"), Decision::ImplicitDeny);
    assert_eq!(decide(&document, &facts(), "iot:RetainPublish", "topic/a"), Decision::ImplicitDeny);
}

#[test]
fn a_variable_of_a_missing_thing_lets_no_statement_match() {
    let resource = "topic/${iot:Connection.Thing.ThingName}/x";
    let allows = policy(&allow("iot:Publish", resource));
    assert_eq!(decide(&allows, &facts(), "iot:Publish", "topic/lamp/x"), Decision::Allowed);
    assert_eq!(decide(&allows, &facts(), "iot:Publish", "topic/bulb/x"), Decision::ImplicitDeny);
    for topic in ["topic/lamp/x", "topic//x", "topic/${iot:Connection.Thing.ThingName}/x"] {
        assert_eq!(decide(&allows, &without_thing(), "iot:Publish", topic), Decision::ImplicitDeny, "{topic}");
    }
    let denies = policy(&format!("{},{}", allow("*", "*"), allow("iot:Publish", resource).replace("Allow", "Deny")));
    assert_eq!(decide(&denies, &facts(), "iot:Publish", "topic/lamp/x"), Decision::ExplicitDeny);
    assert_eq!(decide(&denies, &without_thing(), "iot:Publish", "topic/lamp/x"), Decision::Allowed);
}

#[test]
fn not_resource_of_a_missing_thing_exempts_nobody_and_allows_nothing() {
    let statement = |effect: &str| {
        format!(
            r#"{{"Effect":"{effect}","Action":"*","NotResource":"{PREFIX}topic/${{iot:Connection.Thing.ThingName}}/*"}}"#
        )
    };
    let denies = policy(&format!("{},{}", allow("*", "*"), statement("Deny")));
    assert_eq!(decide(&denies, &facts(), "iot:Publish", "topic/lamp/x"), Decision::Allowed);
    assert_eq!(decide(&denies, &facts(), "iot:Publish", "topic/bulb/x"), Decision::ExplicitDeny);
    assert_eq!(decide(&denies, &without_thing(), "iot:Publish", "topic/lamp/x"), Decision::ExplicitDeny);
    let allows = policy(&statement("Allow"));
    assert_eq!(decide(&allows, &facts(), "iot:Publish", "topic/bulb/x"), Decision::Allowed);
    assert_eq!(decide(&allows, &without_thing(), "iot:Publish", "topic/bulb/x"), Decision::ImplicitDeny);
}

#[test]
fn a_resource_without_variable_beside_an_unresolved_one_still_counts() {
    let document = policy(&format!(
        r#"{{"Effect":"Allow","Action":"*","Resource":["{PREFIX}topic/${{iot:Connection.Thing.ThingName}}","{PREFIX}topic/all"]}}"#
    ));
    assert_eq!(decide(&document, &without_thing(), "iot:Publish", "topic/all"), Decision::Allowed);
}

#[test]
fn a_document_of_2008_knows_no_variables() {
    let text = format!(r#"{{"Version":"2008-10-17","Statement":{}}}"#, allow("*", "client/${iot:ClientId}*"));
    let document = PolicyDocument::parse(&text).unwrap();
    assert_eq!(decide(&document, &facts(), "iot:Connect", "client/lamp"), Decision::ImplicitDeny);
    assert_eq!(decide(&document, &facts(), "iot:Connect", "client/${iot:ClientId}x"), Decision::Allowed);
}

#[test]
fn connect_attributes_follow_the_guides_idioms() {
    let arn = format!("{PREFIX}topic/my/will");
    let (plain, persistent) =
        (ConnectAttributes::default(), ConnectAttributes { persistent: true, last_will_topic: None });
    let will = ConnectAttributes { persistent: false, last_will_topic: Some(&arn) };
    let both = ConnectAttributes { persistent: true, ..will };
    let conditional = |effect: &str, operator: &str, key: &str, operands: &str| {
        format!(
            r#"{{"Effect":"{effect}","Action":"iot:Connect","Resource":"*","Condition":{{"{operator}":{{"{key}":{operands}}}}}}}"#
        )
    };
    let attributes = "iot:ConnectAttributes";
    let yes = allow("iot:Connect", "client/*");
    let documents = [
        (yes.clone(), [true, true, true, true]),
        (conditional("Allow", "ForAllValues:StringEquals", attributes, "[]"), [true, false, false, false]),
        (conditional("Allow", "ForAllValues:StringEquals", attributes, r#"["LastWill"]"#), [true, false, true, false]),
        (
            conditional("Allow", "ForAllValues:StringEquals", attributes, r#"["LastWill","PersistentConnect"]"#),
            [true, true, true, true],
        ),
        (conditional("Allow", "ForAnyValue:StringEquals", attributes, r#""LastWill""#), [false, false, true, true]),
        (
            format!("{yes},{}", conditional("Deny", "ForAnyValue:StringEquals", attributes, r#""PersistentConnect""#)),
            [true, false, true, false],
        ),
        (
            format!("{yes},{}", conditional("Deny", "StringEquals", attributes, r#""PersistentConnect""#)),
            [true, false, true, false],
        ),
        (
            conditional("Allow", "ArnEquals", "iot:LastWillTopic", r#""arn:aws:iot:*:*:topic/my/*""#),
            [false, false, true, true],
        ),
    ];
    for (statements, expected) in documents {
        let document = policy(&statements);
        let outcomes = [plain, persistent, will, both].map(|connect| connects(&document, connect).is_allowed());
        assert_eq!(outcomes, expected, "{statements}");
    }
}

#[test]
fn certificate_names_decide() {
    let conditional = |operator: &str, key: &str, operands: &str| {
        policy(&format!(
            r#"{{"Effect":"Allow","Action":"iot:Publish","Resource":"*","Condition":{{"{operator}":{{"{key}":{operands}}}}}}}"#
        ))
    };
    let cases = [
        (
            "ForAllValues:StringEquals",
            "iot:Certificate.Subject.Organization.List",
            r#"["Example Corp","AnyCompany"]"#,
            true,
        ),
        ("ForAllValues:StringEquals", "iot:Certificate.Subject.Organization.List", r#"["Example Corp"]"#, false),
        ("StringEquals", "iot:Certificate.Subject.Organization", r#""AnyCompany""#, false),
        ("StringEquals", "iot:Certificate.Subject.Organization.1", r#""AnyCompany""#, true),
        ("StringEquals", "iot:Certificate.SerialNumber", r#""cafe""#, true),
        ("ForAnyValue:StringEquals", "iot:Certificate.AvailableKeys", r#""iot:Certificate.Subject.CommonName""#, true),
        ("ForAnyValue:StringEquals", "iot:Certificate.AvailableKeys", r#""iot:Certificate.Subject.Country""#, false),
        ("Bool", "iot:Connection.Thing.IsAttached", "true", true),
        ("DateLessThan", "aws:CurrentTime", r#""2026-06-01T00:00:00Z""#, false),
        ("DateLessThan", "aws:EpochTime", r#""2026-06-01T00:00:01Z""#, true),
        ("IpAddress", "aws:SourceIp", r#""192.0.2.0/24""#, true),
    ];
    for (operator, key, operands, expected) in cases {
        let decision = decide(&conditional(operator, key, operands), &facts(), "iot:Publish", "topic/a");
        assert_eq!(decision.is_allowed(), expected, "{operator} {key} {operands}");
    }
}

#[test]
fn a_certificate_name_with_a_topic_wildcard_opens_nothing() {
    let document = policy(&allow("iot:Subscribe", "topicfilter/${iot:Certificate.Subject.OrganizationalUnit}"));
    assert_eq!(decide(&document, &facts(), "iot:Subscribe", "topicfilter/a+b"), Decision::ImplicitDeny);
    let second = policy(&allow("iot:Publish", "topic/${iot:Certificate.Subject.Organization.1}"));
    assert_eq!(decide(&second, &facts(), "iot:Publish", "topic/AnyCompany"), Decision::Allowed);
    let none = policy(&allow("iot:Publish", "topic/${iot:Certificate.Subject.Organization.2}*"));
    assert_eq!(decide(&none, &facts(), "iot:Publish", "topic/AnyCompany"), Decision::ImplicitDeny);
}

#[test]
fn explanations_name_what_had_no_value() {
    let document = policy(
        r#"{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/${iot:Thing.ThingName}/${iot:ClientId}",
            "Condition":{"StringEquals":{"iot:Connection.Thing.Attributes[a]":["${aws:PrincipalTag/x}"],"iot:DomainName":"d"},
                         "Null":{"iot:Topic":"true"}}},
           {"Effect":"Deny","Action":"iot:Receive","Resource":"*","Condition":{"StringEquals":{"iot:Topic":"t"}}}"#,
    );
    let facts = without_client_id();
    let context = ConnectionContext::new(&facts, NOW);
    let ask =
        |action| explain(&document, &Request { action, resource: "arn:aws:iot:r:1:topic/a/b", context: &context });
    let publish = ask("iot:Publish");
    assert_eq!(publish.verdict, Verdict::NoMatch);
    assert_eq!(
        publish.missing_context_values.into_iter().collect::<Vec<_>>(),
        ["aws:PrincipalTag/x", "iot:ClientId", "iot:Connection.Thing.Attributes[a]", "iot:Connection.Thing.ThingName"]
    );
    assert_eq!(ask("iot:Receive").missing_context_values.into_iter().collect::<Vec<_>>(), ["iot:Topic"]);
    assert!(ask("iot:Connect").missing_context_values.is_empty());
}

#[test]
fn access_keys_are_judged_by_the_same_engine() {
    let document = policy(
        r#"{"Effect":"Allow","Action":["iot:Describe*","iot:List*"],"Resource":"*",
            "Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"},"StringEquals":{"aws:RequestedRegion":"us-east-1"}}}"#,
    );
    let scope = Scope::new(AccountId::FIRST, "us-east-1".parse().unwrap());
    let local =
        CallContext { scope, source_ip: "127.0.0.1".parse().ok(), secure_transport: false, now: NOW, device: None };
    let remote = CallContext { source_ip: "192.0.2.1".parse().ok(), ..local };
    let decide = |action, context: &CallContext| evaluate([&document], &Request { action, resource: "*", context });
    assert_eq!(decide("iot:ListThings", &local), Decision::Allowed);
    assert_eq!(decide("iot:DeleteThing", &local), Decision::ImplicitDeny);
    assert_eq!(decide("iot:ListThings", &remote), Decision::ImplicitDeny);
}

#[test]
fn the_policy_of_a_role_knows_the_device_that_uses_it() {
    let document = policy(
        r#"{"Effect":"Allow","Action":"iot:DescribeThing",
            "Resource":"arn:aws:iot:us-east-1:000000000000:thing/${credentials-iot:ThingName}"},
           {"Effect":"Allow","Action":"iot:ListThings","Resource":"*",
            "Condition":{"StringEquals":{"credentials-iot:ThingTypeName":"meter"}}},
           {"Effect":"Allow","Action":"iot:DescribeCertificate",
            "Resource":"arn:aws:iot:us-east-1:000000000000:cert/${credentials-iot:AwsCertificateId}"}"#,
    );
    let scope = Scope::new(AccountId::FIRST, "us-east-1".parse().unwrap());
    let id = CertificateId::from_bytes([0xab; 32]);
    let meter = CredentialDevice {
        certificate_id: id,
        thing_name: "meter-7".parse().ok(),
        thing_type_name: "meter".parse().ok(),
    };
    let unnamed = CredentialDevice { certificate_id: id, thing_name: None, thing_type_name: None };
    let of_meter = format!("arn:aws:iot:us-east-1:000000000000:cert/{id}");
    // For a device that named its thing, for one that did not, and for a key that is no device's.
    for (action, resource, allowed) in [
        ("iot:DescribeThing", "arn:aws:iot:us-east-1:000000000000:thing/meter-7", [true, false, false]),
        ("iot:DescribeThing", "arn:aws:iot:us-east-1:000000000000:thing/meter-8", [false, false, false]),
        ("iot:DescribeThing", "arn:aws:iot:us-east-1:000000000000:thing/", [false, false, false]),
        ("iot:ListThings", "*", [true, false, false]),
        ("iot:DescribeCertificate", &of_meter, [true, true, false]),
    ] {
        for (device, allowed) in [Some(&meter), Some(&unnamed), None].into_iter().zip(allowed) {
            let context = CallContext { scope, source_ip: None, secure_transport: true, now: NOW, device };
            let decision = evaluate([&document], &Request { action, resource, context: &context });
            assert_eq!(decision.is_allowed(), allowed, "{action} {resource} {device:?}");
        }
    }
}
