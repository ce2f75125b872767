//! Templates by example: what is read, what is refused where, and what comes of it.

mod functions;
mod policies;
mod refusals;
mod subjects;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::certificate::{CertificateId, CertificateStatus};
use crate::thing::ThingPrincipalType;

const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}}"#;

fn id() -> CertificateId {
    CertificateId::from_bytes([0xab; 32])
}

/// The certificate that every kind takes.
fn certificate() -> Value {
    json!({ "Type": "AWS::IoT::Certificate", "Properties": { "CertificateId": { "Ref": CERTIFICATE_ID } } })
}

fn parameters(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A fleet template with parameters `a` and `b`, a default for `c`, and a map, that tells a device one expression.
fn telling(expression: &Value) -> Value {
    json!({
        "Parameters": {
            "a": { "Type": "String" },
            "b": { "Type": "String" },
            "c": { "Type": "String", "Default": "from * the author" },
        },
        "Mappings": { "places": { "north": { "url": "https://n.test", "key": "k" }, "south": { "url": "https://s.test" } } },
        "Resources": { "certificate": certificate() },
        "DeviceConfiguration": { "told": expression },
    })
}

fn parse(template: &Value) -> Result<Template, String> {
    Template::parse(&template.to_string(), TemplateKind::Fleet).map_err(|invalid| invalid.to_string())
}

fn told(expression: &Value, given: &[(&str, &str)]) -> Result<String, String> {
    let template = parse(&telling(expression)).map_err(|refused| format!("at parse: {refused}"))?;
    let mut plan = template.plan(&parameters(given), Some(id())).map_err(|refusal| refusal.to_string())?;
    Ok(plan.device_configuration.remove("told").unwrap())
}

#[test]
fn nobody_but_the_house_says_which_certificate_it_is() {
    let template = parse(&telling(&json!({ "Ref": CERTIFICATE_ID }))).unwrap();
    let forged = parameters(&[(CERTIFICATE_ID, &"cd".repeat(32))]);
    let plan = template.plan(&forged, Some(id())).unwrap();
    assert_eq!(plan.certificate.source, CertificateSource::Id(id()));
    assert_eq!(plan.device_configuration["told"], "ab".repeat(32));
    assert_eq!(template.plan(&forged, None), Err(PlanRefusal::Unresolved(CERTIFICATE_ID.to_owned())));
    // In a registration, which says itself what it is about, the caller does.
    let resources = json!({ "Resources": { "certificate": certificate() } }).to_string();
    let registration = Template::parse(&resources, TemplateKind::Registration).unwrap();
    let named = registration.plan(&forged, None).unwrap().certificate.source;
    assert_eq!(named, CertificateSource::Id(CertificateId::from_bytes([0xcd; 32])));
    assert_eq!(registration.plan(&forged, Some(id())).unwrap().certificate.source, CertificateSource::Id(id()));
}

/// The template of the developer guide's kind, with everything in it.
fn everything() -> Value {
    json!({
        "Parameters": {
            "ThingName": { "Type": "String" },
            "SerialNumber": { "Type": "String" },
            "Location": { "Type": "String", "Default": "north" },
            CERTIFICATE_ID: { "Type": "String" },
        },
        "Mappings": { "places": { "north": { "url": "https://n.test" } } },
        "Resources": {
            "thing": {
                "Type": "AWS::IoT::Thing",
                "Properties": {
                    "ThingName": { "Fn::Join": ["-", ["t", { "Ref": "ThingName" }]] },
                    "AttributePayload": { "serial": { "Ref": "SerialNumber" }, "version": "v1", "a.b/c": "" },
                    "ThingTypeName": "lightBulb-versionA",
                    "ThingGroups": ["v1-lightbulbs", { "Ref": "Location" }, "v1-lightbulbs"],
                    "BillingGroup": "WA",
                },
                "OverrideSettings": { "AttributePayload": "MERGE", "THING_TYPE_NAME": "REPLACE", "ThingGroups": "FAIL" },
            },
            "certificate": {
                "Type": "AWS::IoT::Certificate",
                "Properties": {
                    "CertificateId": { "Ref": CERTIFICATE_ID },
                    "Status": "Active",
                    "ThingPrincipalType": "EXCLUSIVE_THING",
                },
                "OverrideSettings": { "Status": "REPLACE" },
            },
            "policy": { "Type": "AWS::IoT::Policy", "Properties": { "PolicyName": "existing" } },
            "document": { "Type": "AWS::IoT::Policy", "Properties": { "PolicyDocument": ALLOW } },
            "made": {
                "Type": "AWS::IoT::Policy",
                "Properties": {
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [{
                            "Effect": "Allow",
                            "Action": ["iot:Publish"],
                            "Resource": [{
                                "Fn::Sub": ["arn:aws:iot:us-east-1:123456789012:topic/${v}/${!iot:ClientId}/*", { "v": { "Ref": "ThingName" } }],
                            }],
                            "Condition": { "Bool": { "aws:SecureTransport": true }, "NumericLessThan": { "a:b": 1.5 } },
                        }],
                    },
                },
            },
        },
        "DeviceConfiguration": { "url": { "Fn::FindInMap": ["places", { "Ref": "Location" }, "url"] }, "plain": "text" },
    })
}

