//! Begins an operation: its file with the facts of the model filled in and the story still to be written.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write;

use serde_json::Value;

use crate::command::{Failure, Outcome, fail, read_file, root};
use crate::model;

/// Shapes that the domain has types for, and where they are.
const DOMAIN_TYPES: &[(&str, &str, &str)] = &[
    ("CertificateId", "CertificateId", "gatehouse_domain::certificate::CertificateId"),
    ("CertificateMode", "CertificateMode", "gatehouse_domain::certificate::CertificateMode"),
    ("CertificateStatus", "CertificateStatus", "gatehouse_domain::certificate::CertificateStatus"),
    ("PolicyName", "PolicyName", "gatehouse_domain::name::PolicyName"),
    ("ThingName", "ThingName", "gatehouse_domain::name::ThingName"),
];

/// Which way a type travels.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

/// Writes `crates/control/src/operations/<name>.rs`.
pub(crate) fn begin(name: &str) -> Outcome {
    let facts: Value = serde_json::from_str(&read_file(&model::path())?)?;
    let source = source(&facts, name)?;
    let module = snake_case(name);
    let path = root().join("crates/control/src/operations").join(format!("{module}.rs"));
    if path.exists() {
        return fail(format!("{} exists already", path.display()));
    }
    std::fs::write(&path, source)?;
    println!("wrote {}", path.display());
    println!("add to the list in crates/control/src/operations/mod.rs:");
    println!("    {module}::{name},");
    Ok(())
}

fn source(facts: &Value, name: &str) -> Outcome<String> {
    let operation = facts.get("operations").and_then(|all| all.get(name)).ok_or_else(|| {
        Failure(format!("{name:?} is not an operation of the service; see crates/control/model/iot.json"))
    })?;
    let text = |key: &str| operation.get(key).and_then(Value::as_str);
    let mut writer = Writer { facts, imports: BTreeSet::new(), body: String::new(), written: BTreeSet::new() };
    writer.imports.extend(
        ["crate::call::Call", "crate::error::Error", "crate::operation::Operation", "gatehouse_store::Batch"]
            .map(String::from),
    );
    let input = text("input").filter(|shape| writer.has_members(shape));
    let output = text("output").filter(|shape| writer.has_members(shape));
    writer.imports.insert(match (input, output) {
        (Some(_), Some(_)) => "serde::{Deserialize, Serialize}".into(),
        (None, Some(_)) => "serde::Serialize".into(),
        _ => "serde::Deserialize".into(),
    });
    match input {
        Some(shape) => writer.structure("Input", "What it takes.", shape, Way::In)?,
        None => {
            writer.body.push_str("/// What it takes: nothing.\n#[derive(Debug, Deserialize)]\npub struct Input {}\n\n")
        }
    }
    let output_type = match output {
        Some(shape) => {
            writer.structure("Output", "What it answers.", shape, Way::Out)?;
            "Output"
        }
        None => {
            writer.imports.insert("crate::wire::Nothing".into());
            "Nothing"
        }
    };
    Ok(assemble(&writer, name, operation, output_type))
}

