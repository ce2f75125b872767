//! What cargo knows of the workspace: our crates and what they take.

use serde_json::Value;

use crate::command::{Outcome, cargo, read};

/// How a crate takes another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Use {
    /// In the program or its build script.
    Program,
    /// In tests, examples and benches.
    Tests,
}

/// One of our crates.
#[derive(Debug)]
pub(crate) struct OurCrate {
    /// Its name without the `gatehouse-` in front.
    pub(crate) name: String,
    /// What it takes, ours by short name as well.
    pub(crate) takes: Vec<(String, Use)>,
}

/// Our crates, as their manifests say.
pub(crate) fn our_crates() -> Outcome<Vec<OurCrate>> {
    Ok(packages()?.iter().filter_map(our_crate).collect())
}

/// What `cargo run` may run: it runs nothing unless there is exactly one.
pub(crate) fn default_runs() -> Outcome<Vec<String>> {
    let packages = packages()?;
    let named = packages.iter().filter_map(|package| package.get("default_run")?.as_str());
    Ok(named.map(str::to_owned).collect())
}

fn packages() -> Outcome<Vec<Value>> {
    let printed = read(cargo().args(["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&printed)?;
    Ok(metadata.get("packages").and_then(Value::as_array).cloned().unwrap_or_default())
}

fn our_crate(package: &Value) -> Option<OurCrate> {
    let name = short(package.get("name")?.as_str()?).to_owned();
    let dependencies = package.get("dependencies")?.as_array()?;
    let takes = dependencies.iter().filter_map(|dependency| {
        let how = match dependency.get("kind").and_then(Value::as_str) {
            Some("dev") => Use::Tests,
            _ => Use::Program,
        };
        Some((short(dependency.get("name")?.as_str()?).to_owned(), how))
    });
    Some(OurCrate { name, takes: takes.collect() })
}

fn short(name: &str) -> &str {
    name.strip_prefix("gatehouse-").unwrap_or(name)
}
