//! The names of condition operators: an optional set prefix, the operator, an optional `IfExists`.

use std::cmp::Ordering;

/// How an operator treats a key with several values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantifier {
    /// No prefix: made for keys with one value.
    Single,
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

/// What an operator compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// Texts, in their case.
    Text,
    /// Texts, in any case.
    TextIgnoringCase,
    /// Texts with wildcards.
    TextLike,
    /// ARNs, part by part, with wildcards.
    Arn,
    /// Numbers.
    Number(Order),
    /// Points in time.
    Date(Order),
    /// Truth values.
    Bool,
    /// An address with networks.
    Ip,
    /// Whether the key is there at all.
    Null,
}

/// How two ordered values must stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    /// Whether a value that compares to the operand in this way satisfies it.
    pub(super) const fn admits(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// A condition operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) quantifier: Quantifier,
    pub(super) comparison: Comparison,
    /// The operator asks for values that equal none of the operands.
    pub(super) negated: bool,
    /// A missing key satisfies the operator.
    pub(super) if_exists: bool,
}

/// Operator names with what they compare and whether they negate it (IAM user guide, "Condition operators").
const OPERATORS: [(&str, Comparison, bool); 26] = [
    ("StringEquals", Comparison::Text, false),
    ("StringNotEquals", Comparison::Text, true),
    ("StringEqualsIgnoreCase", Comparison::TextIgnoringCase, false),
    ("StringNotEqualsIgnoreCase", Comparison::TextIgnoringCase, true),
    ("StringLike", Comparison::TextLike, false),
    ("StringNotLike", Comparison::TextLike, true),
    ("NumericEquals", Comparison::Number(Order::Equal), false),
    ("NumericNotEquals", Comparison::Number(Order::Equal), true),
    ("NumericLessThan", Comparison::Number(Order::Less), false),
    ("NumericLessThanEquals", Comparison::Number(Order::LessOrEqual), false),
    ("NumericGreaterThan", Comparison::Number(Order::Greater), false),
    ("NumericGreaterThanEquals", Comparison::Number(Order::GreaterOrEqual), false),
    ("DateEquals", Comparison::Date(Order::Equal), false),
    ("DateNotEquals", Comparison::Date(Order::Equal), true),
    ("DateLessThan", Comparison::Date(Order::Less), false),
    ("DateLessThanEquals", Comparison::Date(Order::LessOrEqual), false),
    ("DateGreaterThan", Comparison::Date(Order::Greater), false),
    ("DateGreaterThanEquals", Comparison::Date(Order::GreaterOrEqual), false),
    ("Bool", Comparison::Bool, false),
    ("IpAddress", Comparison::Ip, false),
    ("NotIpAddress", Comparison::Ip, true),
    ("ArnEquals", Comparison::Arn, false),
    ("ArnLike", Comparison::Arn, false),
    ("ArnNotEquals", Comparison::Arn, true),
    ("ArnNotLike", Comparison::Arn, true),
    ("Null", Comparison::Null, false),
];

impl Operator {
    /// Reads a name such as `ForAllValues:StringLikeIfExists`. `Null` takes neither prefix nor `IfExists`.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (quantifier, rest) = if let Some(rest) = name.strip_prefix("ForAllValues:") {
            (Quantifier::All, rest)
        } else if let Some(rest) = name.strip_prefix("ForAnyValue:") {
            (Quantifier::Any, rest)
        } else {
            (Quantifier::Single, name)
        };
        let (rest, if_exists) = match rest.strip_suffix("IfExists") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (_, comparison, negated) = OPERATORS.into_iter().find(|(known, ..)| *known == rest)?;
        let operator = Self { quantifier, comparison, negated, if_exists };
        let bare = quantifier == Quantifier::Single && !if_exists;
        (comparison != Comparison::Null || bare).then_some(operator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_known_with_prefix_and_suffix() {
        for (name, comparison, negated) in OPERATORS {
            let operator = Operator { quantifier: Quantifier::Single, comparison, negated, if_exists: false };
            assert_eq!(Operator::parse(name), Some(operator));
            let quantified = Operator { quantifier: Quantifier::Any, if_exists: true, ..operator };
            let parsed = Operator::parse(&format!("ForAnyValue:{name}IfExists"));
            assert_eq!(parsed, (comparison != Comparison::Null).then_some(quantified), "{name}");
        }
    }

    #[test]
    fn unknown_operators_are_refused() {
        for bad in [
            "",
            "stringequals",
            "StringEqual",
            "IfExists",
            "ForAllValues:",
            "ForAllValues:ForAnyValue:StringLike",
            "ForSomeValues:StringLike",
            "StringLikeIfExistsIfExists",
            "NullIfExists",
            "ForAllValues:Null",
            "BinaryEquals",
        ] {
            assert_eq!(Operator::parse(bad), None, "{bad}");
        }
    }
}
