//! Asking policies about a request.

use std::collections::BTreeSet;

use super::context::{Context, ContextValue};
use super::document::PolicyDocument;
use super::statement::Effect;

/// What somebody wants to do.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The action with its service prefix, such as `iot:Publish`.
    pub action: &'a str,
    /// The ARN of what is acted upon, or `*` for actions that know no resource.
    pub resource: &'a str,
    /// Where the values of context keys come from.
    pub context: &'a dyn Context,
}

/// The answer of all policies together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows it and none denies it.
    Allowed,
    /// A statement denies it, whatever others allow.
    ExplicitDeny,
    /// No statement allows it.
    ImplicitDeny,
}

impl Decision {
    /// Whether the request may go on.
    #[must_use]
    pub const fn is_allowed(self) -> bool {
        matches!(self, Self::Allowed)
    }
}

/// What one document says about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A statement allows it and none denies it.
    Allows,
    /// A statement denies it.
    Denies,
    /// No statement matches.
    NoMatch,
}

/// What one document says about a request, and which keys it could not look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What it says.
    pub verdict: Verdict,
    /// The keys without value that statements about the action name, as variables or in conditions.
    pub missing_context_values: BTreeSet<String>,
}

/// Decides a request: any matching Deny refuses, else any matching Allow permits, else it is refused. The order of
/// documents and statements does not matter.
#[must_use]
pub fn evaluate<'p>(policies: impl IntoIterator<Item = &'p PolicyDocument>, request: &Request<'_>) -> Decision {
    let mut decision = Decision::ImplicitDeny;
    for statement in policies.into_iter().flat_map(PolicyDocument::statements) {
        // One Allow is enough; what is left to find is a Deny.
        if statement.effect() == Effect::Allow && decision.is_allowed() {
            continue;
        }
        if statement.applies(request) {
            match statement.effect() {
                Effect::Deny => return Decision::ExplicitDeny,
                Effect::Allow => decision = Decision::Allowed,
            }
        }
    }
    decision
}

/// What one document contributes to the decision, for TestAuthorization.
#[must_use]
pub fn explain(document: &PolicyDocument, request: &Request<'_>) -> Explanation {
    let verdict = match evaluate([document], request) {
        Decision::Allowed => Verdict::Allows,
        Decision::ExplicitDeny => Verdict::Denies,
        Decision::ImplicitDeny => Verdict::NoMatch,
    };
    let missing_context_values = document
        .statements()
        .filter(|statement| statement.is_about(request.action))
        .flat_map(|statement| statement.keys())
        .filter(|key| request.context.value(key) == ContextValue::Absent)
        .map(ToString::to_string)
        .collect();
    Explanation { verdict, missing_context_values }
}
