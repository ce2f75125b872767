//! What may come in from outside, by `deny.toml`: licences, banned crates, versions side by side, sources.
//!
//! Reads cargo-deny's format, as far as our file uses it; anything it does not know in those sections is refused, so
//! that nothing in the file is silently without effect.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::command::{Failure, Outcome, cargo, fail, read, read_file, root};

/// A crate from outside that cargo really builds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    licence: String,
}

/// A crate, and which versions of it; written `name`, `name@1.2.3` (exactly), `name:<1.2` or `name:1` (compatible).
#[derive(Debug, PartialEq, Eq)]
struct Spec {
    name: String,
    versions: Versions,
}

#[derive(Debug, PartialEq, Eq)]
enum Versions {
    All,
    Exactly(String),
    Below(Vec<u64>),
    Beginning(Vec<u64>),
}

#[derive(Debug)]
struct Policy {
    targets: Vec<String>,
    licences: BTreeSet<String>,
    banned: Vec<(Spec, String)>,
    twice: Vec<(Spec, String)>,
    are_versions_side_by_side_denied: bool,
    are_unknown_sources_denied: bool,
}

/// Checks the tree.
pub(crate) fn check() -> Outcome {
    let policy = Policy::parse(&read_file(&root().join("deny.toml"))?)?;
    let packages = built_packages(&policy.targets)?;
    let mut findings = policy.findings(&packages);
    if policy.are_unknown_sources_denied {
        findings.extend(strange_sources(&read_file(&root().join("Cargo.lock"))?)?);
    }
    if findings.is_empty() {
        println!("   {} crates from outside are in order", packages.len());
        return Ok(());
    }
    fail(findings.join("\n"))
}

/// What cargo builds for these targets: cargo's own tree, because the lock file also names what no feature switches on.
fn built_packages(targets: &[String]) -> Outcome<BTreeSet<Package>> {
    let mut tree = cargo();
    tree.args(["tree", "--locked", "--workspace", "--edges=normal,build,dev", "--prefix=none", "--format={p}|{l}"]);
    for target in targets {
        tree.args(["--target", target]);
    }
    let printed = read(&mut tree)?;
    Ok(printed.lines().filter_map(built_package).collect())
}

/// Reads `name v1.2.3 (proc-macro)|MIT (*)`; our own crates show a path and are left out.
fn built_package(line: &str) -> Option<Package> {
    let (package, licence) = line.split_once('|')?;
    if package.contains("(/") {
        return None;
    }
    let mut words = package.split(' ');
    let name = words.next()?.to_owned();
    let version = words.next()?.strip_prefix('v')?.to_owned();
    let licence = licence.trim_end_matches(" (*)").to_owned();
    Some(Package { name, version, licence })
}

impl Policy {
    fn parse(text: &str) -> Outcome<Self> {
        let file: Table = text.parse()?;
        let section = |name: &str, known: &[&str]| -> Outcome<Table> {
            let section = file.get(name).and_then(Value::as_table).cloned().unwrap_or_default();
            match section.keys().find(|key| !known.contains(&key.as_str())) {
                Some(key) => {
                    fail(format!("deny.toml: our check does not know {name}.{key}: teach it, or leave it out"))
                }
                None => Ok(section),
            }
        };
        let graph = section("graph", &["targets"])?;
        let licences = section("licenses", &["allow"])?;
        let bans = section("bans", &["multiple-versions", "wildcards", "allow-wildcard-paths", "deny", "skip"])?;
        let sources = section("sources", &["unknown-registry", "unknown-git"])?;
        let denied = |table: &Table, key: &str| table.get(key).and_then(Value::as_str) == Some("deny");
        Ok(Self {
            targets: strings(graph.get("targets")),
            licences: strings(licences.get("allow")).into_iter().collect(),
            banned: specs(bans.get("deny"))?,
            twice: specs(bans.get("skip"))?,
            are_versions_side_by_side_denied: denied(&bans, "multiple-versions"),
            are_unknown_sources_denied: denied(&sources, "unknown-registry") && denied(&sources, "unknown-git"),
        })
    }

