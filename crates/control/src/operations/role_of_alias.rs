//! What the operations that give an alias its role share.

use gatehouse_domain::role_alias::{self, RoleArn};

use crate::call::Call;
use crate::door::authorize::authorize;
use crate::error::Error;

/// The role that a caller gives to an alias. Whoever does so hands its rights to devices, so the caller's policy must
/// allow `iam:PassRole`.
///
/// # Errors
/// `InvalidRequestException` for what is no role of the account, `AccessDeniedException` for one not to be passed.
pub(super) fn passed_role(call: &Call, arn: &str) -> Result<RoleArn, Error> {
    let role = role_alias::role(call.scope, arn).map_err(|refusal| Error::invalid(refusal.to_string()))?;
    authorize(call, "iam:PassRole", role.as_str())?;
    Ok(role)
}

/// How long credentials live, in seconds.
///
/// # Errors
/// `InvalidRequestException` when out of range.
pub(super) fn duration_secs(wanted: u32) -> Result<u32, Error> {
    role_alias::duration_secs(wanted).map_err(|refusal| Error::invalid(refusal.to_string()))
}
