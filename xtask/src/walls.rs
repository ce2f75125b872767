//! The walls between our crates: who may use whom, and which outside crates belong behind which wall.

use crate::command::{Outcome, fail};
use crate::workspace::{OurCrate, Use, our_crates};

/// Each crate and which of ours it may use, in its tests too.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("mqtt", &[]),
    ("pki", &["domain"]),
    ("store", &["domain"]),
    ("broker", &["domain", "mqtt", "store"]),
    // control and broker do not see each other: an operation announces, the gateway acts on it.
    ("control", &["domain", "pki", "store"]),
    ("gateway", &["domain", "pki", "mqtt", "store", "broker", "control"]),
    ("server", &["domain", "pki", "mqtt", "store", "broker", "control", "gateway"]),
    // The load generator speaks the wire, and measures single parts.
    ("bench", &["domain", "pki", "mqtt", "store", "broker", "control", "gateway"]),
    ("xtask", &[]),
];

/// Crates that are pure: all that they may take from outside.
const TAKES_ONLY: &[(&str, &[&str])] = &[
    // No I/O, clock, randomness or logging.
    ("domain", &["num-bigint", "serde", "serde_json", "thiserror", "time"]),
    // Sans I/O.
    ("mqtt", &["bytes", "rmqtt-codec", "thiserror"]),
    // The menu must build in seconds.
    ("xtask", &["serde_json", "toml"]),
];

/// Outside crates that stand behind one wall, and our crates on the inside of it.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("tokio-postgres", &["store"]),
    ("x509-parser", &["pki"]),
    ("x509-cert", &["pki"]),
    ("der", &["pki"]),
    ("spki", &["pki"]),
    ("rustls", &["gateway", "server", "bench"]),
    ("tokio-rustls", &["gateway", "server", "bench"]),
    ("rustls-webpki", &["gateway", "pki"]),
    ("hyper", &["control", "gateway", "server", "bench"]),
    ("clap", &["server", "bench"]),
    ("tracing-subscriber", &["server", "bench"]),
];

/// Checks every wall.
pub(crate) fn check() -> Outcome {
    let crates = our_crates()?;
    let breaches: Vec<String> = crates.iter().flat_map(breaches).collect();
    if breaches.is_empty() {
        println!("   {} crates keep to their walls", crates.len());
        return Ok(());
    }
    fail(breaches.join("\n"))
}

fn breaches(of: &OurCrate) -> Vec<String> {
    let name = of.name.as_str();
    let Some(ours) = entry(MAY_USE, name) else {
        return vec![format!("{name} has no line in MAY_USE (xtask/src/walls.rs): say which of our crates it may use")];
    };
    let mut breaches = Vec::new();
    for (taken, how) in &of.takes {
        let taken = taken.as_str();
        if entry(MAY_USE, taken).is_some() {
            if !ours.contains(&taken) {
                breaches.push(format!("{name} uses {taken}, and may use only {ours:?} of ours"));
            }
            continue;
        }
        if *how == Use::Tests {
            continue;
        }
        if entry(TAKES_ONLY, name).is_some_and(|only| !only.contains(&taken)) {
            breaches.push(format!("{name} takes {taken}: it is pure, and takes only what TAKES_ONLY names"));
        }
        if let Some(inside) = entry(ONLY_IN, taken)
            && !inside.contains(&name)
        {
            breaches.push(format!("{name} takes {taken}, which belongs in {inside:?}"));
        }
    }
    breaches
}

fn entry(table: &'static [(&str, &[&str])], name: &str) -> Option<&'static [&'static str]> {
    table.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many breaches a crate that takes these has; `~` marks what only its tests take.
    fn found(name: &str, takes: &str) -> usize {
        let takes = takes.split_whitespace().map(|taken| match taken.strip_prefix('~') {
            Some(taken) => (taken.to_owned(), Use::Tests),
            None => (taken.to_owned(), Use::Program),
        });
        breaches(&OurCrate { name: name.to_owned(), takes: takes.collect() }).len()
    }

    #[test]
    fn a_breach_of_any_wall_is_found() {
        let table = [
            ("domain", "serde ~proptest", 0),
            ("domain", "tokio", 1),
            ("domain", "~store", 1),
            ("control", "broker", 1),
            ("control", "store ~rusqlite", 0),
            ("control", "rusqlite", 1),
            ("gateway", "control x509-parser", 1),
            ("stranger", "", 1),
        ];
        for (name, takes, expected) in table {
            assert_eq!(found(name, takes), expected, "{name} takes {takes}");
        }
    }
}
