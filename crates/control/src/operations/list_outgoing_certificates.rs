//! ListOutgoingCertificates: what the account offers to others and nobody has answered yet.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::scope::{AccountId, Scope};
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{CertificateCursor, PageRequest};
use crate::wire::EpochSeconds;

/// The operation.
pub struct ListOutgoingCertificates;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    page_size: Option<u32>,
    marker: Option<String>,
    #[serde(default)]
    ascending_order: bool,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    outgoing_certificates: Vec<OutgoingCertificate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OutgoingCertificate {
    certificate_arn: String,
    certificate_id: CertificateId,
    transferred_to: AccountId,
    transfer_date: EpochSeconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer_message: Option<String>,
    creation_date: EpochSeconds,
}

impl Operation for ListOutgoingCertificates {
    const NAME: &'static str = "ListOutgoingCertificates";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/certificates-out-going";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let request = PageRequest::new(&input.marker, input.page_size, input.ascending_order);
        let (offers, next_marker) = call
            .pager()
            .page(
                request,
                |page| call.store().outgoing_transfers(call.scope, page),
                |(record, transfer)| -> CertificateCursor { (transfer.transfer_date, record.certificate_id) },
            )
            .await?;
        let outgoing_certificates = offers
            .into_iter()
            .map(|(record, transfer)| OutgoingCertificate {
                // The ARN names the account the certificate is offered to, as AWS's examples show.
                certificate_arn: Arn::certificate(Scope::new(transfer.target, call.scope.region), record.certificate_id)
                    .to_string(),
                certificate_id: record.certificate_id,
                transferred_to: transfer.target,
                transfer_date: EpochSeconds(transfer.transfer_date),
                transfer_message: transfer.transfer_message,
                creation_date: EpochSeconds(record.created_at),
            })
            .collect();
        Ok(Output { outgoing_certificates, next_marker })
    }
}
