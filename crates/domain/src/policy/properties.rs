//! Properties of the engine, and its comparison with an evaluator that is as simple as can be.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::{Context, ContextValue, Decision, Key, PolicyDocument, Request, Verdict, evaluate, explain};

/// The values of keys, by name; the keys that are sets say so by their name.
#[derive(Clone, Debug)]
struct Values(BTreeMap<String, Vec<String>>);

const SET: &str = "iot:ConnectAttributes";

impl Context for Values {
    fn value(&self, key: &Key) -> ContextValue<'_> {
        let name = key.to_string();
        match self.0.get(&name) {
            None => ContextValue::Absent,
            Some(values) if name == SET => ContextValue::Many(values.iter().map(|v| v.as_str().into()).collect()),
            Some(values) => values.first().map_or(ContextValue::Absent, |v| ContextValue::One(v.as_str().into())),
        }
    }
}

// ---- The simple evaluator: works on the JSON, with recursion and copies.

mod simple {
    use super::*;

    /// A pattern spelt out: characters, and wildcards with the variables already in place as characters.
    #[derive(Clone, Debug, PartialEq)]
    enum Item {
        Plain(char),
        One,
        Run,
    }

    /// `None` when a variable has no value.
    fn spell_out(pattern: &str, wildcards: bool, values: &Values) -> Option<Vec<Item>> {
        let mut items = Vec::new();
        let mut rest = pattern.to_owned();
        while !rest.is_empty() {
            if let Some(opened) = rest.strip_prefix("${") {
                let (name, after) = opened.split_once('}').unwrap();
                let value = match name {
                    "*" | "?" | "$" => name.to_owned(),
                    SET => return None,
                    _ => values.0.get(name)?.first()?.clone(),
                };
                if value.is_empty() {
                    return None;
                }
                items.extend(value.chars().map(Item::Plain));
                rest = after.to_owned();
            } else {
                let c = rest.remove(0);
                items.push(match c {
                    '*' if wildcards => Item::Run,
                    '?' if wildcards => Item::One,
                    c => Item::Plain(c),
                });
            }
        }
        Some(items)
    }

