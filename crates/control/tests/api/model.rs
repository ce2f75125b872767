//! What the model lets an operation answer.

use gatehouse_control::facts::{IOT, OperationFacts};

/// Errors that come before any operation.
const OF_THE_DOOR: [&str; 9] = [
    "AccessDeniedException",
    "IncompleteSignatureException",
    "InternalFailureException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "NotImplementedException",
    "RequestEntityTooLargeException",
    "UnknownOperationException",
    "UnrecognizedClientException",
];

/// Whether the operation at `method` and `path` may answer `error`. Where there is no operation, only the door may.
pub(crate) fn may_answer(method: &str, path: &str, error: &str) -> bool {
    OF_THE_DOOR.contains(&error)
        || operation_at(method, path).is_none_or(|(_, facts)| facts.errors.iter().any(|known| known == error))
}

/// The operation at a path, by a reading of the model that is independent of the door's.
fn operation_at(method: &str, path: &str) -> Option<(&'static str, &'static OperationFacts)> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let fits = |facts: &OperationFacts| {
        let template: Vec<&str> = facts.path.trim_matches('/').split('/').collect();
        facts.method == method
            && template.len() == segments.len()
            && template.iter().zip(&segments).all(|(t, s)| t.starts_with('{') || t == s)
    };
    let labels = |facts: &OperationFacts| facts.path.matches('{').count();
    IOT.operations
        .iter()
        .filter(|(_, facts)| fits(facts))
        .min_by_key(|(_, facts)| labels(facts))
        .map(|(name, facts)| (name.as_str(), facts))
}
