//! Rules of billing groups: labels for bills, of which a thing has one at most.

use crate::description::described;
use crate::limits;
use crate::version::{VersionConflict, check_version};

/// CreateBillingGroup names a group with other properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a billing group with this name and other properties or tags exists: use UpdateBillingGroup and TagResource to \
     change it"
)]
pub struct NameTaken;

/// CreateBillingGroup of a group that exists: repeating the call that made it changes nothing. `is_tagged` says whether
/// it has the tags that the call asks for.
///
/// # Errors
/// [`NameTaken`] when the existing group is another.
pub fn create_again(existing: Option<&str>, wanted: Option<&str>, is_tagged: bool) -> Result<(), NameTaken> {
    if existing == wanted && is_tagged { Ok(()) } else { Err(NameTaken) }
}

/// The scope has all the billing groups that it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the account has the maximum number of billing groups ({}) in this Region: delete one first",
    limits::BILLING_GROUPS
)]
pub struct TooMany;

/// CreateBillingGroup: may a scope with `count` groups get another?
///
/// # Errors
/// [`TooMany`] at twenty thousand.
pub const fn may_create(count: u32) -> Result<(), TooMany> {
    if count < limits::BILLING_GROUPS { Ok(()) } else { Err(TooMany) }
}

/// UpdateBillingGroup: the description of a group in `version`, which has `current`, after being given another. What is
/// not named stays as it is; an empty description goes.
///
/// # Errors
/// [`VersionConflict`] when another version was expected.
pub fn update(
    current: Option<&str>,
    version: i64,
    given: Option<String>,
    expected_version: Option<i64>,
) -> Result<Option<String>, VersionConflict> {
    check_version(version, expected_version)?;
    Ok(described(current.map(str::to_owned), given))
}

/// DeleteBillingGroup: may a group in `version` be deleted? Its things are in no billing group then.
///
/// # Errors
/// [`VersionConflict`] when another version was expected.
pub fn may_delete(version: i64, expected_version: Option<i64>) -> Result<(), VersionConflict> {
    check_version(version, expected_version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creating_the_same_group_again_changes_nothing() {
        for (existing, wanted, is_tagged, outcome) in [
            (None, None, true, Ok(())),
            (Some("a"), Some("a"), true, Ok(())),
            (Some("a"), Some("a"), false, Err(NameTaken)),
            (Some("a"), None, true, Err(NameTaken)),
            (None, Some("a"), true, Err(NameTaken)),
            (Some("a"), Some("A"), true, Err(NameTaken)),
        ] {
            assert_eq!(create_again(existing, wanted, is_tagged), outcome, "{existing:?} {wanted:?} {is_tagged}");
        }
    }

    #[test]
    fn a_scope_has_twenty_thousand_groups_at_most() {
        assert_eq!((may_create(0), may_create(19_999), may_create(20_000)), (Ok(()), Ok(()), Err(TooMany)));
    }

    #[test]
    fn a_description_changes_when_it_is_named() {
        let some = |text: &str| Some(text.to_owned());
        for (current, given, after) in [
            (None, None, None),
            (Some("a"), None, some("a")),
            (Some("a"), some("b"), some("b")),
            (Some("a"), some(""), None),
            (None, some("b"), some("b")),
        ] {
            assert_eq!(update(current, 3, given.clone(), None), Ok(after), "{current:?} {given:?}");
        }
    }

    #[test]
    fn a_change_meets_the_version_it_expects() {
        let conflict = Err(VersionConflict { actual: 3, expected: 2 });
        assert_eq!(update(None, 3, None, Some(2)), conflict);
        assert_eq!(update(None, 3, None, Some(3)), Ok(None));
        assert_eq!(may_delete(3, Some(2)), conflict.map(|_| ()));
        assert_eq!((may_delete(3, Some(3)), may_delete(3, None)), (Ok(()), Ok(())));
    }
}
