//! Rules of policies as registered things: their versions and attachments. What a policy says is [`crate::policy`]'s.

use crate::limits;

/// Why a policy does not get another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("maximum number of versions ({})", limits::POLICY_VERSIONS)]
pub struct TooManyVersions;

/// CreatePolicyVersion: may a policy with `versions` versions get another?
///
/// # Errors
/// [`TooManyVersions`] at five.
pub const fn may_add_version(versions: u32) -> Result<(), TooManyVersions> {
    if versions < limits::POLICY_VERSIONS { Ok(()) } else { Err(TooManyVersions) }
}

/// Why a version is not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is in force")]
pub struct IsDefault;

/// DeletePolicyVersion: may `version` go, when `default` is in force?
///
/// # Errors
/// [`IsDefault`] for the version in force.
pub const fn may_delete_version(version: i64, default: i64) -> Result<(), IsDefault> {
    if version == default { Err(IsDefault) } else { Ok(()) }
}

/// Why a policy is not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyDeletionRefusal {
    /// It has versions besides the default.
    OtherVersions,
    /// It is attached.
    Attached,
}

/// DeletePolicy: may a policy with `versions` versions and `attachments` attachments go?
///
/// # Errors
/// The first rule that stands against it, in the order AWS reports them.
pub const fn may_delete(versions: u32, attachments: u32) -> Result<(), PolicyDeletionRefusal> {
    if versions > 1 {
        return Err(PolicyDeletionRefusal::OtherVersions);
    }
    if attachments > 0 {
        return Err(PolicyDeletionRefusal::Attached);
    }
    Ok(())
}

/// Why a policy is not attached to a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("has the maximum number of policies attached ({}): detach one first", limits::POLICIES_PER_CERTIFICATE)]
pub struct TooManyPolicies;

/// AttachPolicy: may a certificate with `attached` policies get another?
///
/// # Errors
/// [`TooManyPolicies`] at ten.
pub const fn may_attach(attached: u32) -> Result<(), TooManyPolicies> {
    if attached < limits::POLICIES_PER_CERTIFICATE { Ok(()) } else { Err(TooManyPolicies) }
}

/// Why a policy is not attached to a thing group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("has the maximum number of policies attached ({}): detach one first", limits::POLICIES_PER_THING_GROUP)]
pub struct TooManyGroupPolicies;

/// AttachPolicy: may a thing group with `attached` policies get another?
///
/// # Errors
/// [`TooManyGroupPolicies`] at ten.
pub const fn may_attach_to_group(attached: u32) -> Result<(), TooManyGroupPolicies> {
    if attached < limits::POLICIES_PER_THING_GROUP { Ok(()) } else { Err(TooManyGroupPolicies) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_have_five_versions_and_certificates_ten_policies() {
        assert_eq!((may_add_version(4), may_add_version(5)), (Ok(()), Err(TooManyVersions)));
        assert_eq!((may_attach(9), may_attach(10)), (Ok(()), Err(TooManyPolicies)));
        assert_eq!((may_attach_to_group(9), may_attach_to_group(10)), (Ok(()), Err(TooManyGroupPolicies)));
    }

    #[test]
    fn what_is_in_force_or_attached_stays() {
        assert_eq!((may_delete_version(1, 2), may_delete_version(2, 2)), (Ok(()), Err(IsDefault)));
        assert_eq!(may_delete(1, 0), Ok(()));
        assert_eq!(may_delete(2, 1), Err(PolicyDeletionRefusal::OtherVersions));
        assert_eq!(may_delete(1, 1), Err(PolicyDeletionRefusal::Attached));
    }
}
