//! What the operations of CA certificates share: wire forms and answers.

use gatehouse_domain::arn::{Arn, Resource};
use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::scope::Scope;
use serde::{Deserialize, Serialize};

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
    /// Checks what can be checked now and gives the text that is stored.
    pub(super) fn stored(&self) -> Result<String, Error> {
        if let Some(name) = &self.template_name {
            return Err(Error::not_found(format!(
                "provisioning template {name} does not exist in this account and Region"
            )));
        }
        if let Some(body) = &self.template_body
            && !serde_json::from_str::<serde_json::Value>(body).is_ok_and(|value| value.is_object())
        {
            return Err(Error::invalid("registrationConfig.templateBody is not a JSON object"));
        }
        serde_json::to_string(self).map_err(|error| Error::Internal(error.to_string()))
    }

    /// Reads what was stored.
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| Error::Internal(format!("a stored registrationConfig: {error}")))
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
