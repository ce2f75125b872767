//! The facts of the service model, written to `crates/control/model/iot.json`: names, types and constraints, no prose.
//!
//! One operation or shape a line, so that a new model reads as a short diff.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::command::{Failure, Outcome, program, read, root};
use crate::venv;

const PRINT_MODEL: &str = "
import botocore, botocore.session, json, sys
loader = botocore.session.get_session().get_component('data_loader')
json.dump({'version': botocore.__version__, 'model': loader.load_service_model('iot', 'service-2')}, sys.stdout)
";

/// The facts file.
pub(crate) fn path() -> PathBuf {
    root().join("crates/control/model/iot.json")
}

/// Writes the facts file from the model installed in the Python environment.
pub(crate) fn write() -> Outcome {
    let text = current()?;
    let path = path();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&path, &text)?;
    println!("{}: {} lines", path.display(), text.lines().count());
    Ok(())
}

/// What the facts file should hold.
pub(crate) fn current() -> Outcome<String> {
    let printed = read(program(venv::python()?).args(["-c", PRINT_MODEL]))?;
    let printed: Value = serde_json::from_str(&printed)?;
    render(&printed)
}

fn render(printed: &Value) -> Outcome<String> {
    let missing = |what: &str| Failure(format!("the service model has no {what}"));
    let model = printed.get("model").ok_or_else(|| missing("body"))?;
    let version = printed.get("version").and_then(Value::as_str).ok_or_else(|| missing("version"))?;
    let operations = model.get("operations").and_then(Value::as_object).ok_or_else(|| missing("operations"))?;
    let shapes = model.get("shapes").and_then(Value::as_object).ok_or_else(|| missing("shapes"))?;
    let api_version = model.pointer("/metadata/apiVersion").ok_or_else(|| missing("version of the API"))?;

    let mut text = String::new();
    write!(text, "{{\"service\":\"iot\",\"apiVersion\":{api_version},")?;
    writeln!(text, "\"source\":{},", Value::from(format!("botocore {version}")))?;
    write_section(&mut text, "operations", operations.iter().map(|(name, facts)| (name.clone(), operation(facts))))?;
    text.push_str(",\n");
    let reached = reachable(operations, shapes);
    let reached = reached.into_iter().filter_map(|name| Some((shapes.get(&name).map(shape)?, name)));
    write_section(&mut text, "shapes", reached.map(|(facts, name)| (name, facts)))?;
    text.push_str("}\n");
    Ok(text)
}

fn write_section(text: &mut String, title: &str, lines: impl Iterator<Item = (String, String)>) -> Outcome {
    let sorted: BTreeSet<(String, String)> = lines.collect();
    write!(text, "\"{title}\":{{")?;
    for (at, (name, facts)) in sorted.iter().enumerate() {
        write!(text, "{}\n{}:{facts}", if at == 0 { "" } else { "," }, Value::from(name.as_str()))?;
    }
    text.push_str("\n}");
    Ok(())
}

/// The shapes that the operations use, directly or through others.
fn reachable(operations: &Map<String, Value>, shapes: &Map<String, Value>) -> BTreeSet<String> {
    let mut waiting: Vec<String> = operations.values().flat_map(names_of_shapes).collect();
    let mut reached = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        if let Some(shape) = shapes.get(&name)
            && reached.insert(name)
        {
            waiting.extend(names_of_shapes(shape));
        }
    }
    reached
}

fn names_of_shapes(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let here = fields.get("shape").and_then(Value::as_str).map(str::to_owned);
            here.into_iter().chain(fields.values().flat_map(names_of_shapes)).collect()
        }
        Value::Array(values) => values.iter().flat_map(names_of_shapes).collect(),
        _ => Vec::new(),
    }
}

fn operation(facts: &Value) -> String {
    let shape_of = |key: &str| facts.get(key).and_then(|reference| reference.get("shape"));
    let errors: Vec<_> = list(facts.get("errors")).filter_map(|error| error.get("shape")).collect();
    let mut line = Line::new();
    line.add("method", facts.pointer("/http/method"));
    line.add("path", facts.pointer("/http/requestUri"));
    line.add("status", facts.pointer("/http/responseCode").filter(|status| **status != 200));
    line.add("input", Some(shape_of("input").unwrap_or(&Value::Null)));
    line.add("output", Some(shape_of("output").unwrap_or(&Value::Null)));
    line.add("errors", Some(&json!(errors)));
    line.finish()
}

