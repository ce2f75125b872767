//! Policies: what parameters may say in them, and what the author may.

use serde_json::{Value, json};

use super::{certificate, id, parameters, parse, telling};
use crate::policy::{DistinguishedName, NameAttribute};
use crate::provisioning::{PlannedPolicy, Template, TemplateKind, just_in_time_parameters};

/// A template with one policy, in whose document `resource` stands.
fn with_policy(resource: &Value) -> Value {
    let statement = json!({ "Effect": "Allow", "Action": "iot:Publish", "Resource": resource });
    let mut template = telling(&json!("x"));
    template["Resources"]["policy"] = json!({
        "Type": "AWS::IoT::Policy",
        "Properties": { "PolicyDocument": { "Version": "2012-10-17", "Statement": statement } },
    });
    template
}

#[test]
fn no_parameter_widens_a_policy() {
    let topic = "arn:aws:iot:us-east-1:123456789012:topic/";
    let resources = [
        json!({ "Fn::Sub": format!("{topic}${{a}}") }),
        json!({ "Fn::Sub": [format!("{topic}${{v}}*"), { "v": { "Ref": "a" } }] }),
        json!({ "Fn::Sub": [format!("{topic}${{v}}*"), { "v": { "Fn::Select": [0, { "Fn::Split": ["|", { "Ref": "a" }] }] } }] }),
        json!({ "Fn::Sub": [format!("{topic}${{v}}"), { "v": { "Fn::Select": [{ "Ref": "b" }, ["x", { "Ref": "a" }]] } }] }),
    ];
    for resource in &resources {
        let template = parse(&with_policy(resource)).unwrap();
        let plan = |value: &str| template.plan(&parameters(&[("a", value), ("b", "1")]), Some(id()));
        let PlannedPolicy::Document(document) = &plan("sensor/7").unwrap().policies[0].policy else { panic!() };
        assert!(document.contains("topic/sensor/7"), "{document}");
        for hostile in [
            "*",
            "a?",
            "${iot:ClientId}",
            "a${*}",
            "$",
            "{",
            "}",
            "\"",
            "x\",\"Action\":\"*",
            "\\",
            "a\nb",
            "\u{0}",
            "#",
            "+/x",
            "",
            &"x".repeat(129),
            &"x".repeat(4096),
        ] {
            let refused = plan(hostile).unwrap_err().to_string();
            let expected = "Resources.policy.Properties.PolicyDocument: the parameter a ";
            assert!(refused.starts_with(expected) && refused.len() < 200, "{hostile:?}: {refused}");
        }
    }
    // Nor does a part of one.
    let template = parse(&with_policy(&resources[2])).unwrap();
    let refused = template.plan(&parameters(&[("a", "|x")]), Some(id())).unwrap_err().to_string();
    assert_eq!(
        refused,
        "Resources.policy.Properties.PolicyDocument: Fn::Split: part 0 is empty, which would widen a policy"
    );
}

#[test]
fn what_the_author_wrote_is_free_in_a_policy() {
    let topic = "arn:aws:iot:us-east-1:123456789012:topic/";
    let cases = [
        (json!({ "Fn::Sub": format!("{topic}${{c}}") }), format!("{topic}from * the author")),
        (
            json!({ "Fn::Sub": [format!("{topic}${{v}}"), { "v": { "Fn::FindInMap": ["places", { "Ref": "a" }, "url"] } }] }),
            format!("{topic}https://n.test"),
        ),
        (json!({ "Fn::Sub": format!("{topic}${{!iot:ClientId}}/${{b}}") }), format!("{topic}${{iot:ClientId}}/b")),
        (json!(format!("{topic}${{iot:ClientId}}")), format!("{topic}${{iot:ClientId}}")),
        (json!("*"), "*".to_owned()),
    ];
    for (resource, expected) in cases {
        let template = parse(&with_policy(&resource)).unwrap();
        let plan = template.plan(&parameters(&[("a", "north"), ("b", "b")]), Some(id())).unwrap();
        let PlannedPolicy::Document(document) = &plan.policies[0].policy else { panic!() };
        let document: Value = serde_json::from_str(document).unwrap();
        assert_eq!(document["Statement"]["Resource"], expected);
    }
}

#[test]
fn a_document_is_a_policy_whatever_stands_in_it() {
    let plan = |resource: Value, value: &str| {
        let template = parse(&with_policy(&resource)).unwrap();
        template.plan(&parameters(&[("a", value)]), Some(id())).map(drop).map_err(|refusal| refusal.to_string())
    };
    assert_eq!(
        plan(json!({ "Ref": "a" }), "not an ARN"),
        Err("Resources.policy.Properties.PolicyDocument: the policy document is refused: Statement.Resource: \
             \"not an ARN\" is not a resource: an ARN or * is needed"
            .to_owned())
    );
    // Within its quota, too.
    let many: Vec<Value> =
        (0..30).map(|_| json!({ "Fn::Sub": "arn:aws:iot:us-east-1:123456789012:topic/${a}" })).collect();
    assert_eq!(plan(json!(many), "x"), Ok(()));
    let refused = plan(json!(many), &"x".repeat(128)).unwrap_err();
    assert!(refused.contains("of which 2048 are allowed"), "{refused}");
}

#[test]
fn a_hostile_subject_names_nothing_and_widens_nothing() {
    let name = "AWS::IoT::Certificate::CommonName";
    let template = json!({
        "Parameters": { name: { "Type": "String" } },
        "Resources": {
            "c": certificate(),
            "p": { "Type": "AWS::IoT::Policy", "Properties": { "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": { "Effect": "Allow", "Action": "iot:*", "Resource": { "Fn::Sub": format!("arn:aws:iot:us-east-1:123456789012:topic/${{{name}}}") } },
            } } },
        },
    })
    .to_string();
    let template = Template::parse(&template, TemplateKind::JustInTime).unwrap();
    for hostile in ["*", "${iot:ClientId}", "a\"b", "a\nb", &"x".repeat(64 * 1024)] {
        let subject: DistinguishedName = [(NameAttribute::CommonName, hostile.to_owned())].into_iter().collect();
        let parameters = just_in_time_parameters(&template, &subject).unwrap();
        let refused = template.plan(&parameters, Some(id())).unwrap_err().to_string();
        assert!(refused.len() < 200, "{refused}");
    }
}
