//! Which operations of the service model exist, and which are missing. That those that exist are AWS's is what the tests
//! of `crates/control` see to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::command::{Failure, Outcome, cargo, fail, read, read_file, root};
use crate::model;

/// Checks that the facts file is of the model in use, and tells how many operations are there and which are missing.
pub(crate) fn check() -> Outcome {
    let current = model::current()?;
    if read_file(&model::path())? != current {
        return fail(
            "crates/control/model/iot.json is not what `cargo xtask model` writes: run it, and look at the diff",
        );
    }
    if !root().join("crates/control/examples/operations.rs").is_file() {
        return fail("crates/control/examples/operations.rs is missing: it prints the names of the operations");
    }
    let printed = read(cargo().args(["run", "--quiet", "--package", "gatehouse-control", "--example", "operations"]))?;
    let facts: Value = serde_json::from_str(&current)?;
    let operations: BTreeSet<String> = serde_json::from_str(&printed)
        .map_err(|error| Failure(format!("the example operations does not print a JSON list of names: {error}")))?;

    report(&facts, &operations);
    Ok(())
}

fn report(facts: &Value, ours: &BTreeSet<String>) {
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

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
