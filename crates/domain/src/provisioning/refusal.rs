//! Why a body is no template, and why a template yields no plan.

use crate::clip::clip;

/// Why a body is no template: where, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct InvalidTemplate {
    place: String,
    problem: String,
}

/// A refusal of what stands at `place`.
pub(super) fn refuse(place: &str, problem: impl Into<String>) -> InvalidTemplate {
    InvalidTemplate { place: place.to_owned(), problem: problem.into() }
}

/// Why a template yields no plan for these parameters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanRefusal {
    /// A parameter that the template refers to was not given and has no default. (The words are AWS's.)
    #[error("Cannot resolve reference value: {0}")]
    Unresolved(String),
    /// A parameter that was given is longer than parameters may be.
    #[error("the parameter {name} is refused: {problem}")]
    Parameter {
        /// Its name, as far as it is shown.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The subject of a certificate lacks what a declared parameter stands for.
    #[error(
        "the subject of the certificate has no attribute for the parameter {0}, which the template declares without a Default"
    )]
    NotInSubject(String),
    /// What a part of the template comes to is not acceptable there.
    #[error("{place}: {problem}")]
    Value {
        /// The part of the template, such as `Resources.thing.Properties.ThingName`.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// A name of the template's as messages and places show it.
pub(super) fn shown_name(name: &str) -> String {
    clip(name, 64)
}

/// The first few characters of a value, as messages show it: values are the callers', and may be secret or hostile.
pub(super) fn shown_value(value: &str) -> String {
    format!("\"{}\"", clip(value, 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_shown_of_values_and_nothing_raw() {
        assert_eq!(shown_value(&"x".repeat(100_000)), format!("\"{}…\"", "x".repeat(16)));
        assert_eq!(shown_value("a\nb\"\u{7f}"), r#""a\nb\"\u{7f}""#);
        assert_eq!(shown_name(&"n".repeat(65)), format!("{}…", "n".repeat(64)));
    }
}