    fn findings(&self, packages: &BTreeSet<Package>) -> Vec<String> {
        let mut findings = Vec::new();
        for package in packages {
            let Package { name, version, licence } = package;
            if !satisfied(licence, &self.licences) {
                findings.push(format!("{name} {version}: its licence is not on the list: {licence:?}"));
            }
            for (_, reason) in self.banned.iter().filter(|(spec, _)| spec.matches(package)) {
                findings.push(format!("{name} {version} is banned: {reason}"));
            }
        }
        if self.are_versions_side_by_side_denied {
            findings.extend(self.side_by_side(packages));
        }
        findings
    }

    fn side_by_side(&self, packages: &BTreeSet<Package>) -> Vec<String> {
        let mut versions: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
        for package in packages {
            versions.entry(&package.name).or_default().push(package);
        }
        let mut findings = Vec::new();
        for (name, all) in &versions {
            let counted = all.iter().filter(|package| !self.twice.iter().any(|(spec, _)| spec.matches(package)));
            let counted: Vec<&str> = counted.map(|package| package.version.as_str()).collect();
            if counted.len() > 1 {
                findings.push(format!("{name} is in the tree in several versions: {}", counted.join(", ")));
            }
        }
        for (spec, _) in &self.twice {
            let all = versions.get(spec.name.as_str()).map_or(&[][..], Vec::as_slice);
            if all.len() < 2 || !all.iter().any(|package| spec.matches(package)) {
                findings.push(format!("deny.toml: the skip of {} no longer applies: take it out", spec.name));
            }
        }
        findings
    }
}

impl Spec {
    fn parse(text: &str) -> Outcome<Self> {
        let (name, versions) = if let Some((name, version)) = text.split_once('@') {
            (name, Versions::Exactly(version.to_owned()))
        } else if let Some((name, versions)) = text.split_once(':') {
            let parsed = match versions.strip_prefix('<') {
                Some(bound) => Versions::Below(numbers(bound)),
                None => Versions::Beginning(numbers(versions)),
            };
            (name, parsed)
        } else {
            (text, Versions::All)
        };
        match &versions {
            Versions::Below(numbers) | Versions::Beginning(numbers) if numbers.is_empty() => {
                fail(format!("deny.toml: cannot read the versions of {text:?}"))
            }
            _ => Ok(Self { name: name.to_owned(), versions }),
        }
    }

    fn matches(&self, package: &Package) -> bool {
        let version = || numbers(&package.version);
        self.name == package.name
            && match &self.versions {
                Versions::All => true,
                Versions::Exactly(exactly) => *exactly == package.version,
                Versions::Below(bound) => version() < *bound,
                Versions::Beginning(beginning) => version().starts_with(beginning),
            }
    }
}

/// The numbers of a version; what follows them (`-alpha`, `+build`) is left out.
fn numbers(version: &str) -> Vec<u64> {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    core.split('.').map_while(|number| number.parse().ok()).collect()
}

fn specs(value: Option<&Value>) -> Outcome<Vec<(Spec, String)>> {
    let entries = value.and_then(Value::as_array).into_iter().flatten();
    entries
        .map(|entry| {
            let text = |key: &str| entry.get(key).and_then(Value::as_str);
            let (name, reason) = text("crate").zip(text("reason")).ok_or_else(|| {
                Failure(format!("deny.toml: an entry under bans must be {{ crate, reason }}: {entry:?}"))
            })?;
            Ok((Spec::parse(name)?, reason.to_owned()))
        })
        .collect()
}

fn strings(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether the licences we allow satisfy an SPDX expression (`/` is its old spelling of OR).
fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let answer = any_of(&mut rest, allowed);
    rest.is_empty() && answer == Some(true)
}

/// `OR` binds weaker than `AND`. Nothing for an expression that cannot be read.
fn any_of(words: &mut &[&str], allowed: &BTreeSet<String>) -> Option<bool> {
    let mut answer = all_of(words, allowed)?;
    while let ["OR", rest @ ..] = *words {
        *words = rest;
        answer |= all_of(words, allowed)?;
    }
    Some(answer)
}

fn all_of(words: &mut &[&str], allowed: &BTreeSet<String>) -> Option<bool> {
    let mut answer = one(words, allowed)?;
    while let ["AND", rest @ ..] = *words {
        *words = rest;
        answer &= one(words, allowed)?;
    }
    Some(answer)
}

