//! What the operations of CA certificates share: wire forms and answers.

use gatehouse_domain::arn::{Arn, Resource};
use gatehouse_domain::ca::{Provisioning, may_provision_by, provisioning};
use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::name::ProvisioningTemplateName;
use gatehouse_domain::scope::Scope;
use gatehouse_store::{Batch, ProvisioningTemplateRecord};
use serde::{Deserialize, Serialize};

use super::provisioning_template::existing;
use crate::call::Call;
use crate::door::authorize::authorize;
use crate::error::Error;

/// How certificates of a CA are provisioned when they turn up.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegistrationConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    template_body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) template_name: Option<String>,
}

impl RegistrationConfig {
    /// Checks it, and what it names: a role must be one that the caller may pass, since devices are provisioned with its
    /// rights; a template must exist.
    ///
    /// # Errors
    /// `InvalidRequestException` for what does not go together or cannot be read, `AccessDeniedException` for a role not to
    /// be passed, `ResourceNotFoundException` for a template that does not exist.
    pub(super) async fn checked(&self, call: &Call) -> Result<CheckedConfig, Error> {
        let (body, role, name) =
            (self.template_body.as_deref(), self.role_arn.as_deref(), self.template_name.as_deref());
        let refused = |text: String| Error::invalid(text);
        let template = match provisioning(call.scope, body, role, name).map_err(|r| refused(r.to_string()))? {
            Provisioning::Nothing => None,
            Provisioning::Body(role) => {
                authorize(call, "iam:PassRole", role.as_str())?;
                None
            }
            Provisioning::Template(name) => {
                let name: ProvisioningTemplateName =
                    name.parse().map_err(|invalid| refused(format!("registrationConfig.templateName: {invalid}")))?;
                let template = existing(call, &name).await?;
                may_provision_by(name.as_str(), template.template_type).map_err(|r| refused(r.to_string()))?;
                Some(template)
            }
        };
        let text = serde_json::to_string(self).map_err(|error| Error::Internal(error.to_string()))?;
        Ok(CheckedConfig { text, template })
    }

    /// Reads what was stored.
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| Error::Internal(format!("a stored registrationConfig: {error}")))
    }
}

/// A registration configuration that may be stored.
pub(super) struct CheckedConfig {
    /// What is stored.
    pub(super) text: String,
    template: Option<ProvisioningTemplateRecord>,
}

impl CheckedConfig {
    /// Makes `batch` conflict when the template that is named is deleted meanwhile.
    pub(super) fn require(&self, batch: &mut Batch) {
        if let Some(template) = &self.template {
            batch.require_provisioning_template(template);
        }
    }
}

/// The ARN of a CA certificate.
pub(super) fn ca_arn(scope: Scope, id: CertificateId) -> Arn {
    Arn { scope, resource: Resource::Other(format!("cacert/{id}")) }
}

/// The answer for a CA certificate that the scope does not have.
pub(super) fn unknown_ca(id: CertificateId) -> Error {
    Error::not_found(format!("CA certificate {id} is not registered in this account and Region"))
}
