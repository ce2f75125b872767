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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// One value each, except for the connect attributes, which are a set.
    struct Values(BTreeMap<&'static str, &'static [&'static str]>);

    impl Context for Values {
        fn value(&self, key: &Key) -> ContextValue<'_> {
            match (self.0.get(key.to_string().as_str()), key) {
                (None, _) => ContextValue::Absent,
                (Some(set), Key::ConnectAttributes) => ContextValue::Many(set.iter().map(|v| (*v).into()).collect()),
                (Some(values), _) => values.first().map_or(ContextValue::Absent, |v| ContextValue::One((*v).into())),
            }
        }
    }

    fn values() -> Values {
        Values(BTreeMap::from([
            ("iot:ClientId", &["Sensor-1"][..]),
            ("iot:DomainName", &["sensor-1"][..]),
            ("aws:SourceIp", &["10.1.2.3"][..]),
            ("aws:CurrentTime", &["2026-06-01T00:00:00Z"][..]),
            ("aws:SecureTransport", &["true"][..]),
            ("iot:Connection.Thing.Attributes[level]", &["5"][..]),
            ("iot:Connection.Thing.Attributes[text]", &["five"][..]),
            ("iot:LastWillTopic", &["arn:aws:iot:us-east-1:123456789012:topic/x:topic/will"][..]),
            ("iot:ConnectAttributes", &["PersistentConnect", "LastWill"][..]),
            ("iot:Topic", &[][..]),
        ]))
    }

    fn holds(operator: &str, key: &str, operands: &[&str], effect: Effect) -> bool {
        let operands: Vec<String> = operands.iter().map(|text| (*text).to_owned()).collect();
        let operator = Operator::parse(operator).unwrap();
        Condition::compile(operator, Key::parse(key).unwrap(), &operands, true).unwrap().holds(effect, &values())
    }

    #[test]
    fn operators_compare_one_value() {
        const TEXT: &str = "iot:Connection.Thing.Attributes[text]";
        const LEVEL: &str = "iot:Connection.Thing.Attributes[level]";
        const WILL: &str = "iot:LastWillTopic";
        let cases: [(&str, &str, &[&str], bool); 39] = [
            ("StringEquals", "iot:ClientId", &["x", "Sensor-1"], true),
            ("StringEquals", "iot:ClientId", &["sensor-1"], false),
            ("StringEquals", "iot:ClientId", &["Sensor-*"], false),
            ("StringEquals", "iot:ClientId", &[], false),
            ("StringNotEquals", "iot:ClientId", &["x", "Sensor-1"], false),
            ("StringNotEquals", "iot:ClientId", &["x", "y"], true),
            ("StringNotEquals", "iot:ClientId", &[], true),
            ("StringEqualsIgnoreCase", "iot:ClientId", &["${iot:DomainName}"], true),
            ("StringNotEqualsIgnoreCase", "iot:ClientId", &["SENSOR-1"], false),
            ("StringLike", "iot:ClientId", &["Sensor-?"], true),
            ("StringLike", "iot:ClientId", &["sensor-*"], false),
            ("StringNotLike", "iot:ClientId", &["x*", "Sens*"], false),
            ("NumericEquals", LEVEL, &["4", "5.0"], true),
            ("NumericNotEquals", LEVEL, &["5"], false),
            ("NumericLessThan", LEVEL, &["5"], false),
            ("NumericLessThanEquals", LEVEL, &["5"], true),
            ("NumericGreaterThan", LEVEL, &["-1"], true),
            ("NumericGreaterThanEquals", LEVEL, &["6"], false),
            ("NumericLessThan", TEXT, &["9"], false),
            ("DateLessThan", "aws:CurrentTime", &["2026-12-31"], true),
            ("DateGreaterThan", "aws:CurrentTime", &["2026-12-31T00:00:00Z"], false),
            ("DateGreaterThanEquals", "aws:CurrentTime", &["2026-06-01T00:00Z"], true),
            ("DateLessThanEquals", "aws:CurrentTime", &["1780272000"], true),
            ("DateEquals", "aws:CurrentTime", &["2026-06-01"], true),
            ("DateNotEquals", "aws:CurrentTime", &["2026-06-01"], false),
            ("Bool", "aws:SecureTransport", &["true"], true),
            ("Bool", "aws:SecureTransport", &["FALSE"], false),
            ("IpAddress", "aws:SourceIp", &["192.0.2.0/24", "10.0.0.0/8"], true),
            ("IpAddress", "aws:SourceIp", &["::/0"], false),
            ("NotIpAddress", "aws:SourceIp", &["10.0.0.0/8"], false),
            ("NotIpAddress", "aws:SourceIp", &["192.0.2.0/24"], true),
            ("ArnEquals", WILL, &["arn:aws:iot:us-east-1:123456789012:topic/x:topic/will"], true),
            ("ArnLike", WILL, &["arn:aws:iot:*:*:topic/x*"], true),
            ("ArnEquals", WILL, &["arn:aws:iot:*:*:topic/will"], false),
            ("ArnNotLike", WILL, &["arn:aws:iot:*:*:topic/will"], true),
            ("ArnNotEquals", WILL, &["*"], false),
            ("Null", "iot:ClientId", &["false"], true),
            ("Null", "iot:ClientId", &["true"], false),
            ("Null", "iot:Topic", &["true"], true),
        ];
        for (operator, key, operands, expected) in cases {
            for effect in [Effect::Allow, Effect::Deny] {
                assert_eq!(
                    holds(operator, key, operands, effect),
                    expected,
                    "{operator} {key} {operands:?} {effect:?}"
                );
            }
        }
    }

    #[test]
    fn a_missing_key_fails_plain_operators_and_satisfies_negated_ones() {
        let cases = [
            ("StringEquals", false),
            ("StringLike", false),
            ("StringNotEquals", true),
            ("StringNotLike", true),
            ("ArnNotLike", true),
            ("ArnLike", false),
            ("StringEqualsIfExists", true),
            ("StringNotEqualsIfExists", true),
            ("ForAllValues:StringEquals", true),
            ("ForAllValues:StringNotEquals", true),
            ("ForAnyValue:StringEquals", false),
            ("ForAnyValue:StringNotEquals", false),
            ("ForAnyValue:StringEqualsIfExists", true),
        ];
        for (operator, expected) in cases {
            for effect in [Effect::Allow, Effect::Deny] {
                assert_eq!(holds(operator, "iot:Topic", &["*"], effect), expected, "{operator}");
            }
        }
        assert!(!holds("StringEqualsIfExists", "iot:ClientId", &["x"], Effect::Allow));
    }

    #[test]
    fn set_operators_look_at_every_value() {
        let cases: [(&str, &[&str], bool); 9] = [
            ("ForAllValues:StringEquals", &["PersistentConnect", "LastWill"], true),
            ("ForAllValues:StringEquals", &["LastWill"], false),
            ("ForAllValues:StringEquals", &[], false),
            ("ForAllValues:StringNotEquals", &["LastWill"], false),
            ("ForAllValues:StringNotEquals", &["x"], true),
            ("ForAnyValue:StringEquals", &["LastWill"], true),
            ("ForAnyValue:StringEquals", &["x"], false),
            ("ForAnyValue:StringNotEquals", &["LastWill"], true),
            ("ForAnyValue:StringNotLike", &["*"], false),
        ];
        for (operator, operands, expected) in cases {
            for effect in [Effect::Allow, Effect::Deny] {
                assert_eq!(
                    holds(operator, "iot:ConnectAttributes", operands, effect),
                    expected,
                    "{operator} {operands:?}"
                );
            }
        }
    }

    #[test]
    fn an_operator_without_prefix_takes_the_safe_side_on_a_set() {
        for operator in ["StringEquals", "StringNotEquals"] {
            assert!(!holds(operator, "iot:ConnectAttributes", &["LastWill"], Effect::Allow), "{operator}");
            assert!(holds(operator, "iot:ConnectAttributes", &["LastWill"], Effect::Deny), "{operator}");
        }
    }

    #[test]
    fn what_cannot_be_compared_supports_no_allow_and_no_exemption_from_a_deny() {
        let cases = [
            ("StringNotEquals", "iot:ClientId", "${iot:Connection.Thing.ThingName}", "StringEquals"),
            ("ArnNotLike", "iot:LastWillTopic", "arn:aws:iot:*:*:topic/${iot:Topic}", "ArnLike"),
            ("NumericNotEquals", "iot:Connection.Thing.Attributes[text]", "5", "NumericEquals"),
            ("NotIpAddress", "iot:ClientId", "10.0.0.0/8", "IpAddress"),
        ];
        for (negated, key, operand, plain) in cases {
            assert!(!holds(negated, key, &[operand], Effect::Allow), "{negated}");
            assert!(holds(negated, key, &[operand], Effect::Deny), "{negated}");
            for effect in [Effect::Allow, Effect::Deny] {
                assert!(!holds(plain, key, &[operand], effect), "{plain}");
            }
        }
    }

    #[test]
    fn operands_of_the_wrong_type_are_refused() {
        for (operator, bad) in [
            ("NumericEquals", "x"),
            ("DateLessThan", "soon"),
            ("Bool", "yes"),
            ("IpAddress", "10.0.0.0/33"),
            ("IpAddress", "${aws:SourceIp}"),
            ("Null", "maybe"),
            ("StringEquals", "${"),
            ("ArnLike", "arn:${x}"),
        ] {
            let operator = Operator::parse(operator).unwrap();
            assert!(Condition::compile(operator, Key::ClientId, &[bad.to_owned()], true).is_err(), "{bad}");
        }
    }
}
