//! The facts of AWS's service model: method, path, where each member travels, constraints, errors. Generated into
//! `crates/control/model/iot.json` (`cargo xtask model`) and read once at start; the door binds and checks by them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{LazyLock, OnceLock};

use regex::Regex;
use serde::Deserialize;

/// The facts of service `iot`.
pub static IOT: LazyLock<Facts> = LazyLock::new(|| {
    // The file is part of the program: a test proves that it reads.
    serde_json::from_str(include_str!("../model/iot.json")).unwrap_or_default()
});

/// What the model says of one service.
#[derive(Debug, Default, Deserialize)]
pub struct Facts {
    /// Operations by name.
    pub operations: BTreeMap<String, OperationFacts>,
    /// Shapes by name.
    pub shapes: HashMap<String, Shape>,
}

/// What the model says of one operation.
#[derive(Debug, Deserialize)]
pub struct OperationFacts {
    /// HTTP method.
    pub method: String,
    /// Path with `{labels}`.
    pub path: String,
    /// Shape of the input.
    pub input: Option<String>,
    /// Shape of the output.
    pub output: Option<String>,
    /// Names of the errors it may answer.
    pub errors: Vec<String>,
}

/// The kinds of shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Named members.
    Structure,
    /// A sequence.
    List,
    /// String keys to values.
    Map,
    /// Text.
    String,
    /// A 32-bit number.
    Integer,
    /// A 64-bit number.
    Long,
    /// A floating-point number.
    Double,
    /// True or false.
    Boolean,
    /// A point in time.
    Timestamp,
    /// Bytes.
    Blob,
}

/// What the model says of one shape.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Required members of a structure.
    #[serde(default)]
    pub required: Vec<String>,
    /// Members of a structure.
    #[serde(default)]
    pub members: BTreeMap<String, Member>,
    /// The member that is the whole body.
    #[serde(default)]
    pub payload: Option<String>,
    /// Element of a list.
    #[serde(default)]
    pub member: Option<Member>,
    /// Key of a map.
    #[serde(default)]
    pub key: Option<Member>,
    /// Value of a map.
    #[serde(default)]
    pub value: Option<Member>,
    /// Least length or value.
    #[serde(default)]
    pub min: Option<f64>,
    /// Greatest length or value.
    #[serde(default)]
    pub max: Option<f64>,
    /// Regular expression in Java's dialect.
    #[serde(default)]
    pub pattern: Option<String>,
    /// The words of an enumeration.
    #[serde(default, rename = "enum")]
    pub words: Vec<String>,
    /// Whether the value must not be shown.
    #[serde(default)]
    pub sensitive: bool,
    /// HTTP status of an error shape.
    #[serde(default)]
    pub status: Option<u16>,
    #[serde(skip)]
    compiled: OnceLock<Option<Regex>>,
}

/// A reference to a shape.
#[derive(Debug, Deserialize)]
pub struct Member {
    /// Name of the shape.
    pub shape: String,
    /// Where it travels; absent means the body.
    #[serde(default)]
    pub location: Option<Location>,
    /// Its name there, when it differs from the member's.
    #[serde(default)]
    pub name: Option<String>,
}

/// Where a member travels outside the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Location {
    /// A path segment.
    Uri,
    /// A query parameter.
    QueryString,
    /// A header.
    Header,
    /// Headers with a common prefix.
    Headers,
    /// The HTTP status of an answer.
    StatusCode,
}

impl Facts {
    /// The shape `name`.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&Shape> {
        self.shapes.get(name)
    }
}

impl Shape {
    /// Whether `text` as a whole satisfies the pattern. A shape without a pattern takes anything.
    #[must_use]
    pub fn pattern_matches(&self, text: &str) -> bool {
        let Some(pattern) = &self.pattern else { return true };
        self.compiled
            .get_or_init(|| Regex::new(&format!("^(?:{})$", translate(pattern))).ok())
            .as_ref()
            .is_none_or(|regex| regex.is_match(text))
    }
}

/// Rewrites Java's character classes, which are ASCII unless named by Unicode category, in ours.
fn translate(java: &str) -> String {
    [
        (r"[\s\S]", r"(?s:.)"),
        (r"\p{Graph}", "!-~"),
        (r"\p{Upper}", "A-Z"),
        (r"\p{Digit}", "0-9"),
        (r"\p{Cntrl}", r"\x00-\x1f\x7f"),
        (r"\w", "0-9A-Za-z_"),
        (r"\d", "0-9"),
        (r"\s", r" \t\n\x0B\f\r"),
    ]
    .iter()
    .fold(java.to_owned(), |pattern, (from, to)| {
        // A class outside brackets becomes a bracket of its own.
        let mut out = String::with_capacity(pattern.len());
        let mut rest = pattern.as_str();
        let mut depth = 0_i32;
        while let Some(at) = rest.find(from) {
            let (before, after) = rest.split_at(at);
            depth += bracket_balance(before);
            out.push_str(before);
            if depth > 0 || from.starts_with('[') {
                out.push_str(to);
            } else {
                out.push('[');
                out.push_str(to);
                out.push(']');
            }
            rest = after.strip_prefix(from).unwrap_or("");
        }
        out.push_str(rest);
        out
    })
}

fn bracket_balance(text: &str) -> i32 {
    let mut balance = 0;
    let mut escaped = false;
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => balance += 1,
            ']' => balance -= 1,
            _ => {}
        }
    }
    balance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_read_and_every_pattern_compiles() {
        assert!(IOT.operations.len() > 250, "{}", IOT.operations.len());
        for (name, shape) in &IOT.shapes {
            if let Some(pattern) = &shape.pattern {
                let compiled = Regex::new(&format!("^(?:{})$", translate(pattern)));
                assert!(compiled.is_ok(), "{name}: {pattern}: {compiled:?}");
            }
        }
    }

    #[test]
    fn java_classes_are_ascii() {
        let shape = |pattern: &str| -> Shape {
            serde_json::from_value(serde_json::json!({"type": "string", "pattern": pattern})).unwrap()
        };
        assert!(shape(r"[\w+=,.@-]+").pattern_matches("a_9+"));
        assert!(!shape(r"[\w+=,.@-]+").pattern_matches("é"));
        assert!(!shape(r"[\w+=,.@-]+").pattern_matches("a\n"));
        assert!(shape(r"[\s\S]*").pattern_matches("a\nb"));
        assert!(shape(r"(0x)?[a-fA-F0-9]+").pattern_matches("0xAB"));
        assert!(!shape(r"[^\p{C}]*").pattern_matches("a\u{1}"));
    }
}
