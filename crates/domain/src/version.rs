//! Versions of what is stored: a change may ask for the version that it was made for.

/// The caller expected another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has version {actual}, and version {expected} was expected: read it again and repeat the change")]
pub struct VersionConflict {
    /// The version it has.
    pub actual: i64,
    /// The version that was expected.
    pub expected: i64,
}

/// Is `actual` the version that the caller expects, if it expects one?
///
/// # Errors
/// [`VersionConflict`] when it is another.
pub fn check_version(actual: i64, expected: Option<i64>) -> Result<(), VersionConflict> {
    match expected {
        Some(expected) if expected != actual => Err(VersionConflict { actual, expected }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_expected_version_must_be_the_right_one() {
        assert_eq!(check_version(2, None), Ok(()));
        assert_eq!(check_version(2, Some(2)), Ok(()));
        for expected in [i64::MIN, -1, 0, 1, 3, i64::MAX] {
            assert_eq!(check_version(2, Some(expected)), Err(VersionConflict { actual: 2, expected }));
        }
    }
}