fn one(words: &mut &[&str], allowed: &BTreeSet<String>) -> Option<bool> {
    match *words {
        ["(", rest @ ..] => {
            *words = rest;
            let answer = any_of(words, allowed)?;
            let [")", rest @ ..] = *words else { return None };
            *words = rest;
            Some(answer)
        }
        [licence, "WITH", exception, rest @ ..] => {
            *words = rest;
            Some(allowed.contains(&format!("{licence} WITH {exception}")))
        }
        [licence, rest @ ..] => {
            *words = rest;
            Some(allowed.contains(*licence))
        }
        [] => None,
    }
}

/// Crates that the lock file takes from elsewhere than the one registry; ours have no source.
fn strange_sources(lock: &str) -> Outcome<Vec<String>> {
    let lock: Table = lock.parse()?;
    let packages = lock.get("package").and_then(Value::as_array).into_iter().flatten();
    let sources: Vec<(&str, &str)> = packages
        .filter_map(|package| Some((package.get("name")?.as_str()?, package.get("source")?.as_str()?)))
        .collect();
    // A mirror may stand in for the registry, but then for every crate.
    let registry = sources.iter().map(|(_, source)| *source).find(|source| source.starts_with("registry+"));
    let strange = sources.iter().filter(|(_, source)| Some(*source) != registry);
    Ok(strange.map(|(name, source)| format!("{name} comes from {source}: one registry for all is allowed")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, licence: &str) -> Package {
        Package { name: name.into(), version: version.into(), licence: licence.into() }
    }

    fn policy() -> Policy {
        Policy::parse(
            r#"
            licenses.allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
            bans.multiple-versions = "deny"
            bans.deny = [{ crate = "rsa:<0.10", reason = "leaks" }, { crate = "ring", reason = "second" }]
            bans.skip = [{ crate = "syn:2", reason = "old" }]
            "#,
        )
        .unwrap()
    }

    #[test]
    fn licences_are_read_as_expressions() {
        let allowed = policy().licences;
        let table = [
            ("MIT", true),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0/MIT", true),
            ("GPL-3.0 AND MIT", false),
            ("MIT AND (Apache-2.0 OR ISC)", true),
            ("GPL-3.0 AND MIT OR Apache-2.0", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT WITH LLVM-exception", false),
            ("(MIT", false),
            ("MIT Apache-2.0", false),
            ("", false),
        ];
        for (expression, expected) in table {
            assert_eq!(satisfied(expression, &allowed), expected, "{expression}");
        }
    }

    #[test]
    fn each_rule_finds_its_breach() {
        let base = [package("syn", "2.0.1", "MIT"), package("syn", "3.0.0", "MIT"), package("rsa", "0.10.0", "MIT")];
        let findings = |more: &[Package]| policy().findings(&base.iter().chain(more).cloned().collect());
        assert_eq!(findings(&[]), Vec::<String>::new());
        assert_eq!(findings(&[package("rsa", "0.9.8", "MIT")]).len(), 2, "banned, and side by side");
        assert_eq!(findings(&[package("ring", "0.17.14", "MIT")]).len(), 1);
        assert_eq!(findings(&[package("syn", "3.1.0", "MIT")]).len(), 1);
        assert_eq!(findings(&[package("gnu", "1.0.0", "GPL-3.0")]).len(), 1);
    }

    #[test]
    fn a_skip_that_no_longer_applies_is_a_finding() {
        let findings = policy().findings(&BTreeSet::from([package("syn", "3.0.0", "MIT")]));
        assert_eq!(findings.len(), 1, "{findings:?}");
    }

    #[test]
    fn what_the_check_does_not_know_is_refused() {
        assert!(Policy::parse("bans.skip-tree = []").is_err());
        assert!(Policy::parse("bans.deny = [\"ring\"]").is_err());
    }

    #[test]
    fn one_registry_is_the_only_source() {
        let lock = r#"
            package = [
              { name = "ours" },
              { name = "a", source = "registry+ours" },
              { name = "b", source = "git+ssh://somewhere" },
              { name = "c", source = "registry+other" },
            ]"#;
        let strange = strange_sources(lock).unwrap();
        assert_eq!(strange.len(), 2, "{strange:?}");
    }
}
