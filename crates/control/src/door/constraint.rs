//! Checks an input against the constraints of the model and words the violations as AWS does.

use serde_json::Value;

use crate::error::Error;
use crate::facts::{Facts, Kind, Shape};

/// Violations told in one answer at most.
const TOLD: usize = 10;
/// Characters of a refused value that are shown.
const SHOWN: usize = 256;
/// How deep an input may nest; the model's deepest is below ten.
const DEPTH: usize = 32;

/// Checks `value` against shape `name`.
///
/// # Errors
/// `InvalidRequestException` with every violation found, in the words of AWS.
pub(super) fn check(facts: &Facts, name: &str, value: &Value) -> Result<(), Error> {
    let mut checker = Checker { facts, violations: Vec::new(), count: 0, mistyped: None };
    checker.visit(name, "", value, 0);
    if let Some(text) = checker.mistyped {
        return Err(Error::invalid(text));
    }
    let count = checker.count;
    if count == 0 {
        return Ok(());
    }
    let plural = if count == 1 { "error" } else { "errors" };
    Err(Error::invalid(format!("{count} validation {plural} detected: {}", checker.violations.join("; "))))
}

struct Checker<'a> {
    facts: &'a Facts,
    violations: Vec<String>,
    count: usize,
    mistyped: Option<String>,
}

