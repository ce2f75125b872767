//! The roles that this house knows itself: what each may do, from the configuration. Read and checked at the start.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatehouse_domain::limits;
use gatehouse_domain::policy::{InvalidPolicy, PolicyDocument};
use gatehouse_domain::role_alias::RoleArn;

/// A role.
#[derive(Clone, Debug)]
pub struct Role {
    /// What it may do, as it was written.
    policy: String,
    /// The same, read.
    document: Arc<PolicyDocument>,
    /// The longest life of its credentials, in seconds.
    max_session_secs: u32,
}

/// Why a role cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRole {
    /// Its policy is not one.
    #[error("its policy is refused: {0}")]
    Policy(InvalidPolicy),
    /// No credentials could be that short.
    #[error(
        "its longest session must lie between {} and {} seconds",
        limits::CREDENTIAL_DURATION_MIN_SECS,
        limits::CREDENTIAL_DURATION_MAX_SECS
    )]
    MaxSession,
}

impl Role {
    /// A role that may do what the IAM-style document `policy` says. Without `max_session_secs`, its credentials live as
    /// long as an alias may ask for.
    ///
    /// # Errors
    /// [`InvalidRole`].
    pub fn new(policy: &str, max_session_secs: Option<u32>) -> Result<Self, InvalidRole> {
        let document = Arc::new(PolicyDocument::parse(policy).map_err(InvalidRole::Policy)?);
        let max_session_secs = max_session_secs.unwrap_or(limits::CREDENTIAL_DURATION_MAX_SECS);
        let allowed = limits::CREDENTIAL_DURATION_MIN_SECS..=limits::CREDENTIAL_DURATION_MAX_SECS;
        if !allowed.contains(&max_session_secs) {
            return Err(InvalidRole::MaxSession);
        }
        // Every key carries the policy: without the white space around it.
        Ok(Self { policy: policy.trim().to_owned(), document, max_session_secs })
    }

    /// What it may do.
    pub(crate) const fn document(&self) -> &Arc<PolicyDocument> {
        &self.document
    }

    pub(super) fn policy(&self) -> &str {
        &self.policy
    }

    pub(super) const fn max_session_secs(&self) -> u32 {
        self.max_session_secs
    }
}

/// Every role that is known, by its ARN.
pub type Roles = BTreeMap<RoleArn, Role>;

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}"#;

    #[test]
    fn a_role_is_checked_before_it_is_used() {
        assert_eq!(Role::new(POLICY, None).unwrap().max_session_secs(), 43_200);
        assert_eq!(Role::new(POLICY, Some(900)).unwrap().max_session_secs(), 900);
        assert!(matches!(Role::new("{}", None), Err(InvalidRole::Policy(_))));
        for secs in [0, 899, 43_201] {
            assert_eq!(Role::new(POLICY, Some(secs)).unwrap_err(), InvalidRole::MaxSession, "{secs}");
        }
    }
}
