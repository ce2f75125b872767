//! What the operations of provisioning templates share: wire forms, answers, and the role that is passed.

use gatehouse_domain::name::ProvisioningTemplateName;
use gatehouse_domain::provisioning::Template;
use gatehouse_domain::provisioning_template::{self, Hook, TemplateRefusal, TemplateType};
use gatehouse_domain::role_alias::RoleArn;
use gatehouse_store::ProvisioningTemplateRecord;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::door::authorize::authorize;
use crate::error::Error;

/// A pre-provisioning hook.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProvisioningHook {
    payload_version: Option<String>,
    target_arn: String,
}

impl ProvisioningHook {
    /// The hook of a template of this type.
    ///
    /// # Errors
    /// `InvalidRequestException` for what cannot be asked.
    pub(super) fn read(&self, call: &Call, of_type: TemplateType) -> Result<Hook, Error> {
        provisioning_template::hook(call.scope, of_type, self.payload_version.as_deref(), &self.target_arn)
            .map_err(|refusal| invalid(&refusal))
    }
}

impl From<Hook> for ProvisioningHook {
    fn from(hook: Hook) -> Self {
        Self {
            payload_version: Some(hook.payload_version.as_str().to_owned()),
            target_arn: hook.target_arn.as_str().to_owned(),
        }
    }
}

/// The role that a caller lets a template provision with. Whoever does so hands its rights to devices, so the caller's
/// policy must allow `iam:PassRole`.
///
/// # Errors
/// `InvalidRequestException` for what is no role of the account, `AccessDeniedException` for one not to be passed.
pub(super) fn passed_role(call: &Call, arn: &str) -> Result<RoleArn, Error> {
    let role = provisioning_template::role(call.scope, arn).map_err(|refusal| invalid(&refusal))?;
    authorize(call, "iam:PassRole", role.as_str())?;
    Ok(role)
}

/// Refuses a body that is no template of this type.
///
/// # Errors
/// `InvalidRequestException` saying where the fault is.
pub(super) fn check_body(body: &str, of_type: TemplateType) -> Result<(), Error> {
    Template::parse(body, of_type.kind())
        .map(drop)
        .map_err(|refusal| Error::invalid(format!("the provisioning template is refused: {refusal}")))
}

/// The template of the call's scope.
///
/// # Errors
/// `ResourceNotFoundException` when there is none.
pub(super) async fn existing(
    call: &Call,
    name: &ProvisioningTemplateName,
) -> Result<ProvisioningTemplateRecord, Error> {
    call.store().provisioning_template(call.scope, name).await?.ok_or_else(|| unknown_template(name))
}

/// The answer for a template that the scope does not have.
pub(super) fn unknown_template(name: &ProvisioningTemplateName) -> Error {
    Error::not_found(format!("provisioning template {name} does not exist in this account and Region"))
}

/// The answer for a version that a template does not have.
pub(super) fn unknown_version(name: &ProvisioningTemplateName, version: i64) -> Error {
    Error::not_found(format!("provisioning template {name} has no version {version}"))
}

/// `InvalidRequestException`.
pub(super) fn invalid(refusal: &TemplateRefusal) -> Error {
    Error::invalid(refusal.to_string())
}
