//! One condition: an operator applied to a key and its operands.
//!
//! Semantics of the IAM user guide, "Condition operators" and "Set operators": operands are alternatives; a negated
//! operator asks for a value that is none of them; a missing key fails a plain operator, satisfies a negated one,
//! satisfies `IfExists` and `ForAllValues`, and fails `ForAnyValue`.

use std::borrow::Cow;

use super::arn_pattern::{ArnPattern, Reading};
use super::context::{Context, ContextValue};
use super::key::Key;
use super::operand::{Network, Number, parse_bool, parse_date};
use super::operator::{Comparison, Operator, Order, Quantifier};
use super::pattern::{InvalidPattern, Match, Pattern, Syntax, clip};
use super::statement::Effect;

/// A compiled condition.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    operator: Operator,
    key: Key,
    operands: Operands,
}

#[derive(Clone, Debug)]
enum Operands {
    Texts(Box<[Pattern]>),
    TextsIgnoringCase(Box<[Pattern]>),
    Arns(Box<[ArnPattern]>),
    Numbers(Order, Box<[Number]>),
    Dates(Order, Box<[i128]>),
    Bools(Box<[bool]>),
    Networks(Box<[Network]>),
    Null(Box<[bool]>),
}

/// Why an operand is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidOperand {
    #[error(transparent)]
    Pattern(#[from] InvalidPattern),
    #[error("\"{text}\" is not {wanted}")]
    Type { text: String, wanted: &'static str },
}

impl Condition {
    /// Compiles the operands for the operator. `variables` says whether the document's version knows variables.
    pub(super) fn compile(
        operator: Operator,
        key: Key,
        operands: &[String],
        variables: bool,
    ) -> Result<Self, InvalidOperand> {
        let plain = Syntax { wildcards: false, variables };
        let like = Syntax { wildcards: true, variables };
        let operands = match operator.comparison {
            Comparison::Text => Operands::Texts(each(operands, |text| Ok(Pattern::parse(text, plain)?))?),
            Comparison::TextLike => Operands::Texts(each(operands, |text| Ok(Pattern::parse(text, like)?))?),
            Comparison::TextIgnoringCase => {
                Operands::TextsIgnoringCase(each(operands, |text| Ok(Pattern::parse(text, plain)?))?)
            }
            // The Arn operators compare part by part (IAM user guide, "ARN condition operators").
            Comparison::Arn => {
                Operands::Arns(each(operands, |text| Ok(ArnPattern::parse(text, like, Reading::Narrow)?))?)
            }
            Comparison::Number(order) => Operands::Numbers(order, typed(operands, Number::parse, "a number")?),
            Comparison::Date(order) => Operands::Dates(
                order,
                typed(operands, parse_date, "a date: 2026-01-31T12:00:00Z or seconds since 1970 are needed")?,
            ),
            Comparison::Bool => Operands::Bools(typed(operands, parse_bool, "true or false")?),
            Comparison::Ip => {
                Operands::Networks(typed(operands, Network::parse, "an IP address or a block like 192.0.2.0/24")?)
            }
            Comparison::Null => Operands::Null(typed(operands, parse_bool, "true or false")?),
        };
        Ok(Self { operator, key, operands })
    }

    /// Whether the condition is met, for a statement with this effect.
    pub(super) fn holds(&self, effect: Effect, context: &dyn Context) -> bool {
        let value = context.value(&self.key);
        let values: &[Cow<'_, str>] = match &value {
            ContextValue::Absent => &[],
            ContextValue::One(value) => std::slice::from_ref(value),
            ContextValue::Many(values) => values,
        };
        if let Operands::Null(wanted) = &self.operands {
            return wanted.contains(&values.is_empty());
        }
        let Operator { quantifier, negated, if_exists, .. } = self.operator;
        if values.is_empty() {
            let satisfied = match quantifier {
                Quantifier::All => true,
                Quantifier::Any => false,
                Quantifier::Single => negated,
            };
            return if_exists || satisfied;
        }
        let mut outcomes = values.iter().map(|value| self.admits(value, effect, context));
        match (quantifier, effect) {
            (Quantifier::All, _) => outcomes.all(|admitted| admitted),
            (Quantifier::Any, _) => outcomes.any(|admitted| admitted),
            // IAM leaves open what an operator without prefix makes of a set: every value must support an Allow, any
            // value is enough for a Deny.
            (Quantifier::Single, Effect::Allow) => outcomes.all(|admitted| admitted),
            (Quantifier::Single, Effect::Deny) => outcomes.any(|admitted| admitted),
        }
    }

    /// Whether one value satisfies the operator. When that cannot be said, a plain operator is not satisfied; a negated
    /// one is not for an Allow but is for a Deny ("deny unless the client id is the thing's name" denies when there is
    /// no thing).
    fn admits(&self, value: &str, effect: Effect, context: &dyn Context) -> bool {
        match (self.operands.compare(value, context), self.operator.negated) {
            (Match::Yes, negated) => !negated,
            (Match::No, negated) => negated,
            (Match::Unknown, negated) => negated && effect == Effect::Deny,
        }
    }

    /// The keys whose values the condition needs. `Null` needs none: it asks whether there is one.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        let texts: &[Pattern] = match &self.operands {
            Operands::Texts(patterns) | Operands::TextsIgnoringCase(patterns) => patterns,
            _ => &[],
        };
        let arns: &[ArnPattern] = match &self.operands {
            Operands::Arns(patterns) => patterns,
            _ => &[],
        };
        let own = (!matches!(self.operands, Operands::Null(_))).then_some(&self.key);
        own.into_iter().chain(texts.iter().flat_map(Pattern::keys)).chain(arns.iter().flat_map(ArnPattern::keys))
    }
}