    fn glob(items: &[Item], text: &[char]) -> bool {
        match (items.split_first(), text.split_first()) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some((Item::Run, after)), _) => (0..=text.len()).any(|taken| glob(after, &text[taken..])),
            (Some(_), None) => false,
            (Some((Item::One, after)), Some((_, rest))) => glob(after, rest),
            (Some((Item::Plain(p), after)), Some((c, rest))) => p == c && glob(after, rest),
        }
    }

    fn like(pattern: &str, wildcards: bool, text: &str, values: &Values) -> Option<bool> {
        let items = spell_out(pattern, wildcards, values)?;
        Some(glob(&items, &text.chars().collect::<Vec<_>>()))
    }

    fn equal_in_any_case(pattern: &str, text: &str, values: &Values) -> Option<bool> {
        let plain = |item: &Item| match item {
            Item::Plain(c) => *c,
            other => panic!("{other:?}"),
        };
        let wanted: String = spell_out(pattern, false, values)?.iter().map(plain).collect();
        Some(wanted.to_lowercase() == text.to_lowercase())
    }

    /// The parts of a pattern, cut at colons outside of variables.
    fn parts(pattern: &str) -> Vec<String> {
        let mut parts = vec![String::new()];
        let mut inside = false;
        for c in pattern.chars() {
            inside = c == '{' || (inside && c != '}');
            if c == ':' && !inside && parts.len() < 6 {
                parts.push(String::new());
            } else {
                parts.last_mut().unwrap().push(c);
            }
        }
        parts
    }

    fn arn_like(pattern: &str, narrow: bool, arn: &str, values: &Values) -> Option<bool> {
        let patterns = parts(pattern);
        if !narrow || patterns.len() < 6 {
            return like(pattern, true, arn, values);
        }
        let texts: Vec<&str> = arn.splitn(6, ':').collect();
        let mut all = texts.len() == 6;
        for (index, pattern) in patterns.iter().enumerate() {
            all &= like(pattern, true, texts.get(index).unwrap_or(&""), values)?;
        }
        Some(all)
    }

    fn strings(value: &Value) -> Vec<String> {
        match value {
            Value::Array(list) => list.iter().flat_map(strings).collect(),
            Value::String(text) => vec![text.clone()],
            other => vec![other.to_string()],
        }
    }

    /// Yes if any is yes, else open if any is open.
    fn any(outcomes: impl Iterator<Item = Option<bool>>) -> Option<bool> {
        let outcomes: Vec<_> = outcomes.collect();
        if outcomes.contains(&Some(true)) {
            Some(true)
        } else if outcomes.contains(&None) {
            None
        } else {
            Some(false)
        }
    }

    fn condition(operator: &str, key: &str, operands: &[String], allow: bool, values: &Values) -> bool {
        let given = values.0.get(key).cloned().unwrap_or_default();
        if operator == "Null" {
            return operands.contains(&given.is_empty().to_string());
        }
        let (prefix, operator) = operator.split_once(':').unwrap_or(("", operator));
        let if_exists = operator.ends_with("IfExists");
        let operator = operator.trim_end_matches("IfExists");
        let negated = operator.contains("Not");
        if given.is_empty() {
            return if_exists || prefix == "ForAllValues" || (prefix.is_empty() && negated);
        }
        let one = |value: &String| {
            let equal = any(operands.iter().map(|operand| match operator.replace("Not", "").as_str() {
                "StringEquals" => like(operand, false, value, values),
                "StringEqualsIgnoreCase" => equal_in_any_case(operand, value, values),
                "StringLike" => like(operand, true, value, values),
                "ArnEquals" | "ArnLike" => arn_like(operand, true, value, values),
                "NumericEquals" => value.parse::<i32>().ok().map(|v| v == operand.parse::<i32>().unwrap()),
                "NumericLessThan" => value.parse::<i32>().ok().map(|v| v < operand.parse::<i32>().unwrap()),
                "Bool" => value.parse::<bool>().ok().map(|v| v == operand.parse::<bool>().unwrap()),
                other => panic!("{other}"),
            }));
            match equal {
                Some(equal) => equal != negated,
                None => negated && !allow,
            }
        };
        let mut outcomes = given.iter().map(one);
        match (prefix, allow) {
            ("ForAllValues", _) | ("", true) => outcomes.all(|o| o),
            _ => outcomes.any(|o| o),
        }
    }

    fn statement_applies(statement: &Value, action: &str, resource: &str, values: &Values) -> bool {
        let allow = statement["Effect"] == "Allow";
        let nothing = Values(BTreeMap::new());
        let action_in = |list: &Value| {
            strings(list).iter().any(|p| like(&p.to_lowercase(), true, &action.to_lowercase(), &nothing) == Some(true))
        };
        let action_ok = statement.get("Action").map_or_else(|| !action_in(&statement["NotAction"]), action_in);
        let resource_ok = match statement.get("Resource") {
            Some(list) => any(strings(list).iter().map(|p| arn_like(p, allow, resource, values))) == Some(true),
            None => {
                let exempt = strings(&statement["NotResource"]);
                match any(exempt.iter().map(|p| arn_like(p, !allow, resource, values))) {
                    Some(exempt) => !exempt,
                    None => !allow,
                }
            }
        };
        let empty = serde_json::Map::new();
        let conditions = statement.get("Condition").and_then(Value::as_object).unwrap_or(&empty);
        action_ok
            && resource_ok
            && conditions.iter().all(|(operator, keys)| {
                keys.as_object()
                    .unwrap()
                    .iter()
                    .all(|(key, operands)| condition(operator, key, &strings(operands), allow, values))
            })
    }

    pub(super) fn evaluate(policies: &[Value], action: &str, resource: &str, values: &Values) -> Decision {
        let matching = |effect: &str| {
            policies.iter().flat_map(|policy| policy["Statement"].as_array().unwrap()).any(|statement| {
                statement["Effect"] == effect && statement_applies(statement, action, resource, values)
            })
        };
        if matching("Deny") {
            Decision::ExplicitDeny
        } else if matching("Allow") {
            Decision::Allowed
        } else {
            Decision::ImplicitDeny
        }
    }
}

// ---- Generators. Alphabets are tiny, so that patterns often match.

const KEYS: [&str; 5] = ["iot:ClientId", "iot:Connection.Thing.ThingName", "iot:DomainName", "iot:Topic", SET];

fn text_of(pieces: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    vec(select(pieces), 0..most).prop_map(|pieces| pieces.concat())
}

fn value_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => text_of(&["a", "b", "A", "*", "?", ":", "/"], 4),
        1 => select(&["1", "2", "3", "true", "false", "arn:aws:iot:r:1:topic/a", "arn:aws:iot:r:1:topic/a:b"][..])
            .prop_map(str::to_owned),
    ]
}

/// Keys with at most one value, except for the one that is a set.
fn values() -> impl Strategy<Value = Values> {
    btree_map(select(&KEYS[..]).prop_map(str::to_owned), vec(value_text(), 0..4), 0..6).prop_map(|mut values| {
        for (_, list) in values.iter_mut().filter(|(name, _)| *name != SET) {
            list.truncate(1);
        }
        Values(values)
    })
}

