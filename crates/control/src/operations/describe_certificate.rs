//! DescribeCertificate: one certificate's record, with the text it was registered with.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::{CertificateId, CertificateMode, CertificateStatus};
use gatehouse_domain::scope::AccountId;
use gatehouse_store::{CertificateRecord, TransferRecord};
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::{EpochSeconds, Validity, unknown_certificate};

/// The operation.
pub struct DescribeCertificate;

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
    certificate_description: CertificateDescription,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CertificateDescription {
    certificate_arn: String,
    certificate_id: CertificateId,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_certificate_id: Option<CertificateId>,
    status: CertificateStatus,
    certificate_pem: String,
    owned_by: AccountId,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_owned_by: Option<AccountId>,
    creation_date: EpochSeconds,
    last_modified_date: EpochSeconds,
    customer_version: i64,
    /// Present and empty when there was no transfer, as AWS answers.
    transfer_data: TransferData,
    generation_id: String,
    validity: Validity,
    certificate_mode: CertificateMode,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct TransferData {
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reject_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer_date: Option<EpochSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accept_date: Option<EpochSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reject_date: Option<EpochSeconds>,
}

impl From<TransferRecord> for TransferData {
    fn from(transfer: TransferRecord) -> Self {
        Self {
            transfer_message: transfer.transfer_message,
            reject_reason: transfer.reject_reason,
            transfer_date: Some(EpochSeconds(transfer.transfer_date)),
            accept_date: transfer.accept_date.map(EpochSeconds),
            reject_date: transfer.reject_date.map(EpochSeconds),
        }
    }
}

impl Operation for DescribeCertificate {
    const NAME: &'static str = "DescribeCertificate";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/certificates/{certificateId}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::certificate(call.scope, input.certificate_id).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let id = input.certificate_id;
        let (record, transfer) = find(call, id).await?;
        let pem = call.store().certificate_pem(record.scope, id).await?.ok_or_else(|| unknown_certificate(id))?;
        Ok(Output {
            certificate_description: CertificateDescription {
                certificate_arn: Arn::certificate(call.scope, id).to_string(),
                certificate_id: id,
                ca_certificate_id: record.ca_certificate_id,
                status: record.status,
                certificate_pem: pem,
                owned_by: record.scope.account,
                previous_owned_by: record.previous_owned_by,
                creation_date: EpochSeconds(record.created_at),
                last_modified_date: EpochSeconds(record.last_modified_at),
                customer_version: record.customer_version,
                transfer_data: transfer.map(TransferData::from).unwrap_or_default(),
                generation_id: record.generation_id,
                validity: Validity::new(record.not_before, record.not_after),
                certificate_mode: record.mode,
            },
        })
    }
}

/// The scope's own record, or the one that another account offers to it.
async fn find(call: &Call, id: CertificateId) -> Result<(CertificateRecord, Option<TransferRecord>), Error> {
    if let Some(record) = call.store().certificate(call.scope, id).await? {
        let transfer = call.store().transfer(call.scope, id).await?;
        return Ok((record, transfer));
    }
    let offer = call.store().incoming_transfer(call.scope, id).await?;
    let (record, transfer) = offer.ok_or_else(|| unknown_certificate(id))?;
    Ok((record, Some(transfer)))
}