impl Operands {
    /// Whether a value is one of the operands.
    fn compare(&self, value: &str, context: &dyn Context) -> Match {
        match self {
            Self::Texts(patterns) => Match::any(patterns.iter().map(|pattern| pattern.matches(value, context))),
            Self::TextsIgnoringCase(patterns) => {
                Match::any(patterns.iter().map(|pattern| pattern.equals_ignoring_case(value, context)))
            }
            Self::Arns(patterns) => Match::any(patterns.iter().map(|pattern| pattern.matches(value, context))),
            Self::Numbers(order, numbers) => compare_read(Number::parse(value), numbers, |value, number| {
                value.compare(*number).is_some_and(|ordering| order.admits(ordering))
            }),
            Self::Dates(order, dates) => {
                compare_read(parse_date(value), dates, |value, date| order.admits(value.cmp(date)))
            }
            Self::Bools(bools) => compare_read(parse_bool(value), bools, |value, operand| value == *operand),
            Self::Networks(networks) => {
                compare_read(value.parse().ok(), networks, |address, network| network.contains(address))
            }
            Self::Null(_) => Match::Unknown,
        }
    }
}

/// Compares a value that had to be read; one that cannot be read leaves the outcome open.
fn compare_read<V: Copy, O>(value: Option<V>, operands: &[O], matches: impl Fn(V, &O) -> bool) -> Match {
    value.map_or(Match::Unknown, |value| operands.iter().any(|operand| matches(value, operand)).into())
}

fn each<T>(
    operands: &[String],
    compile: impl Fn(&str) -> Result<T, InvalidOperand>,
) -> Result<Box<[T]>, InvalidOperand> {
    operands.iter().map(|text| compile(text)).collect()
}

fn typed<T>(
    operands: &[String],
    read: impl Fn(&str) -> Option<T>,
    wanted: &'static str,
) -> Result<Box<[T]>, InvalidOperand> {
    each(operands, |text| read(text).ok_or_else(|| InvalidOperand::Type { text: clip(text), wanted }))
}
