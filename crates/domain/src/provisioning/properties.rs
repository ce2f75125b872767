//! What holds of every template and every set of parameters.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::certificate::CertificateId;
use crate::limits;
use crate::policy::{Decision, NoContext, PolicyDocument, Request, evaluate};

const KINDS: [TemplateKind; 3] = [TemplateKind::Fleet, TemplateKind::JustInTime, TemplateKind::Registration];

fn id() -> CertificateId {
    CertificateId::from_bytes([0xab; 32])
}

/// Words that templates are made of.
const KNOWN: [&str; 32] = [
    "Parameters",
    "Mappings",
    "Resources",
    "DeviceConfiguration",
    "Type",
    "Properties",
    "OverrideSettings",
    "Default",
    "String",
    "AWS::IoT::Thing",
    "AWS::IoT::Certificate",
    "AWS::IoT::Policy",
    CERTIFICATE_ID,
    "ThingName",
    "AttributePayload",
    "ThingGroups",
    "CertificateId",
    "PolicyDocument",
    "PolicyName",
    "Status",
    "Ref",
    "Fn::Join",
    "Fn::Select",
    "Fn::FindInMap",
    "Fn::Split",
    "Fn::Sub",
    "a",
    "0",
    "",
    "${a}",
    "${!a}",
    "${",
];

/// Such words, and others.
fn words() -> impl Strategy<Value = String> {
    prop_oneof![4 => prop::sample::select(&KNOWN[..]).prop_map(str::to_owned), 1 => any::<String>()]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((words(), inner), 0..4).prop_map(|members| Value::from(Map::from_iter(members))),
        ]
    })
}

/// Expressions over the parameters `a` and `b` (with a default) and the map `m`.
fn expressions() -> impl Strategy<Value = Value> {
    let text = prop_oneof!["[a-c,.${}!]{0,6}", Just(String::new())];
    let leaf = prop_oneof![
        text.prop_map(Value::from),
        Just(json!({ "Ref": "a" })),
        Just(json!({ "Ref": "b" })),
        Just(json!({ "Fn::Sub": "<${a}|${b}>${!a}" })),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let list = prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Value::from),
            (prop::sample::select(&[",", ".", "ab"][..]), inner.clone())
                .prop_map(|(delimiter, text)| json!({ "Fn::Split": [delimiter, text] })),
        ];
        prop_oneof![
            (prop::sample::select(&["", "-", "${a}"][..]), list.clone())
                .prop_map(|(delimiter, list)| json!({ "Fn::Join": [delimiter, list] })),
            (0..3_u32, list).prop_map(|(index, list)| json!({ "Fn::Select": [index, list] })),
            inner.clone().prop_map(|key| json!({ "Fn::FindInMap": ["m", key, "k"] })),
            (inner.clone(), inner).prop_map(|(v, w)| json!({ "Fn::Sub": ["${v}${w}.${a}${v}", { "v": v, "w": w }] })),
        ]
    })
}

/// What an expression comes to, written down without bounds, laziness or types.
fn oracle(expression: &Value, given: &BTreeMap<String, String>) -> Option<String> {
    let parameter = |name: &str| match name {
        "b" => Some(given.get("b").cloned().unwrap_or_else(|| "default,of.b".to_owned())),
        _ => given.get(name).cloned(),
    };
    let list = |list: &Value| -> Option<Vec<String>> {
        match &list["Fn::Split"] {
            Value::Array(split) => {
                let text = oracle(&split[1], given)?;
                Some(text.split(split[0].as_str()?).map(str::to_owned).collect())
            }
            _ => list.as_array()?.iter().map(|item| oracle(item, given)).collect(),
        }
    };
    let Some(function) = expression.as_object() else { return Some(expression.as_str()?.to_owned()) };
    let (name, argument) = function.iter().next()?;
    match name.as_str() {
        "Ref" => parameter(argument.as_str()?),
        "Fn::Join" => Some(list(&argument[1])?.join(argument[0].as_str()?)),
        "Fn::Select" => list(&argument[1])?.get(usize::try_from(argument[0].as_u64()?).ok()?).cloned(),
        "Fn::FindInMap" => ["a", "b"].contains(&&*oracle(&argument[1], given)?).then(|| "found".to_owned()),
        "Fn::Sub" if argument.is_string() => Some(format!("<{}|{}>${{a}}", parameter("a")?, parameter("b")?)),
        "Fn::Sub" => {
            let (v, w) = (oracle(&argument[1]["v"], given)?, oracle(&argument[1]["w"], given)?);
            Some(format!("{v}{w}.{}{v}", parameter("a")?))
        }
        _ => None,
    }
}

fn telling(expressions: &[Value]) -> String {
    let told: Map<String, Value> = (0..).zip(expressions).map(|(n, e)| (format!("told{n}"), e.clone())).collect();
    json!({
        "Parameters": { "a": { "Type": "String" }, "b": { "Type": "String", "Default": "default,of.b" } },
        "Mappings": { "m": { "a": { "k": "found" }, "b": { "k": "found" } } },
        "Resources": {
            "c": { "Type": "AWS::IoT::Certificate", "Properties": { "CertificateId": { "Ref": CERTIFICATE_ID } } },
        },
        "DeviceConfiguration": told,
    })
    .to_string()
}