fn pattern_tail() -> impl Strategy<Value = String> {
    let pieces = &[
        "a",
        "b",
        "/",
        ":",
        "*",
        "?",
        "${*}",
        "$",
        "${iot:ClientId}",
        "${iot:Connection.Thing.ThingName}",
        "${iot:ConnectAttributes}",
    ];
    text_of(pieces, 6)
}

fn resource_pattern() -> impl Strategy<Value = String> {
    let region = select(&["r", "*", "?", "r*", "${iot:DomainName}"][..]);
    let account = select(&["1", "*", "1*"][..]);
    prop_oneof![
        1 => Just("*".to_owned()),
        1 => pattern_tail().prop_map(|tail| format!("arn:aws:iot:*{tail}")),
        6 => (region, account, pattern_tail())
            .prop_map(|(region, account, tail)| format!("arn:aws:iot:{region}:{account}:topic/{tail}")),
    ]
}

fn resource() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => Just("*".to_owned()),
        8 => text_of(&["a", "b", "/", ":", "*", "$", "topic/"], 5).prop_map(|tail| format!("arn:aws:iot:r:1:topic/{tail}")),
    ]
}

fn condition() -> impl Strategy<Value = (String, Value)> {
    let key = select(&KEYS[..]);
    let prefix = select(&["", "ForAllValues:", "ForAnyValue:"][..]);
    let suffix = select(&["", "", "IfExists"][..]);
    let text = (
        select(
            &[
                "StringEquals",
                "StringNotEquals",
                "StringLike",
                "StringNotLike",
                "StringEqualsIgnoreCase",
                "StringNotEqualsIgnoreCase",
            ][..],
        ),
        vec(pattern_tail(), 0..3).prop_map(|operands| json!(operands)),
    );
    let arn = (
        select(&["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"][..]),
        vec(resource_pattern(), 0..3).prop_map(|operands| json!(operands)),
    );
    let number = (
        select(&["NumericEquals", "NumericNotEquals", "NumericLessThan"][..]),
        vec(1..4, 1..3).prop_map(|operands| json!(operands)),
    );
    let bool = (Just("Bool"), any::<bool>().prop_map(|operand| json!(operand)));
    let null = any::<bool>().prop_map(|operand| json!(operand.to_string()));
    let compared = prop_oneof![4 => text, 2 => arn, 1 => number, 1 => bool];
    prop_oneof![
        8 => (prefix, suffix, key.clone(), compared).prop_map(|(prefix, suffix, key, (operator, operands))| {
            (format!("{prefix}{operator}{suffix}"), json!({ key: operands }))
        }),
        1 => (key, null).prop_map(|(key, operand)| ("Null".to_owned(), json!({ key: operand }))),
    ]
}

fn statement(effect: impl Strategy<Value = &'static str>) -> impl Strategy<Value = Value> {
    let actions = select(&["iot:Publish", "iot:Receive", "iot:*", "*", "IOT:pub*", "iot:?ublish", "s3:Publish"][..]);
    (
        effect,
        select(&["Action", "Action", "Action", "NotAction"][..]),
        vec(actions, 1..3),
        select(&["Resource", "Resource", "NotResource"][..]),
        vec(resource_pattern(), 1..3),
        prop_oneof![1 => Just(Vec::new()), 2 => vec(condition(), 1..3)],
    )
        .prop_map(|(effect, action, actions, resource, resources, conditions)| {
            let mut statement = json!({ "Effect": effect, action: actions, resource: resources });
            if !conditions.is_empty() {
                statement["Condition"] = conditions.into_iter().collect::<serde_json::Map<_, _>>().into();
            }
            statement
        })
}

fn policy() -> impl Strategy<Value = Value> {
    vec(statement(select(&["Allow", "Allow", "Deny"][..])), 1..4)
        .prop_map(|statements| json!({ "Version": "2012-10-17", "Statement": statements }))
}

