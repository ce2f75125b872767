//! Holds the operations that exist against the service model: names, routes, members and errors must be AWS's.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::command::{Failure, Outcome, cargo, fail, read, read_file, root};
use crate::model;

/// Checks the facts file and every operation, and tells how many are there and which are missing.
pub(crate) fn check() -> Outcome {
    let current = model::current()?;
    if read_file(&model::path())? != current {
        return fail(
            "crates/control/model/iot.json is not what `cargo xtask model` writes: run it, and look at the diff",
        );
    }
    if !root().join("crates/control/examples/operations.rs").is_file() {
        return fail("crates/control/examples/operations.rs is missing: it prints the operations as JSON");
    }
    let printed = read(cargo().args(["run", "--quiet", "--package", "gatehouse-control", "--example", "operations"]))?;
    let facts: Value = serde_json::from_str(&current)?;
    let operations: Vec<Value> = serde_json::from_str(&printed)
        .map_err(|error| Failure(format!("the example operations does not print a JSON list: {error}")))?;

    let mismatches = mismatches(&facts, &operations);
    report(&facts, &operations);
    if mismatches.is_empty() { Ok(()) } else { fail(mismatches.join("\n")) }
}

fn mismatches(facts: &Value, operations: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for operation in operations {
        let name = text(operation, "name");
        if !seen.insert(name) {
            found.push(format!("{name} exists twice"));
        }
        let Some(model) = facts.get("operations").and_then(|all| all.get(name)) else {
            found.push(format!("{name:?} is not an operation of the service"));
            continue;
        };
        for key in ["method", "path"] {
            let (ours, theirs) = (text(operation, key), text(model, key));
            if ours != theirs {
                found.push(format!("{name}: {key} is {ours:?}, and must be {theirs:?}"));
            }
        }
        for key in ["input", "output"] {
            let members = members(facts, text(model, key));
            let unknown = names(operation, key).filter(|member| !members.contains(member));
            found.extend(unknown.map(|member| format!("{name}: {key} has no member {member:?}")));
        }
        let errors: Vec<&str> = names(model, "errors").collect();
        let strange = names(operation, "errors").filter(|error| !errors.contains(error));
        found.extend(strange.map(|error| format!("{name}: {error} is not among its errors")));
    }
    found
}

fn report(facts: &Value, operations: &[Value]) {
    let ours: BTreeSet<&str> = operations.iter().map(|operation| text(operation, "name")).collect();
    let all = facts.get("operations").and_then(Value::as_object);
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, model) in all.into_iter().flatten().filter(|(name, _)| !ours.contains(name.as_str())) {
        // The model has no groups; the first segment of the path comes close.
        let group = text(model, "path").split('/').nth(1).unwrap_or_default();
        missing.entry(group).or_default().push(name);
    }
    println!("   {} of {} operations exist; still missing:", ours.len(), all.map_or(0, serde_json::Map::len));
    for (group, names) in missing {
        println!("   {group}: {}", names.join(" "));
    }
}

fn members<'a>(facts: &'a Value, shape: &str) -> BTreeSet<&'a str> {
    let shape = facts.get("shapes").and_then(|shapes| shapes.get(shape));
    let members = shape.and_then(|shape| shape.get("members")).and_then(Value::as_object);
    members.into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn names<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    value.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_difference_from_the_model_is_found() {
        let facts = json!({
            "operations": {"GetThing": {"method": "GET", "path": "/t", "input": "In", "output": null, "errors": ["E"]}},
            "shapes": {"In": {"type": "structure", "members": {"a": {"shape": "S"}}}}});
        let good =
            json!({"name": "GetThing", "method": "GET", "path": "/t", "input": ["a"], "output": [], "errors": ["E"]});
        assert_eq!(mismatches(&facts, std::slice::from_ref(&good)), Vec::<String>::new());
        let with = |key: &str, value: Value| {
            let mut changed = good.clone();
            changed.as_object_mut().unwrap().insert(key.into(), value);
            mismatches(&facts, &[changed]).len()
        };
        assert_eq!(with("name", json!("GetThong")), 1);
        assert_eq!(with("method", json!("PUT")), 1);
        assert_eq!(with("path", json!("/u")), 1);
        assert_eq!(with("input", json!(["a", "b"])), 1);
        assert_eq!(with("output", json!(["a"])), 1);
        assert_eq!(with("errors", json!(["E", "F"])), 1);
        assert_eq!(mismatches(&facts, &[good.clone(), good]).len(), 1);
    }
}