fn assemble(writer: &Writer<'_>, name: &str, operation: &Value, output_type: &str) -> String {
    let text = |key: &str| operation.get(key).and_then(Value::as_str).unwrap_or_default();
    let is_reading = text("method") == "GET";
    let batch = "gatehouse_store::Batch";
    let imports = || writer.imports.iter().map(String::as_str).filter(|import| !is_reading || *import != batch);
    let group = |belongs: fn(&str) -> bool| {
        let group: String =
            imports().filter(|import| belongs(import)).map(|import| format!("use {import};\n")).collect();
        if group.is_empty() { group } else { group + "\n" }
    };
    let saving = if is_reading {
        ""
    } else {
        "        compile_error!(\"save and announce: the changes and their event in one batch\");
        let mut batch = Batch::new();
        call.commit(batch).await?;
"
    };
    let errors: Vec<&str> =
        operation.get("errors").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    format!(
        "//! {name}: say in one line what it is for.

{standard}{others}{ours}/// The operation.
pub struct {name};

{types}impl Operation for {name} {{
    const NAME: &'static str = \"{name}\";
    const METHOD: &'static str = \"{method}\";
    const PATH: &'static str = \"{path}\";
    type Input = Input;
    type Output = {output_type};

    // If a policy can name the resource: fn resource(call: &Call, input: &Input) -> String

    async fn run(call: &Call, input: &Input) -> Result<{output_type}, Error> {{
        // Errors of the model:
        //   {errors}
        compile_error!(\"load: read from call.store() what the decision needs\");
        compile_error!(\"decide: ask a rule of gatehouse_domain; map its refusal to an error\");
{saving}        compile_error!(\"answer\");
    }}
}}
",
        standard = group(|import| import.starts_with("std::")),
        others = group(|import| !import.starts_with("std::") && !import.starts_with("crate::")),
        ours = group(|import| import.starts_with("crate::")),
        types = writer.body,
        method = text("method"),
        path = text("path"),
        errors = errors.join("\n        //   "),
    )
}

/// Writes the types of one operation, each shape once.
struct Writer<'a> {
    facts: &'a Value,
    imports: BTreeSet<String>,
    body: String,
    written: BTreeSet<String>,
}

impl Writer<'_> {
    fn shape(&self, name: &str) -> Option<&Value> {
        self.facts.get("shapes").and_then(|shapes| shapes.get(name))
    }

    fn has_members(&self, shape: &str) -> bool {
        let members = self.shape(shape).and_then(|shape| shape.get("members")).and_then(Value::as_object);
        members.is_some_and(|members| !members.is_empty())
    }

    /// A structure and those inside it.
    fn structure(&mut self, title: &str, doc: &str, shape: &str, way: Way) -> Outcome {
        let mut waiting = VecDeque::from([(title.to_owned(), doc.to_owned(), shape.to_owned())]);
        while let Some((title, doc, shape)) = waiting.pop_front() {
            if !self.written.insert(title.clone()) {
                continue;
            }
            let inner = self.one_structure(&title, &doc, &shape, way)?;
            waiting
                .extend(inner.into_iter().map(|inner| (inner.clone(), format!("See `{inner}` in the model."), inner)));
        }
        Ok(())
    }

    fn one_structure(&mut self, title: &str, doc: &str, name: &str, way: Way) -> Outcome<Vec<String>> {
        let shape = self.shape(name).cloned().ok_or_else(|| Failure(format!("the model has no shape {name}")))?;
        let required: Vec<&str> =
            shape.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let members = shape.get("members").and_then(Value::as_object);
        let derive = if way == Way::In { "Deserialize" } else { "Serialize" };
        let mut text = format!(
            "/// {doc}\n#[derive(Debug, {derive})]\n#[serde(rename_all = \"camelCase\")]\npub struct {title} {{\n"
        );
        let mut inner = Vec::new();
        for (member, reference) in members.into_iter().flatten() {
            let reference = reference.get("shape").and_then(Value::as_str).unwrap_or_default();
            let kind = self.rust_type(reference, way, &mut inner);
            let field = snake_case(member);
            if camel_case(&field) != *member {
                writeln!(text, "    #[serde(rename = \"{member}\")]")?;
            }
            let field =
                if matches!(field.as_str(), "type" | "match" | "use" | "ref") { format!("r#{field}") } else { field };
            if required.contains(&member.as_str()) {
                writeln!(text, "    {field}: {kind},")?;
            } else if way == Way::In && kind == "bool" {
                writeln!(text, "    #[serde(default)]\n    {field}: bool,")?;
            } else if way == Way::In {
                writeln!(text, "    {field}: Option<{kind}>,")?;
            } else {
                writeln!(
                    text,
                    "    #[serde(skip_serializing_if = \"Option::is_none\")]\n    {field}: Option<{kind}>,"
                )?;
            }
        }
        text.push_str("}\n\n");
        self.body.push_str(&text);
        Ok(inner)
    }

    fn rust_type(&mut self, name: &str, way: Way, inner: &mut Vec<String>) -> String {
        if let Some((_, known, path)) = DOMAIN_TYPES.iter().find(|(shape, ..)| *shape == name) {
            self.imports.insert((*path).to_owned());
            return (*known).to_owned();
        }
        let shape = self.shape(name).cloned().unwrap_or_default();
        let part =
            |key: &str| shape.get(key).and_then(|part| part.get("shape")).and_then(Value::as_str).unwrap_or_default();
        match shape.get("type").and_then(Value::as_str).unwrap_or_default() {
            "boolean" => "bool".into(),
            "integer" => "i32".into(),
            "long" => "i64".into(),
            "double" => "f64".into(),
            "timestamp" if way == Way::Out => {
                self.imports.insert("crate::wire::EpochSeconds".into());
                "EpochSeconds".into()
            }
            "timestamp" => "f64".into(),
            "list" => format!("Vec<{}>", self.rust_type(part("member"), way, inner)),
            "map" => {
                self.imports.insert("std::collections::BTreeMap".into());
                format!("BTreeMap<String, {}>", self.rust_type(part("value"), way, inner))
            }
            "structure" => {
                inner.push(name.to_owned());
                name.to_owned()
            }
            _ => "String".into(),
        }
    }
}

/// `RegisterCACertificate` → `register_ca_certificate`.
fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        let is_next_lower = letters.get(at + 1).is_some_and(char::is_ascii_lowercase);
        let starts_word =
            letter.is_ascii_uppercase() && before.is_some_and(|before| !before.is_ascii_uppercase() || is_next_lower);
        if starts_word {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// `policy_name` → `policyName`, as serde does it.
fn camel_case(snake: &str) -> String {
    let mut camel = String::new();
    for (at, word) in snake.split('_').enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if at > 0 => camel.push(first.to_ascii_uppercase()),
            Some(first) => camel.push(first),
            None => {}
        }
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_become_file_names() {
        let table = [
            ("UpdateCertificate", "update_certificate"),
            ("RegisterCACertificate", "register_ca_certificate"),
            ("RegisterCertificateWithoutCA", "register_certificate_without_ca"),
            ("CreateOTAUpdate", "create_ota_update"),
            ("SetV2LoggingLevel", "set_v2_logging_level"),
            ("policyName", "policy_name"),
        ];
        for (name, expected) in table {
            assert_eq!(snake_case(name), expected);
        }
    }

    #[test]
    fn an_operation_begins_with_the_facts_of_the_model() {
        let facts = json!({
            "operations": {"SetThing": {"method": "PUT", "path": "/t/{thingName}", "input": "In", "output": "Out", "errors": ["E"]}},
            "shapes": {
                "In": {"type": "structure", "required": ["thingName"], "members": {
                    "thingName": {"shape": "ThingName"}, "more": {"shape": "Flag"}, "OTAId": {"shape": "Text"}}},
                "Out": {"type": "structure", "required": [], "members": {"parts": {"shape": "Parts"}}},
                "Parts": {"type": "list", "member": {"shape": "Part"}},
                "Part": {"type": "structure", "required": [], "members": {"part": {"shape": "Parts"}}},
                "ThingName": {"type": "string"}, "Text": {"type": "string"}, "Flag": {"type": "boolean"}}});
        let text = source(&facts, "SetThing").unwrap();
        for part in [
            "use gatehouse_domain::name::ThingName;",
            "const PATH: &'static str = \"/t/{thingName}\";",
            "    thing_name: ThingName,",
            "    #[serde(default)]\n    more: bool,",
            "    #[serde(rename = \"OTAId\")]",
            "    parts: Option<Vec<Part>>,",
            "pub struct Part {",
            "compile_error!",
        ] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
        assert!(source(&facts, "SetThong").is_err());
    }
}