#[test]
fn a_plan_is_all_that_the_template_says() {
    let template = parse(&everything()).unwrap();
    assert_eq!(template.kind(), TemplateKind::Fleet);
    let given = parameters(&[("ThingName", "x:1"), ("SerialNumber", "[1]=2")]);
    let plan = template.plan(&given, Some(id())).unwrap();
    let expected = Plan {
        thing: Some(ThingPlan {
            logical_name: "thing".to_owned(),
            name: "t-x:1".parse().unwrap(),
            attributes: parameters(&[("serial", "[1]=2"), ("version", "v1"), ("a.b/c", "")]),
            thing_type_name: Some("lightBulb-versionA".parse().unwrap()),
            groups: vec!["v1-lightbulbs".parse().unwrap(), "north".parse().unwrap()],
            billing_group: Some("WA".parse().unwrap()),
            overrides: ThingOverrides {
                attributes: MergingOverride::Merge,
                thing_type_name: Override::Replace,
                groups: MergingOverride::Fail,
            },
        }),
        certificate: CertificatePlan {
            logical_name: "certificate".to_owned(),
            source: CertificateSource::Id(id()),
            status: CertificateStatus::Active,
            thing_principal_type: ThingPrincipalType::ExclusiveThing,
            status_override: Override::Replace,
        },
        policies: vec![
            PolicyPlan { logical_name: "document".to_owned(), policy: PlannedPolicy::Document(ALLOW.to_owned()) },
            PolicyPlan {
                logical_name: "made".to_owned(),
                policy: PlannedPolicy::Document(
                    json!({
                        "Statement": [{
                            "Action": ["iot:Publish"],
                            "Condition": { "Bool": { "aws:SecureTransport": true }, "NumericLessThan": { "a:b": 1.5 } },
                            "Effect": "Allow",
                            "Resource": ["arn:aws:iot:us-east-1:123456789012:topic/x:1/${iot:ClientId}/*"],
                        }],
                        "Version": "2012-10-17",
                    })
                    .to_string(),
                ),
            },
            PolicyPlan {
                logical_name: "policy".to_owned(),
                policy: PlannedPolicy::Existing("existing".parse().unwrap()),
            },
        ],
        device_configuration: parameters(&[("url", "https://n.test"), ("plain", "text")]),
    };
    assert_eq!(plan, expected);
    let refused = |given: &[(&str, &str)]| template.plan(&parameters(given), Some(id())).unwrap_err().to_string();
    assert_eq!(
        refused(&[("ThingName", "a b/c d e f g h i j k"), ("SerialNumber", "1")]),
        r#"Resources.thing.Properties.ThingName: "t-a b/c d e f g …" is not a name here: 1 to 128 letters, digits and :_- are needed"#
    );
    assert_eq!(
        refused(&[("ThingName", "a"), ("SerialNumber", "é")]),
        r#"Resources.thing.Properties.AttributePayload.serial: "é" is not the value of an attribute: at most 800 letters, digits and _.,@/:#=[]- are needed"#
    );
    assert_eq!(
        refused(&[("ThingName", "a"), ("SerialNumber", "1"), ("Location", "*")]),
        r#"Resources.thing.Properties.ThingGroups[1]: "*" is not a name here: 1 to 128 letters, digits and :_- are needed"#
    );
    assert_eq!(refused(&[("ThingName", "a")]), "Cannot resolve reference value: SerialNumber");
}

