//! One statement: compiled from JSON, asked about a request.

use super::arn_pattern::{ArnPattern, Reading};
use super::condition::Condition;
use super::document::{InvalidPolicy, members, optional_text, refuse};
use super::evaluate::Request;
use super::key::Key;
use super::operator::Operator;
use super::pattern::{Match, Syntax, Token, clip, glob, tokenise};
use crate::json::Json;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// A compiled statement.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    effect: Effect,
    actions: Actions,
    resources: Resources,
    conditions: Box<[Condition]>,
}

#[derive(Clone, Debug)]
struct Actions {
    /// NotAction: all but these.
    negated: bool,
    patterns: Box<[Box<[Token]>]>,
}

#[derive(Clone, Debug)]
struct Resources {
    /// NotResource: all but these.
    negated: bool,
    patterns: Box<[ArnPattern]>,
}

impl Statement {
    pub(super) fn parse(json: &Json, place: &str, variables: bool) -> Result<Self, InvalidPolicy> {
        let names = ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"];
        let [sid, effect, action, not_action, resource, not_resource, condition] = members(json, place, names)?;
        optional_text(sid, &format!("{place}.Sid"))?;
        let effect = match effect {
            Some(Json::Text(text)) if text == "Allow" => Effect::Allow,
            Some(Json::Text(text)) if text == "Deny" => Effect::Deny,
            Some(_) => return Err(refuse(&format!("{place}.Effect"), "must be \"Allow\" or \"Deny\"")),
            None => return Err(refuse(place, "Effect is missing")),
        };
        let (negated, actions, at) = one_of(place, ("Action", action), ("NotAction", not_action))?;
        let actions = Actions { negated, patterns: patterns(actions, &at, compile_action)? };
        let (negated, resources, at) = one_of(place, ("Resource", resource), ("NotResource", not_resource))?;
        // Where a match lets something through, the narrow reading; NotResource turns it round.
        let reading = if (effect == Effect::Allow) == negated { Reading::Wide } else { Reading::Narrow };
        let compile = |text: &str| compile_resource(text, variables, reading);
        let resources = Resources { negated, patterns: patterns(resources, &at, compile)? };
        let conditions = condition
            .map(|json| compile_conditions(json, &format!("{place}.Condition"), variables))
            .transpose()?
            .unwrap_or_default();
        Ok(Self { effect, actions, resources, conditions })
    }

    pub(super) const fn effect(&self) -> Effect {
        self.effect
    }

    /// Whether the statement is about the request in all of action, resource and conditions.
    pub(super) fn applies(&self, request: &Request<'_>) -> bool {
        self.is_about(request.action)
            && self.covers(request)
            && self.conditions.iter().all(|condition| condition.holds(self.effect, request.context))
    }

    /// Whether the statement is about this action. Case does not matter (IAM user guide, "Action").
    pub(super) fn is_about(&self, action: &str) -> bool {
        self.actions.negated != self.actions.patterns.iter().any(|pattern| action_matches(pattern, action))
    }

    /// A resource whose variables have no value is not matched. NotResource with such a variable exempts nobody from a
    /// Deny, and allows nothing: what it would exempt is not known.
    fn covers(&self, request: &Request<'_>) -> bool {
        let mut patterns = self.resources.patterns.iter();
        if !self.resources.negated {
            return patterns.any(|pattern| pattern.matches(request.resource, request.context) == Match::Yes);
        }
        match Match::any(patterns.map(|pattern| pattern.matches(request.resource, request.context))) {
            Match::Yes => false,
            Match::No => true,
            Match::Unknown => self.effect == Effect::Deny,
        }
    }

    /// The keys that the statement names in its resources and conditions.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        let resources = self.resources.patterns.iter().flat_map(ArnPattern::keys);
        resources.chain(self.conditions.iter().flat_map(Condition::keys))
    }
}

fn action_matches(pattern: &[Token], action: &str) -> bool {
    glob(pattern, action, |token, rest| match token {
        Token::Literal(literal) => {
            let (head, rest) = rest.split_at_checked(literal.len())?;
            head.eq_ignore_ascii_case(literal).then_some(rest)
        }
        Token::AnyOne => rest.get(1..),
        Token::Variable { .. } | Token::AnyRun => None,
    })
}