fn given() -> impl Strategy<Value = BTreeMap<String, String>> {
    let value = prop_oneof!["[a-c,.${}!*]{0,8}", any::<String>(), "x{4096}"];
    prop::collection::btree_map(prop::sample::select(&["a", "b", "z"][..]).prop_map(str::to_owned), value, 0..4)
}

proptest! {
    #[test]
    fn no_body_panics(body in any::<String>(), json in any_json()) {
        for kind in KINDS {
            for body in [&body, &json.to_string()] {
                if let Ok(template) = Template::parse(body, kind) {
                    let _plan = template.plan(&BTreeMap::new(), Some(id()));
                }
            }
        }
    }

    #[test]
    fn expressions_come_to_what_they_say_or_to_nothing(expression in expressions(), given in given()) {
        let body = telling(std::slice::from_ref(&expression));
        // A constant that has no value is refused when the template is read.
        let Ok(template) = Template::parse(&body, TemplateKind::Fleet) else {
            prop_assume!(body.len() <= limits::TEMPLATE_BODY_BYTES);
            prop_assert_eq!(oracle(&expression, &given), None, "{}", expression);
            return Ok(());
        };
        let plan = template.plan(&given, Some(id()));
        prop_assert_eq!(&plan, &template.plan(&given, Some(id())));
        match plan {
            Ok(plan) => {
                let told = plan.device_configuration.values().next().cloned();
                // What stands in `${…}` of a text outside Fn::Sub is text, in the oracle as well.
                prop_assert_eq!(told, oracle(&expression, &given), "{}", expression);
            }
            Err(refusal) => {
                prop_assert!(refusal.to_string().len() < 400);
                let is_bound = refusal.to_string().contains("bytes");
                prop_assert!(is_bound || oracle(&expression, &given).is_none(), "{expression}: {refusal}");
            }
        }
    }

    #[test]
    fn a_plan_is_bounded_however_it_is_made(
        copies in 1..40_usize, depth in 1..10_usize, many in 1..12_usize, value in "x{0,4096}",
    ) {
        let mut expression = json!({ "Ref": "a" });
        for _ in 0..depth {
            expression = json!({ "Fn::Sub": ["${v}".repeat(copies), { "v": expression }] });
        }
        let body = telling(&vec![expression; many]);
        prop_assume!(body.len() <= limits::TEMPLATE_BODY_BYTES);
        let template = Template::parse(&body, TemplateKind::Fleet).unwrap();
        if let Ok(plan) = template.plan(&BTreeMap::from([("a".to_owned(), value)]), Some(id())) {
            let told: usize = plan.device_configuration.values().map(String::len).sum();
            prop_assert!(told <= limits::TEMPLATE_WORK_BYTES);
            prop_assert!(plan.device_configuration.values().all(|text| text.len() <= limits::TEMPLATE_TEXT_BYTES));
        }
    }

    /// Whatever a device calls itself, its policy lets it publish where it says, and nowhere else.
    #[test]
    fn a_policy_allows_what_its_author_meant(
        value in prop_oneof!["[ab*?+#/${}\\\\\"]{0,4}", any::<String>()], other in "[ab*?+#/${}]{0,4}",
    ) {
        let topic = "arn:aws:iot:us-east-1:123456789012:topic/";
        let statement =
            json!({ "Effect": "Allow", "Action": "iot:Publish", "Resource": { "Fn::Sub": format!("{topic}${{a}}") } });
        let template = json!({
            "Parameters": { "a": { "Type": "String" } },
            "Resources": {
                "c": { "Type": "AWS::IoT::Certificate", "Properties": { "CertificateId": { "Ref": CERTIFICATE_ID } } },
                "p": {
                    "Type": "AWS::IoT::Policy",
                    "Properties": { "PolicyDocument": { "Version": "2012-10-17", "Statement": statement } },
                },
            },
        });
        let template = Template::parse(&template.to_string(), TemplateKind::Fleet).unwrap();
        let Ok(plan) = template.plan(&BTreeMap::from([("a".to_owned(), value.clone())]), Some(id())) else {
            return Ok(());
        };
        let PlannedPolicy::Document(document) = &plan.policies[0].policy else { panic!() };
        let document = PolicyDocument::parse(document).unwrap();
        let decide = |action: &str, topic_name: &str| {
            let resource = format!("{topic}{topic_name}");
            evaluate([&document], &Request { action, resource: &resource, context: &NoContext })
        };
        prop_assert_eq!(decide("iot:Publish", &value), Decision::Allowed);
        prop_assert_eq!(decide("iot:Publish", &other).is_allowed(), other == value);
        prop_assert!(!decide("iot:Connect", &value).is_allowed());
    }
}