fn compile(policies: &[Value]) -> Vec<PolicyDocument> {
    policies.iter().map(|policy| PolicyDocument::parse(&policy.to_string()).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_agrees_with_the_simple_evaluator(
        policies in vec(policy(), 0..3), resource in resource(), values in values(),
    ) {
        let request = Request { action: "iot:Publish", resource: &resource, context: &values };
        let expected = simple::evaluate(&policies, request.action, &resource, &values);
        prop_assert_eq!(evaluate(&compile(&policies), &request), expected);
    }

    #[test]
    fn a_further_deny_never_lets_more_through(
        policies in vec(policy(), 0..3), deny in statement(Just("Deny")), resource in resource(), values in values(),
    ) {
        let request = Request { action: "iot:Publish", resource: &resource, context: &values };
        let mut compiled = compile(&policies);
        let before = evaluate(&compiled, &request);
        compiled.extend(compile(&[json!({ "Version": "2012-10-17", "Statement": deny })]));
        let after = evaluate(&compiled, &request);
        prop_assert!(after == before || after == Decision::ExplicitDeny, "{before:?} became {after:?}");
    }

    #[test]
    fn order_does_not_matter(
        policies in vec(policy(), 1..4), resource in resource(), values in values(),
    ) {
        let request = Request { action: "iot:Publish", resource: &resource, context: &values };
        let decision = evaluate(&compile(&policies), &request);
        let mut turned = policies.clone();
        turned.reverse();
        for policy in &mut turned {
            policy["Statement"].as_array_mut().unwrap().reverse();
        }
        prop_assert_eq!(evaluate(&compile(&turned), &request), decision);
        let all: Vec<_> = turned.iter().flat_map(|policy| policy["Statement"].as_array().unwrap().clone()).collect();
        let merged = json!({ "Version": "2012-10-17", "Statement": all });
        if let Ok(merged) = PolicyDocument::parse(&merged.to_string()) {
            prop_assert_eq!(evaluate([&merged], &request), decision);
        }
    }

    #[test]
    fn verdicts_of_single_documents_add_up_to_the_decision(
        policies in vec(policy(), 0..4), resource in resource(), values in values(),
    ) {
        let request = Request { action: "iot:Publish", resource: &resource, context: &values };
        let compiled = compile(&policies);
        let verdicts: Vec<_> = compiled.iter().map(|document| explain(document, &request).verdict).collect();
        let expected = if verdicts.contains(&Verdict::Denies) {
            Decision::ExplicitDeny
        } else if verdicts.contains(&Verdict::Allows) {
            Decision::Allowed
        } else {
            Decision::ImplicitDeny
        };
        prop_assert_eq!(evaluate(&compiled, &request), expected);
    }

    #[test]
    fn without_policy_everything_is_refused(action in ".*", resource in ".*", values in values()) {
        let request = Request { action: &action, resource: &resource, context: &values };
        prop_assert_eq!(evaluate([], &request), Decision::ImplicitDeny);
    }

    #[test]
    fn a_client_cannot_reach_the_topics_of_another_by_its_name(own in "[ab*?$+#{}:/]{1,6}", other in "[ab*?$+#{}:/]{1,6}") {
        let document = PolicyDocument::parse(
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*",
                "Resource":["arn:aws:iot:*:*:topic/of/${iot:ClientId}","arn:aws:iot:r:1:client/${iot:ClientId}"]}}"#,
        ).unwrap();
        let context = Values([("iot:ClientId".to_owned(), vec![own.clone()])].into());
        for resource in [format!("arn:aws:iot:r:1:topic/of/{other}"), format!("arn:aws:iot:r:1:client/{other}")] {
            let request = Request { action: "iot:Publish", resource: &resource, context: &context };
            prop_assert_eq!(evaluate([&document], &request).is_allowed(), own == other);
        }
    }

    #[test]
    fn parsing_never_panics_on_text(text in "(?s).{0,200}") {
        let _ = PolicyDocument::parse(&text);
    }

    #[test]
    fn parsing_never_panics_on_json_with_the_right_words(
        text in vec(
            select(&["{", "}", "[", "]", ",", ":", "\"Version\"", "\"2012-10-17\"", "\"Statement\"", "\"Effect\"",
                "\"Allow\"", "\"Action\"", "\"iot:*\"", "\"Resource\"", "\"*\"", "\"arn:${\"", "\"Condition\"",
                "\"StringLike\"", "\"iot:ClientId\"", "\"Null\"", "1", "-1.5e9", "null", "true"][..]),
            0..40,
        ),
    ) {
        let _ = PolicyDocument::parse(&text.concat());
    }

    #[test]
    fn parsing_never_panics_on_a_damaged_policy(
        policy in policy(), at in any::<prop::sample::Index>(), length in 0..6_usize, patch in ".{0,3}",
    ) {
        let mut characters: Vec<char> = policy.to_string().chars().collect();
        let start = at.index(characters.len());
        let end = (start + length).min(characters.len());
        characters.splice(start..end, patch.chars());
        let text: String = characters.into_iter().collect();
        if let Ok(document) = PolicyDocument::parse(&text) {
            let context = Values(BTreeMap::new());
            let _ = explain(&document, &Request { action: "iot:Publish", resource: "arn:aws:iot:r:1:topic/a", context: &context });
        }
    }
}