impl Checker<'_> {
    fn visit(&mut self, shape_name: &str, at: &str, value: &Value, depth: usize) {
        let Some(shape) = self.facts.shape(shape_name) else { return };
        if depth > DEPTH {
            self.mistype(at, "nested less deeply");
            return;
        }
        match (shape.kind, value) {
            (Kind::Structure, Value::Object(members)) => self.structure(shape, at, members, depth),
            (Kind::List, Value::Array(elements)) => {
                if !self.length(shape, at, "[…]", elements.len()) {
                    return;
                }
                let element_shape = shape.member.as_ref().map_or("", |m| m.shape.as_str());
                for (index, element) in elements.iter().enumerate() {
                    self.visit(element_shape, &format!("{at}.{}.member", index + 1), element, depth + 1);
                }
            }
            (Kind::Map, Value::Object(entries)) => {
                if !self.length(shape, at, "{…}", entries.len()) {
                    return;
                }
                let key_shape = shape.key.as_ref().map_or("", |m| m.shape.as_str());
                let value_shape = shape.value.as_ref().map_or("", |m| m.shape.as_str());
                for (key, entry) in entries {
                    self.visit(key_shape, at, &Value::String(key.clone()), depth + 1);
                    self.visit(value_shape, &format!("{at}.{key}.member"), entry, depth + 1);
                }
            }
            (Kind::String | Kind::Blob, Value::String(text)) => self.text(shape, at, text),
            (Kind::Integer, Value::Number(number)) => match number.as_i64().and_then(|n| i32::try_from(n).ok()) {
                Some(n) => self.range(shape, at, f64::from(n), &n.to_string()),
                None => self.mistype(at, "a 32-bit integer"),
            },
            (Kind::Long, Value::Number(number)) => match number.as_i64() {
                #[expect(clippy::cast_precision_loss, reason = "the model's bounds are far below 2^53")]
                Some(n) => self.range(shape, at, n as f64, &n.to_string()),
                None => self.mistype(at, "a 64-bit integer"),
            },
            (Kind::Double | Kind::Timestamp, Value::Number(_)) | (Kind::Boolean, Value::Bool(_)) => {}
            (kind, _) => self.mistype(at, expected(kind)),
        }
    }

    fn structure(&mut self, shape: &Shape, at: &str, members: &serde_json::Map<String, Value>, depth: usize) {
        for required in &shape.required {
            if members.get(required).is_none_or(Value::is_null) {
                let name = join(at, required);
                self.tell(|| format!("Value null at '{name}' failed to satisfy constraint: Member must not be null"));
            }
        }
        for (name, member) in members {
            match shape.members.get(name) {
                // An explicit null counts as absent, as for AWS.
                Some(_) if member.is_null() => {}
                Some(reference) => self.visit(&reference.shape, &join(at, name), member, depth + 1),
                None => {
                    self.mistyped.get_or_insert_with(|| {
                        format!(
                            "the member '{}' is unknown: see the API reference for what the operation takes",
                            join(at, name)
                        )
                    });
                }
            }
        }
    }

    fn text(&mut self, shape: &Shape, at: &str, text: &str) {
        let shown =
            || if shape.sensitive { "[sensitive]".into() } else { text.chars().take(SHOWN).collect::<String>() };
        if !shape.words.is_empty() {
            if !shape.words.iter().any(|word| word == text) {
                let words = shape.words.join(", ");
                self.violate(at, &shown(), &format!("Member must satisfy enum value set: [{words}]"));
            }
            return;
        }
        // The model counts characters, and only patterns that do not match a text of acceptable length are told.
        if self.length(shape, at, &shown(), text.chars().count()) && !shape.pattern_matches(text) {
            let pattern = shape.pattern.as_deref().unwrap_or_default();
            self.violate(at, &shown(), &format!("Member must satisfy regular expression pattern: {pattern}"));
        }
    }

    fn length(&mut self, shape: &Shape, at: &str, shown: &str, length: usize) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "bounded by the body's size")]
        let length = length as f64;
        if let Some(max) = shape.max.filter(|max| length > *max) {
            self.violate(at, shown, &format!("Member must have length less than or equal to {max}"));
            return false;
        }
        if let Some(min) = shape.min.filter(|min| length < *min) {
            self.violate(at, shown, &format!("Member must have length greater than or equal to {min}"));
            return false;
        }
        true
    }

    fn range(&mut self, shape: &Shape, at: &str, value: f64, shown: &str) {
        if let Some(max) = shape.max.filter(|max| value > *max) {
            self.violate(at, shown, &format!("Member must have value less than or equal to {max}"));
        }
        if let Some(min) = shape.min.filter(|min| value < *min) {
            self.violate(at, shown, &format!("Member must have value greater than or equal to {min}"));
        }
    }

    fn violate(&mut self, at: &str, shown: &str, rule: &str) {
        self.tell(|| format!("Value '{shown}' at '{at}' failed to satisfy constraint: {rule}"));
    }

    /// Counts a violation, and words the first few.
    fn tell(&mut self, violation: impl FnOnce() -> String) {
        self.count += 1;
        if self.violations.len() < TOLD {
            self.violations.push(violation());
        }
    }

    fn mistype(&mut self, at: &str, wanted: &str) {
        let at = if at.is_empty() { "the body" } else { at };
        self.mistyped.get_or_insert_with(|| format!("the value at '{at}' must be {wanted}"));
    }
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Structure | Kind::Map => "a JSON object",
        Kind::List => "a JSON array",
        Kind::String => "a string",
        Kind::Blob => "a string in base64",
        Kind::Integer | Kind::Long => "an integer",
        Kind::Double => "a number",
        Kind::Timestamp => "a number of seconds since 1970",
        Kind::Boolean => "true or false",
    }
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn facts() -> Facts {
        serde_json::from_value(json!({
            "operations": {},
            "shapes": {
                "In": {"type": "structure", "required": ["name"], "members": {
                    "name": {"shape": "Name"}, "size": {"shape": "Size"}, "state": {"shape": "State"},
                    "secret": {"shape": "Secret"}, "tags": {"shape": "Tags"}, "on": {"shape": "On"}}},
                "Name": {"type": "string", "min": 1, "max": 4, "pattern": "[a-z]+"},
                "Secret": {"type": "string", "max": 2, "sensitive": true},
                "Size": {"type": "integer", "min": 1, "max": 250},
                "State": {"type": "string", "enum": ["ON", "OFF"]},
                "On": {"type": "boolean"},
                "Tags": {"type": "list", "max": 2, "member": {"shape": "Tag"}},
                "Tag": {"type": "structure", "required": ["Key"], "members": {"Key": {"shape": "Name"}}}
            }
        }))
        .unwrap()
    }

    fn refusal(input: Value) -> String {
        match check(&facts(), "In", &input) {
            Ok(()) => String::new(),
            Err(Error::Refused(refused)) => refused.message.into_owned(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn violations_are_told_in_the_words_of_aws() {
        let one = "1 validation error detected: ";
        let cases = [
            (json!({"name": "ab"}), String::new()),
            (json!({"name": "ab", "size": null}), String::new()),
            (json!({}), format!("{one}Value null at 'name' failed to satisfy constraint: Member must not be null")),
            (
                json!({"name": "A"}),
                format!(
                    "{one}Value 'A' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]+"
                ),
            ),
            (
                json!({"name": "abcde"}),
                format!(
                    "{one}Value 'abcde' at 'name' failed to satisfy constraint: Member must have length less than or equal to 4"
                ),
            ),
            (
                json!({"name": ""}),
                format!(
                    "{one}Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1"
                ),
            ),
            (
                json!({"name": "a", "size": 0}),
                format!(
                    "{one}Value '0' at 'size' failed to satisfy constraint: Member must have value greater than or equal to 1"
                ),
            ),
            (
                json!({"name": "a", "state": "MAYBE"}),
                format!(
                    "{one}Value 'MAYBE' at 'state' failed to satisfy constraint: Member must satisfy enum value set: [ON, OFF]"
                ),
            ),
            (
                json!({"name": "a", "secret": "hidden"}),
                format!(
                    "{one}Value '[sensitive]' at 'secret' failed to satisfy constraint: Member must have length less than or equal to 2"
                ),
            ),
            (
                json!({"name": "a", "tags": [{}]}),
                format!("{one}Value null at 'tags.1.member.Key' failed to satisfy constraint: Member must not be null"),
            ),
        ];
        for (input, text) in cases {
            assert_eq!(refusal(input.clone()), text, "{input}");
        }
        assert!(refusal(json!({"name": "A", "size": 999})).starts_with("2 validation errors detected: "));
    }

    #[test]
    fn wrong_types_and_unknown_members_are_refused() {
        assert!(refusal(json!({"name": 1})).contains("'name' must be a string"));
        assert!(refusal(json!({"name": "a", "size": 1.5})).contains("'size' must be a 32-bit integer"));
        assert!(refusal(json!({"name": "a", "on": "true"})).contains("'on' must be true or false"));
        assert!(refusal(json!({"name": "a", "tags": {}})).contains("'tags' must be a JSON array"));
        assert!(refusal(json!({"name": "a", "nope": 1})).contains("'nope' is unknown"));
        assert!(refusal(json!([])).contains("the body' must be a JSON object"));
    }
}
