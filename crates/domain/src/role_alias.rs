//! Rules of role aliases: which role a device's credentials may stand for, and how long they live.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::scope::{AccountId, Scope};

/// How long credentials live when nobody says, in seconds.
pub const DURATION_DEFAULT_SECS: u32 = 3_600;

/// Bytes of a role's path with its slashes, and of its name (IAM API reference, CreateRole).
const PATH_BYTES: usize = 512;
const NAME_BYTES: usize = 64;

/// The ARN of a role: `arn:<partition>:iam::<account>:role/<path><name>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleArn {
    text: Arc<str>,
    account: AccountId,
}

/// Not the ARN of a role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the ARN of a role: arn:aws:iam::<account>:role/<name> is needed")]
pub struct InvalidRoleArn;

impl RoleArn {
    /// The ARN as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whose role it is.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }
}

impl FromStr for RoleArn {
    type Err = InvalidRoleArn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", "aws" | "aws-cn" | "aws-us-gov", "iam", "", account, resource] = parts.as_slice() else {
            return Err(InvalidRoleArn);
        };
        let account = account.parse().map_err(|_| InvalidRoleArn)?;
        let path_and_name = resource.strip_prefix("role/").ok_or(InvalidRoleArn)?;
        let (path, name) = path_and_name.rsplit_once('/').unwrap_or(("", path_and_name));
        let is_name = (1..=NAME_BYTES).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b));
        // IAM counts the slashes around a path, and takes any printable character in it.
        let is_path = path.len() + 2 <= PATH_BYTES && path.bytes().all(|b| b.is_ascii_graphic());
        if is_name && is_path { Ok(Self { text: text.into(), account }) } else { Err(InvalidRoleArn) }
    }
}

impl TryFrom<String> for RoleArn {
    type Error = InvalidRoleArn;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RoleArn> for String {
    fn from(arn: RoleArn) -> Self {
        arn.as_str().to_owned()
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an alias may not stand for a role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleAliasRefusal {
    /// Not a role.
    #[error("roleArn: {0}")]
    Arn(#[from] InvalidRoleArn),
    /// A role can be passed within its account only (IAM user guide, "Granting a user permissions to pass a role").
    #[error("roleArn: {0} is a role of another account: use one of this account")]
    OtherAccount(RoleArn),
    /// The duration is out of range.
    #[error(
        "credentialDurationSeconds must lie between {} and {}",
        limits::CREDENTIAL_DURATION_MIN_SECS,
        limits::CREDENTIAL_DURATION_MAX_SECS
    )]
    Duration,
    /// The scope has all it may have.
    #[error(
        "the account has the maximum number of role aliases ({}) in this Region: delete one first",
        limits::ROLE_ALIASES
    )]
    TooMany,
}

/// The role that an alias of `scope` is to stand for.
///
/// # Errors
/// [`RoleAliasRefusal::Arn`] or [`RoleAliasRefusal::OtherAccount`].
pub fn role(scope: Scope, arn: &str) -> Result<RoleArn, RoleAliasRefusal> {
    let role: RoleArn = arn.parse()?;
    if role.account() == scope.account { Ok(role) } else { Err(RoleAliasRefusal::OtherAccount(role)) }
}

/// How long credentials are to live, in seconds.
///
/// # Errors
/// [`RoleAliasRefusal::Duration`].
pub fn duration_secs(wanted: u32) -> Result<u32, RoleAliasRefusal> {
    let allowed = limits::CREDENTIAL_DURATION_MIN_SECS..=limits::CREDENTIAL_DURATION_MAX_SECS;
    if allowed.contains(&wanted) { Ok(wanted) } else { Err(RoleAliasRefusal::Duration) }
}

/// CreateRoleAlias: may a scope with `count` aliases get another?
///
/// # Errors
/// [`RoleAliasRefusal::TooMany`] at a hundred.
pub const fn may_create(count: u32) -> Result<(), RoleAliasRefusal> {
    if count < limits::ROLE_ALIASES { Ok(()) } else { Err(RoleAliasRefusal::TooMany) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_a_role_reads_back_as_it_was_written() {
        for text in [
            "arn:aws:iam::123456789012:role/r",
            "arn:aws-cn:iam::123456789012:role/fleet/eu/reader+=,.@-_9",
            &format!("arn:aws:iam::123456789012:role/{}/{}", "p".repeat(510), "n".repeat(64)),
        ] {
            let arn: RoleArn = text.parse().unwrap();
            assert_eq!((arn.as_str(), arn.account().as_str()), (text, "123456789012"));
        }
    }

    #[test]
    fn what_is_not_the_arn_of_a_role_is_refused() {
        for text in [
            "",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/a/",
            "arn:aws:iam::123456789012:role/a b",
            "arn:aws:iam::123456789012:role/*",
            "arn:aws:iam::123456789012:role/a b/c",
            "arn:aws:iam::123456789012:user/u",
            "arn:aws:iam::12345:role/r",
            "arn:aws:iam:us-east-1:123456789012:role/r",
            "arn:aws:sts::123456789012:role/r",
            "arn:own:iam::123456789012:role/r",
            "arn:aws:iam::123456789012:role/r:x",
            &format!("arn:aws:iam::123456789012:role/{}", "n".repeat(65)),
            &format!("arn:aws:iam::123456789012:role/{}/n", "p".repeat(511)),
        ] {
            assert_eq!(text.parse::<RoleArn>(), Err(InvalidRoleArn), "{text}");
        }
    }

    #[test]
    fn an_alias_stands_for_a_role_of_its_own_account() {
        let scope = Scope::new("123456789012".parse().unwrap(), "us-east-1".parse().unwrap());
        assert!(role(scope, "arn:aws:iam::123456789012:role/r").is_ok());
        let other = "arn:aws:iam::210987654321:role/r";
        assert_eq!(role(scope, other), Err(RoleAliasRefusal::OtherAccount(other.parse().unwrap())));
        assert_eq!(role(scope, "r"), Err(RoleAliasRefusal::Arn(InvalidRoleArn)));
    }

    #[test]
    fn durations_and_numbers_have_bounds() {
        for (secs, is_allowed) in [(0, false), (899, false), (900, true), (43_200, true), (43_201, false)] {
            assert_eq!(duration_secs(secs).is_ok(), is_allowed, "{secs}");
        }
        assert_eq!((may_create(99), may_create(100)), (Ok(()), Err(RoleAliasRefusal::TooMany)));
    }
}