fn shape(facts: &Value) -> String {
    let mut line = Line::new();
    line.add("type", facts.get("type"));
    line.add("exception", facts.get("exception"));
    line.add("status", facts.pointer("/error/httpStatusCode"));
    for constraint in ["min", "max", "pattern", "enum", "sensitive"] {
        line.add(constraint, facts.get(constraint));
    }
    for part in ["member", "key", "value"] {
        line.add_raw(part, facts.get(part).map(|reference| member(part, reference)));
    }
    if let Some(members) = facts.get("members").and_then(Value::as_object) {
        line.add("required", Some(facts.get("required").unwrap_or(&json!([]))));
        let mut inner = Line::new();
        for (name, reference) in members {
            inner.add_raw(name, Some(member(name, reference)));
        }
        line.add_raw("members", Some(inner.finish()));
        line.add("payload", Some(facts.get("payload").unwrap_or(&Value::Null)));
    }
    line.finish()
}

/// A reference to a shape. Whatever travels outside the body always names its name there; a body member only if it differs.
fn member(name: &str, reference: &Value) -> String {
    let location = reference.get("location").and_then(Value::as_str).map(str::to_ascii_lowercase);
    let wire_name = reference.get("locationName").filter(|wire| location.is_some() || wire.as_str() != Some(name));
    let mut line = Line::new();
    line.add("shape", reference.get("shape"));
    line.add("location", location.map(Value::from).as_ref());
    line.add("name", wire_name);
    line.finish()
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

/// A JSON object on one line, its keys in the order they were added.
struct Line(String);

impl Line {
    fn new() -> Self {
        Self(String::from("{"))
    }

    fn add(&mut self, key: &str, value: Option<&Value>) {
        self.add_raw(key, value.map(Value::to_string));
    }

    fn add_raw(&mut self, key: &str, json: Option<String>) {
        if let Some(json) = json {
            if self.0.len() > 1 {
                self.0.push(',');
            }
            self.0.push_str(&Value::from(key).to_string());
            self.0.push(':');
            self.0.push_str(&json);
        }
    }

    fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_hold_reachable_shapes_and_no_prose() {
        let printed = json!({"version": "1.2.3", "model": {
            "metadata": {"apiVersion": "2015-05-28"},
            "operations": {"AttachPolicy": {
                "http": {"method": "PUT", "requestUri": "/target-policies/{policyName}"},
                "input": {"shape": "AttachPolicyRequest"}, "errors": [{"shape": "SomeException"}],
                "documentation": "prose"}},
            "shapes": {
                "AttachPolicyRequest": {"type": "structure", "required": ["policyName"], "documentation": "prose",
                    "members": {"policyName": {"shape": "PolicyName", "location": "uri", "locationName": "policyName",
                                               "documentation": "prose"}}},
                "PolicyName": {"type": "string", "min": 1, "max": 128, "pattern": "\\w+"},
                "SomeException": {"type": "structure", "exception": true, "error": {"httpStatusCode": 404}, "members": {}},
                "Unused": {"type": "string"}}}});
        let text = render(&printed).unwrap();
        let facts: Value = serde_json::from_str(&text).unwrap();
        assert!(!text.contains("prose"), "{text}");
        assert!(!text.contains("Unused"), "{text}");
        assert_eq!(
            facts.get("operations").and_then(|all| all.get("AttachPolicy")).unwrap(),
            &json!({"method": "PUT", "path": "/target-policies/{policyName}", "input": "AttachPolicyRequest",
                    "output": null, "errors": ["SomeException"]})
        );
        assert_eq!(
            facts.pointer("/shapes/AttachPolicyRequest/members/policyName").unwrap(),
            &json!({"shape": "PolicyName", "location": "uri", "name": "policyName"})
        );
        assert_eq!(facts.pointer("/shapes/SomeException/status").unwrap(), 404);
    }
}