/// `*`, or `service:Name` with wildcards in the name.
fn compile_action(text: &str) -> Result<Box<[Token]>, String> {
    let well_formed = text == "*"
        || text.split_once(':').is_some_and(|(service, name)| {
            let service_byte = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            let name_byte = |b: u8| b.is_ascii_alphanumeric() || b == b'*' || b == b'?';
            !service.is_empty() && service.bytes().all(service_byte) && !name.is_empty() && name.bytes().all(name_byte)
        });
    if !well_formed {
        return Err(format!("\"{}\" is not an action: service:Name such as iot:Publish, or *, is needed", clip(text)));
    }
    let syntax = Syntax { wildcards: true, variables: false };
    tokenise(text, syntax).map(Into::into).map_err(|invalid| invalid.to_string())
}

/// `*`, or an ARN with wildcards and variables. Anything else could never match and hides a mistake.
fn compile_resource(text: &str, variables: bool, reading: Reading) -> Result<ArnPattern, String> {
    if text != "*" && !text.starts_with("arn:") {
        return Err(format!("\"{}\" is not a resource: an ARN or * is needed", clip(text)));
    }
    ArnPattern::parse(text, Syntax { wildcards: true, variables }, reading).map_err(|invalid| invalid.to_string())
}

fn compile_conditions(json: &Json, place: &str, variables: bool) -> Result<Box<[Condition]>, InvalidPolicy> {
    let Json::Object(operators) = json else {
        return Err(refuse(place, "must be an object of condition operators"));
    };
    let mut conditions = Vec::new();
    for (name, keys) in operators {
        let place = format!("{place}.{}", clip(name));
        let operator = Operator::parse(name).ok_or_else(|| refuse(&place, "not a condition operator"))?;
        let keys = match keys {
            Json::Object(keys) if !keys.is_empty() => keys,
            _ => return Err(refuse(&place, "must be an object with at least one context key")),
        };
        for (name, operands) in keys {
            let place = format!("{place}.{}", clip(name));
            let key = Key::parse(name).map_err(|invalid| refuse(&place, invalid))?;
            let operands = operand_texts(operands, &place)?;
            let condition = Condition::compile(operator, key, &operands, variables);
            conditions.push(condition.map_err(|invalid| refuse(&place, invalid))?);
        }
    }
    Ok(conditions.into())
}

/// The operands of one key: a text, number or boolean, or a list of these, which may be empty (the guide's idiom for "no
/// connect attribute at all").
fn operand_texts(json: &Json, place: &str) -> Result<Vec<String>, InvalidPolicy> {
    let values = if let Json::List(values) = json { values.as_slice() } else { std::slice::from_ref(json) };
    values
        .iter()
        .map(|value| match value {
            Json::Text(text) | Json::Scalar(text) => Ok(text.clone()),
            _ => Err(refuse(place, "must be a string, number or boolean, or a list of these")),
        })
        .collect()
}

/// The one of an element and its negation that is there, whether it is the negation, and its place.
fn one_of<'j>(
    place: &str,
    (name, plain): (&str, Option<&'j Json>),
    (not_name, negation): (&str, Option<&'j Json>),
) -> Result<(bool, &'j Json, String), InvalidPolicy> {
    match (plain, negation) {
        (Some(json), None) => Ok((false, json, format!("{place}.{name}"))),
        (None, Some(json)) => Ok((true, json, format!("{place}.{not_name}"))),
        (None, None) => Err(refuse(place, format!("{name} or {not_name} is missing"))),
        (Some(_), Some(_)) => Err(refuse(place, format!("{name} and {not_name} exclude each other"))),
    }
}

/// Compiles a string or a list of at least one string.
fn patterns<T>(
    json: &Json,
    place: &str,
    compile: impl Fn(&str) -> Result<T, String>,
) -> Result<Box<[T]>, InvalidPolicy> {
    let values = match json {
        Json::Text(_) => std::slice::from_ref(json),
        Json::List(values) if !values.is_empty() => values.as_slice(),
        _ => return Err(refuse(place, "must be a string or a list of at least one string")),
    };
    values
        .iter()
        .map(|value| match value {
            Json::Text(text) => compile(text).map_err(|problem| refuse(place, problem)),
            _ => Err(refuse(place, "must contain nothing but strings")),
        })
        .collect()
}
