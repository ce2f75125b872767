//! `AWS::IoT::Policy`: a policy that exists, by its name, or one made of a document.
//!
//! A document that is a string is the author's as it stands. In one that is an object, functions may stand wherever a
//! text may; the document is put together as a JSON value, so that no text gets out of its string.

use super::evaluate::{Evaluation, Use};
use super::expression::{Expression, Known, function};
use super::members::{below, members};
use super::overrides;
use super::plan::{PlannedPolicy, PolicyPlan};
use super::property::{Property, policy_name};
use super::refusal::{InvalidTemplate, PlanRefusal, refuse};
use super::template::Resource;
use crate::json::Json;
use crate::name::PolicyName;
use crate::policy::PolicyDocument;

/// A policy of a template.
#[derive(Clone, Debug)]
pub(super) struct PolicyResource {
    logical_name: String,
    policy: Policy,
}

#[derive(Clone, Debug)]
enum Policy {
    Existing(Property<PolicyName>),
    /// A document without functions, valid.
    Constant(String),
    Document {
        place: String,
        document: Node,
    },
}

/// A part of a document.
#[derive(Clone, Debug)]
enum Node {
    Text(Expression),
    /// A number, a boolean or null, as JSON writes it.
    Scalar(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl PolicyResource {
    pub(super) fn parse(resource: &Resource<'_>, known: Known<'_>) -> Result<Self, InvalidTemplate> {
        let known = Known { joins: false, ..known };
        let place = &resource.properties_place();
        let policy = match members(resource.properties, place, ["PolicyName", "PolicyDocument"])? {
            [Some(name), None] => {
                Policy::Existing(Property::parse(name, below(place, "PolicyName"), known, policy_name)?)
            }
            [None, Some(document)] => read_document(document, below(place, "PolicyDocument"), known)?,
            _ => return Err(refuse(place, "exactly one of PolicyName and PolicyDocument is needed")),
        };
        overrides::none(resource.overrides, &resource.overrides_place())?;
        Ok(Self { logical_name: resource.logical_name.to_owned(), policy })
    }

    pub(super) fn plan(&self, evaluation: &mut Evaluation<'_>) -> Result<PolicyPlan, PlanRefusal> {
        let policy = match &self.policy {
            Policy::Existing(name) => PlannedPolicy::Existing(name.value(evaluation)?),
            Policy::Constant(document) => PlannedPolicy::Document(document.clone()),
            Policy::Document { place, document } => {
                let mut text = String::new();
                document.write(evaluation, place, &mut text)?;
                let invalid = |problem| PlanRefusal::Value { place: place.clone(), problem };
                valid(&text).map_err(invalid)?;
                PlannedPolicy::Document(text)
            }
        };
        Ok(PolicyPlan { logical_name: self.logical_name.clone(), policy })
    }
}

fn read_document(json: &Json, place: String, known: Known<'_>) -> Result<Policy, InvalidTemplate> {
    let document = match json {
        Json::Text(text) => text.clone(),
        Json::Object(object) if function(object, &place)?.is_some() => {
            return Err(refuse(
                &place,
                "must be a string or the document as an object: functions can stand in it, not in its place",
            ));
        }
        Json::Object(_) => {
            let document = Node::parse(json, &place, known)?;
            if !document.is_constant() {
                return Ok(Policy::Document { place, document });
            }
            let none = std::collections::BTreeMap::new();
            let values =
                super::parameters::Values::new(super::TemplateKind::Registration, known.parameters, &none, None);
            let values = values.map_err(|refusal| refuse(&place, refusal.to_string()))?;
            let mut text = String::new();
            let mut evaluation = Evaluation::new(values, known.mappings);
            document
                .write(&mut evaluation, &place, &mut text)
                .map_err(|refusal| refuse(&place, refusal.to_string()))?;
            text
        }
        _ => return Err(refuse(&place, "must be a string or an object")),
    };
    valid(&document).map_err(|problem| refuse(&place, problem))?;
    Ok(Policy::Constant(document))
}

fn valid(document: &str) -> Result<(), String> {
    PolicyDocument::parse(document).map(drop).map_err(|invalid| format!("the policy document is refused: {invalid}"))
}

impl Node {
    fn parse(json: &Json, place: &str, known: Known<'_>) -> Result<Self, InvalidTemplate> {
        Ok(match json {
            Json::Null => Self::Scalar("null".to_owned()),
            Json::Scalar(scalar) => Self::Scalar(scalar.clone()),
            Json::Text(text) => Self::Text(Expression::Text(text.clone())),
            Json::List(items) => {
                let items = items.iter().enumerate();
                let items = items.map(|(index, item)| Self::parse(item, &format!("{place}[{index}]"), known));
                Self::List(items.collect::<Result<_, _>>()?)
            }
            Json::Object(object) if function(object, place)?.is_some() => {
                Self::Text(Expression::parse(json, place, known)?)
            }
            Json::Object(object) => {
                let member = |(name, value): &(String, Json)| {
                    Self::parse(value, &below(place, name), known).map(|value| (name.clone(), value))
                };
                Self::Object(object.iter().map(member).collect::<Result<_, _>>()?)
            }
        })
    }

    fn is_constant(&self) -> bool {
        match self {
            Self::Text(expression) => expression.is_constant(),
            Self::Scalar(_) => true,
            Self::List(items) => items.iter().all(Self::is_constant),
            Self::Object(members) => members.iter().all(|(_, value)| value.is_constant()),
        }
    }

    fn write(&self, evaluation: &mut Evaluation<'_>, place: &str, out: &mut String) -> Result<(), PlanRefusal> {
        match self {
            Self::Text(expression) => {
                let text = evaluation.text(expression, Use::Policy).map_err(|trouble| trouble.at(place))?;
                out.push_str(&quoted(&text));
            }
            Self::Scalar(scalar) => out.push_str(scalar),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    item.write(evaluation, place, out)?;
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    out.push_str(&quoted(name));
                    out.push(':');
                    value.write(evaluation, place, out)?;
                }
                out.push('}');
            }
        }
        Ok(())
    }
}

/// A text as JSON writes it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
