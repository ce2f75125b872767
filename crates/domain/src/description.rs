//! Descriptions of thing types, thing groups and billing groups.

/// The description of what had `current` after being `given` another: what is not named stays as it is, and an empty
/// description is none.
#[must_use]
pub fn described(current: Option<String>, given: Option<String>) -> Option<String> {
    match given {
        Some(given) => Some(given).filter(|text| !text.is_empty()),
        None => current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_changes_when_it_is_named() {
        let some = |text: &str| Some(text.to_owned());
        for (current, given, after) in [
            (None, None, None),
            (None, some(""), None),
            (None, some(" "), some(" ")),
            (None, some("b"), some("b")),
            (some("a"), None, some("a")),
            (some("a"), some("b"), some("b")),
            (some("a"), some(""), None),
        ] {
            assert_eq!(described(current.clone(), given.clone()), after, "{current:?} {given:?}");
        }
    }
}
