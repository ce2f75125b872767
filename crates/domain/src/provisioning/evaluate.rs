//! The values of expressions, within bounds.
//!
//! A function of a few bytes can repeat a value of kilobytes, and functions nest. So every text has a length that it may
//! reach, and all texts together, those in between among them, have a sum.

use std::collections::BTreeMap;

use super::expression::{Expression, List, Piece, select_from};
use super::mappings::Mappings;
use super::parameters::{Value, Values};
use super::plain;
use super::refusal::{PlanRefusal, shown_name, shown_value};
use crate::limits;

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A parameter has none.
    Unresolved(String),
    /// Something else.
    Problem(String),
}

impl Trouble {
    /// As the refusal of what stands at `place`.
    pub(super) fn at(self, place: &str) -> PlanRefusal {
        match self {
            Self::Unresolved(name) => PlanRefusal::Unresolved(name),
            Self::Problem(problem) => PlanRefusal::Value { place: place.to_owned(), problem },
        }
    }
}

impl From<String> for Trouble {
    fn from(problem: String) -> Self {
        Self::Problem(problem)
    }
}

/// Where a value will stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// In a policy: what was given must be plain.
    Policy,
    /// Anywhere else.
    Other,
}

/// Gives expressions their values, as long as there is something left to spend.
#[derive(Debug)]
pub(super) struct Evaluation<'a> {
    values: Values<'a>,
    mappings: &'a Mappings,
    bytes_left: usize,
}

impl<'a> Evaluation<'a> {
    pub(super) const fn new(values: Values<'a>, mappings: &'a Mappings) -> Self {
        Self { values, mappings, bytes_left: limits::TEMPLATE_WORK_BYTES }
    }

    /// The value of an expression.
    pub(super) fn text(&mut self, expression: &Expression, used: Use) -> Result<String, Trouble> {
        match expression {
            Expression::Text(text) => self.copy(text),
            Expression::Reference(name) => self.reference(name, used),
            Expression::Join { delimiter, list } => {
                let list = self.list(list, used)?;
                let mut joined = Growing::default();
                for (index, item) in list.iter().enumerate() {
                    joined.push(if index == 0 { "" } else { delimiter })?;
                    joined.push(item)?;
                }
                self.take(joined)
            }
            Expression::Select { index, list } => {
                let index = self.text(index, Use::Other)?;
                let items = self.list(list, used)?;
                let item = select_from(&index, &items).map_err(|problem| format!("Fn::Select: {problem}"))?;
                // As with a whole value: see `plain`.
                if used == Use::Policy && item.is_empty() && matches!(list, List::Split { .. }) {
                    return Err(Trouble::Problem(format!(
                        "Fn::Split: part {index} is empty, which would widen a policy"
                    )));
                }
                Ok(item.clone())
            }
            Expression::FindInMap(arguments) => {
                let [map, first, second] = arguments.as_ref();
                // Keys pick a value of the author's, and do not get into it.
                let [map, first, second] =
                    [self.text(map, Use::Other)?, self.text(first, Use::Other)?, self.text(second, Use::Other)?];
                let mappings = self.mappings;
                let found = mappings.find(&map, &first, &second).ok_or_else(|| {
                    let keys = [&map, &first, &second].map(|key| shown_value(key)).join(", ");
                    format!("Fn::FindInMap: Mappings has no entry for {keys}")
                })?;
                self.copy(found)
            }
            Expression::Substitute { variables, pieces } => {
                let variables: Vec<String> =
                    variables.iter().map(|variable| self.text(variable, used)).collect::<Result<_, _>>()?;
                let mut text = Growing::default();
                for piece in pieces {
                    match piece {
                        Piece::Text(plain) => text.push(plain)?,
                        Piece::Variable(index) => text.push(variables.get(*index).map_or("", String::as_str))?,
                        Piece::Reference(name) => text.push(&self.reference(name, used)?)?,
                    }
                }
                self.take(text)
            }
        }
    }

    fn list(&mut self, list: &List, used: Use) -> Result<Vec<String>, Trouble> {
        match list {
            List::Items(items) => items.iter().map(|item| self.text(item, used)).collect(),
            List::Split { delimiter, text } => {
                let text = self.text(text, used)?;
                text.split(delimiter.as_str()).map(|part| self.copy(part)).collect()
            }
        }
    }

    fn reference(&mut self, name: &str, used: Use) -> Result<String, Trouble> {
        let value = match self.values.find(name) {
            None => return Err(Trouble::Unresolved(shown_name(name))),
            Some(Value::Trusted(value)) => value.to_owned(),
            Some(Value::Given(value)) => {
                if used == Use::Policy {
                    plain::check(value).map_err(|problem| format!("the parameter {} {problem}", shown_name(name)))?;
                }
                value.to_owned()
            }
        };
        self.spend(value.len())?;
        Ok(value)
    }

    fn copy(&mut self, text: &str) -> Result<String, Trouble> {
        self.spend(text.len())?;
        Ok(text.to_owned())
    }

    fn take(&mut self, text: Growing) -> Result<String, Trouble> {
        self.spend(text.0.len())?;
        Ok(text.0)
    }

    /// Pays for a text of so many bytes. An empty one costs, too: there may be many.
    fn spend(&mut self, bytes: usize) -> Result<(), Trouble> {
        self.bytes_left = self.bytes_left.checked_sub(bytes.saturating_add(1)).ok_or_else(|| {
            format!("the template needs more than {} bytes with these parameters", limits::TEMPLATE_WORK_BYTES)
        })?;
        Ok(())
    }
}

/// A text that grows up to its limit.
#[derive(Debug, Default)]
struct Growing(String);

impl Growing {
    fn push(&mut self, text: &str) -> Result<(), Trouble> {
        if self.0.len() + text.len() > limits::TEMPLATE_TEXT_BYTES {
            return Err(Trouble::Problem(format!("a text becomes longer than {} bytes", limits::TEMPLATE_TEXT_BYTES)));
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// The value of a constant expression.
pub(super) fn constant(
    expression: &Expression,
    declared: &super::parameters::Parameters,
    mappings: &Mappings,
) -> Option<Result<String, Trouble>> {
    if !expression.is_constant() {
        return None;
    }
    let none = BTreeMap::new();
    let values = Values::new(super::TemplateKind::Registration, declared, &none, None).ok()?;
    Some(Evaluation::new(values, mappings).text(expression, Use::Other))
}
