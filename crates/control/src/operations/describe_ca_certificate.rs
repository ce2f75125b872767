//! DescribeCACertificate: one CA certificate's record, with how its certificates are provisioned.

use gatehouse_domain::ca::{AutoRegistration, CaStatus};
use gatehouse_domain::certificate::{CertificateId, CertificateMode};
use gatehouse_domain::scope::AccountId;
use serde::{Deserialize, Serialize};

use super::ca_registration::{RegistrationConfig, ca_arn, unknown_ca};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::{EpochSeconds, Validity};

/// The operation.
pub struct DescribeCACertificate;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    certificate_id: CertificateId,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    certificate_description: Description,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_config: Option<RegistrationConfig>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    certificate_arn: String,
    certificate_id: CertificateId,
    status: CaStatus,
    certificate_pem: String,
    owned_by: AccountId,
    creation_date: EpochSeconds,
    auto_registration_status: AutoRegistration,
    last_modified_date: EpochSeconds,
    customer_version: i64,
    generation_id: String,
    validity: Validity,
    certificate_mode: CertificateMode,
}

impl Operation for DescribeCACertificate {
    const NAME: &'static str = "DescribeCACertificate";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/cacertificate/{caCertificateId}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        ca_arn(call.scope, input.certificate_id).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let id = input.certificate_id;
        let record = call.store().ca_certificate(call.scope, id).await?.ok_or_else(|| unknown_ca(id))?;
        let certificate_pem = call.store().ca_certificate_pem(call.scope, id).await?.ok_or_else(|| unknown_ca(id))?;
        let registration_config = record.registration_config.as_deref().map(RegistrationConfig::read).transpose()?;
        Ok(Output {
            certificate_description: Description {
                certificate_arn: ca_arn(call.scope, id).to_string(),
                certificate_id: id,
                status: record.status,
                certificate_pem,
                owned_by: record.scope.account,
                creation_date: EpochSeconds(record.created_at),
                auto_registration_status: record.auto_registration.into(),
                last_modified_date: EpochSeconds(record.last_modified_at),
                customer_version: record.customer_version,
                generation_id: record.generation_id,
                validity: Validity::new(record.not_before, record.not_after),
                certificate_mode: record.mode,
            },
            registration_config,
        })
    }
}
