//! UpdateCACertificate: status, auto-registration and provisioning of a CA certificate, each on its own. Device
//! certificates that are registered already keep working, whatever becomes of their CA.

use gatehouse_domain::ca::{AutoRegistration, CaChange, CaSettings, CaStatus, change};
use gatehouse_domain::certificate::CertificateId;
use gatehouse_store::{Batch, CaCertificateRecord};
use serde::Deserialize;

use super::ca_registration::{RegistrationConfig, ca_arn, unknown_ca};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct UpdateCACertificate;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    certificate_id: CertificateId,
    new_status: Option<CaStatus>,
    new_auto_registration_status: Option<AutoRegistration>,
    registration_config: Option<RegistrationConfig>,
    #[serde(default)]
    remove_auto_registration: bool,
}

impl Operation for UpdateCACertificate {
    const NAME: &'static str = "UpdateCACertificate";
    const METHOD: &'static str = "PUT";
    const PATH: &'static str = "/cacertificate/{caCertificateId}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        ca_arn(call.scope, input.certificate_id).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let id = input.certificate_id;
        let record = call.store().ca_certificate(call.scope, id).await?.ok_or_else(|| unknown_ca(id))?;
        let provisioning = match &input.registration_config {
            Some(config) => Some(config.checked(call).await?),
            None => None,
        };

        let current = CaSettings {
            status: record.status,
            auto_registration: record.auto_registration.into(),
            registration_config: record.registration_config.clone(),
        };
        let wanted = CaChange {
            status: input.new_status,
            auto_registration: input.new_auto_registration_status,
            registration_config: provisioning.as_ref().map(|config| config.text.clone()),
            remove_auto_registration: input.remove_auto_registration,
        };
        let settings = change(current.clone(), wanted).map_err(|refusal| Error::invalid(refusal.to_string()))?;
        if settings == current {
            return Ok(Nothing {});
        }

        let changed = CaCertificateRecord {
            status: settings.status,
            auto_registration: settings.auto_registration.is_enabled(),
            registration_config: settings.registration_config,
            customer_version: record.customer_version + 1,
            generation_id: call.uuid()?,
            last_modified_at: call.now,
            ..record.clone()
        };
        let mut batch = Batch::new();
        batch.update_ca_certificate(&record, &changed);
        if let Some(config) = &provisioning {
            config.require(&mut batch);
        }
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
