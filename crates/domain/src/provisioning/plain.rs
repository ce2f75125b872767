//! What a parameter may say in a policy: itself, and nothing more.
//!
//! The author of a template writes `topic/${SerialNumber}`, and a device says what its serial number is. So a value there
//! has no character that means something to policies (wildcards, variables), to MQTT (the wildcards of topic filters) or
//! to JSON; it is not empty, since `topic/*` would be left of `topic/${SerialNumber}*`; and it is short.

use crate::limits;

/// Characters that mean something to policies, MQTT or JSON.
const MEANINGFUL: [char; 9] = ['*', '?', '$', '{', '}', '"', '\\', '+', '#'];

/// May this value of a parameter stand in a policy?
///
/// # Errors
/// What is wrong with it, without quoting it.
pub(super) fn check(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Err("is empty, which would widen a policy".to_owned());
    }
    if value.chars().nth(limits::TEMPLATE_POLICY_VALUE_CHARACTERS).is_some() {
        let limit = limits::TEMPLATE_POLICY_VALUE_CHARACTERS;
        return Err(format!("has more than {limit} characters, which is too long for a policy"));
    }
    match value.chars().find(|character| MEANINGFUL.contains(character) || character.is_control()) {
        Some(character) => {
            Err(format!("has the character '{}', which values in a policy must not have", character.escape_debug()))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_in_a_policy_says_itself_and_nothing_more() {
        for value in ["a", "sensor-7:eu_1", "a/b", "Müller & Söhne", "a.b,c=d@e", &"x".repeat(128)] {
            assert_eq!(check(value), Ok(()), "{value}");
        }
        for value in [
            "",
            "*",
            "a?",
            "${iot:ClientId}",
            "$aws",
            "a\"b",
            "\\u002a",
            "a\nb",
            "a\0",
            "a\u{85}b",
            "+",
            "devices/#",
            &"x".repeat(129),
            &"x".repeat(64 * 1024),
        ] {
            assert!(check(value).is_err(), "{value:?}");
        }
    }
}
