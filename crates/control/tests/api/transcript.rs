//! What was said in a test, with every random value replaced by a name, so that it can be compared from run to run.
//! Values that a test chose itself, and times, stay: the test's clock stands still.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::Value;

/// Longer texts in a body are told by their length.
const SHOWN: usize = 400;

/// A conversation.
#[derive(Default)]
pub(crate) struct Transcript {
    text: String,
    /// Random values and their names, in the order they were met.
    names: Vec<(String, String)>,
    counts: HashMap<String, usize>,
}

impl Transcript {
    /// Names `value` as the next of its `kind`, unless it has a name.
    pub(crate) fn learn(&mut self, kind: &str, value: &str) {
        if value.is_empty() || self.names.iter().any(|(known, _)| known == value) {
            return;
        }
        let count = self.counts.entry(kind.to_owned()).or_default();
        *count += 1;
        self.names.push((value.to_owned(), format!("<{kind} {count}>")));
    }

    /// Names what is random in an answer.
    pub(crate) fn learn_from(&mut self, body: &Value) {
        match body {
            Value::Object(members) => {
                for (name, member) in members {
                    let kind = match name.as_str() {
                        "certificateId" => "certificate",
                        "taskId" => "task",
                        "registrationCode" => "registration code",
                        "generationId" => "generation",
                        "thingId" => "thing id",
                        "thingTypeId" => "thing type id",
                        "thingGroupId" => "thing group id",
                        "billingGroupId" => "billing group id",
                        "nextMarker" | "nextToken" => "marker",
                        "resourceArns" => {
                            let arns = member.as_object().into_iter().flat_map(|arns| arns.values());
                            for (_, id) in arns.filter_map(|arn| arn.as_str()?.split_once(":cert/")) {
                                self.learn("certificate", id);
                            }
                            continue;
                        }
                        "endpointAddress" => "prefix",
                        _ => {
                            self.learn_from(member);
                            continue;
                        }
                    };
                    let value = member.as_str().unwrap_or_default();
                    // Of a host name, the prefix is random.
                    let value =
                        if kind == "prefix" { value.split(['.', '-']).next().unwrap_or_default() } else { value };
                    self.learn(kind, value);
                }
            }
            Value::Array(elements) => elements.iter().for_each(|element| self.learn_from(element)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Notes a request and its answer.
    pub(crate) fn note(&mut self, request: &str, status: u16, error: Option<&str>, body: &Value) {
        self.learn_from(body);
        let body = pretty(&shorten(body));
        let error = error.map(|error| format!(" {error}")).unwrap_or_default();
        write!(self.text, "{request}\n{status}{error} {body}\n\n").unwrap();
    }

    /// The conversation with names in place of values.
    pub(crate) fn told(&self) -> String {
        let mut text = self.text.clone();
        for (value, name) in &self.names {
            text = text.replace(value, name);
            text = text.replace(&crate::client::encoded(value), name);
            text = text.replace(&value.to_uppercase(), &name.to_uppercase());
        }
        text.trim_end().to_owned()
    }
}

fn pretty(body: &Value) -> String {
    match body {
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        _ => serde_json::to_string_pretty(body).unwrap(),
    }
}

/// A body as a transcript shows it: PEM blocks by their label, long texts by their length.
pub(crate) fn shorten(body: &Value) -> Value {
    match body {
        Value::String(text) => Value::String(shorten_text(text)),
        Value::Array(elements) => elements.iter().map(shorten).collect(),
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), shorten(member))).collect(),
        other => other.clone(),
    }
}

fn shorten_text(text: &str) -> String {
    let block = text.strip_prefix("-----BEGIN ").and_then(|rest| rest.split_once("-----\n"));
    match block {
        Some((label, _)) if text.ends_with(&format!("-----END {label}-----\n")) => format!("<PEM of {label}>"),
        _ if text.chars().count() > SHOWN => format!("<{} characters>", text.chars().count()),
        _ => text.to_owned(),
    }
}