#[test]
fn what_a_template_leaves_out_has_defaults() {
    let template = json!({ "Resources": { "c": certificate(), "t": { "Type": "AWS::IoT::Thing", "Properties": { "ThingName": "t" } } } });
    let plan = parse(&template).unwrap().plan(&BTreeMap::new(), Some(id())).unwrap();
    let thing = plan.thing.unwrap();
    assert_eq!((thing.overrides, thing.groups, thing.billing_group), (ThingOverrides::default(), vec![], None));
    assert_eq!(thing.overrides.attributes, MergingOverride::DoNothing);
    let certificate = plan.certificate;
    assert_eq!((certificate.status, certificate.status_override), (CertificateStatus::Active, Override::DoNothing));
    assert_eq!(certificate.thing_principal_type, ThingPrincipalType::NonExclusiveThing);
    assert!(plan.policies.is_empty() && plan.device_configuration.is_empty());
}

#[test]
fn a_registration_brings_its_certificate() {
    let read = |properties: Value, given: &[(&str, &str)]| {
        let parameters_section =
            json!({ "csr": { "Type": "String" }, "status": { "Type": "String", "Default": "INACTIVE" } });
        let resources = json!({ "c": { "Type": "AWS::IoT::Certificate", "Properties": properties } });
        let template = json!({ "Parameters": parameters_section, "Resources": resources }).to_string();
        let template = Template::parse(&template, TemplateKind::Registration).map_err(|invalid| invalid.to_string())?;
        template.plan(&parameters(given), None).map_err(|refusal| refusal.to_string()).map(|plan| plan.certificate)
    };
    let csr = json!({ "Ref": "csr" });
    let plan =
        read(json!({ "CertificateSigningRequest": csr, "Status": { "Ref": "status" } }), &[("csr", "x")]).unwrap();
    assert_eq!((plan.source, plan.status), (CertificateSource::Csr("x".to_owned()), CertificateStatus::Inactive));
    let plan = read(json!({ "CertificatePem": "x", "CACertificatePem": csr }), &[("csr", "y")]).unwrap();
    assert_eq!(plan.source, CertificateSource::Pem { pem: "x".to_owned(), ca_pem: Some("y".to_owned()) });
    let plan = read(json!({ "CertificatePem": "x" }), &[]).unwrap();
    assert_eq!(plan.source, CertificateSource::Pem { pem: "x".to_owned(), ca_pem: None });
    let plan = read(json!({ "CertificateId": csr }), &[("csr", &"AB".repeat(32))]).unwrap();
    assert_eq!(plan.source, CertificateSource::Id(id()));

    let exactly_one = "Resources.c.Properties: exactly one of CertificateId, CertificateSigningRequest and CertificatePem \
                       is needed, the last of them with CACertificatePem or without";
    for properties in [
        json!({}),
        json!({ "CertificateId": csr, "CertificatePem": csr }),
        json!({ "CertificateSigningRequest": csr, "CACertificatePem": csr }),
        json!({ "CACertificatePem": csr }),
    ] {
        assert_eq!(read(properties, &[("csr", "x")]), Err(exactly_one.to_owned()));
    }
    let wrong = [
        (
            json!({ "CertificateSigningRequest": csr }),
            "",
            "Resources.c.Properties.CertificateSigningRequest: 1 to 4096 characters are needed",
        ),
        (
            json!({ "CertificateId": csr }),
            "*",
            r#"Resources.c.Properties.CertificateId: "*" is not a certificate id: 64 hexadecimal digits are needed"#,
        ),
        (
            json!({ "CertificatePem": "x", "Status": csr }),
            "REVOKED",
            r#"Resources.c.Properties.Status: "REVOKED" is not a status here: ACTIVE or INACTIVE is needed"#,
        ),
    ];
    for (properties, given, expected) in wrong {
        assert_eq!(read(properties, &[("csr", given)]), Err(expected.to_owned()));
    }
}
