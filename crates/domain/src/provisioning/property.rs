//! A property of a resource: an expression, and how its value is read.

use super::evaluate::{Evaluation, Trouble, Use, constant};
use super::expression::{Expression, Known};
use super::refusal::{InvalidTemplate, PlanRefusal, refuse, shown_value};
use crate::limits;
use crate::name::{PolicyName, ThingName};

/// Reads a value, or says what is wrong with it.
type Read<T> = fn(&str) -> Result<T, String>;

/// A property whose values are read as `T`.
#[derive(Clone, Debug)]
pub(super) struct Property<T> {
    place: String,
    expression: Expression,
    read: Read<T>,
}

impl<T> Property<T> {
    /// Takes what stands at `place`. A constant is read at once, so that a wrong one is found now.
    pub(super) fn parse(
        json: &crate::json::Json,
        place: String,
        known: Known<'_>,
        read: Read<T>,
    ) -> Result<Self, InvalidTemplate> {
        let expression = Expression::parse(json, &place, known)?;
        match constant(&expression, known.parameters, known.mappings) {
            Some(Ok(value)) => drop(read(&value).map_err(|problem| refuse(&place, problem))?),
            // A constant refers to nothing.
            Some(Err(Trouble::Unresolved(problem) | Trouble::Problem(problem))) => return Err(refuse(&place, problem)),
            None => {}
        }
        Ok(Self { place, expression, read })
    }

    /// The value with these parameters.
    pub(super) fn value(&self, evaluation: &mut Evaluation<'_>) -> Result<T, PlanRefusal> {
        let value = evaluation.text(&self.expression, Use::Other).map_err(|trouble| trouble.at(&self.place))?;
        (self.read)(&value).map_err(|problem| PlanRefusal::Value { place: self.place.clone(), problem })
    }

    /// Whether it refers to this parameter, and does nothing else.
    pub(super) fn is_reference_to(&self, parameter: &str) -> bool {
        matches!(&self.expression, Expression::Reference(name) if name == parameter)
    }
}

/// Any text.
pub(super) fn any(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

/// The name of a thing, thing type, thing group or billing group.
pub(super) fn name(text: &str) -> Result<ThingName, String> {
    text.parse()
        .map_err(|_| format!("{} is not a name here: 1 to 128 letters, digits and :_- are needed", shown_value(text)))
}

/// The name of a policy.
pub(super) fn policy_name(text: &str) -> Result<PolicyName, String> {
    text.parse().map_err(|invalid| format!("{} is refused: {invalid}", shown_value(text)))
}

/// The value of an attribute (service model, `AttributeValue`).
pub(super) fn attribute_value(text: &str) -> Result<String, String> {
    let is_value = text.len() <= limits::ATTRIBUTE_VALUE_CHARACTERS
        && text.bytes().all(|b| is_attribute_byte(b) || b"=[]".contains(&b));
    if is_value {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{} is not the value of an attribute: at most {} letters, digits and _.,@/:#=[]- are needed",
        shown_value(text),
        limits::ATTRIBUTE_VALUE_CHARACTERS
    ))
}

/// Whether a text is the name of an attribute (service model, `AttributeName`).
pub(super) fn is_attribute_name(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(is_attribute_byte)
}

const fn is_attribute_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b',' | b'@' | b'/' | b':' | b'#' | b'-')
}
