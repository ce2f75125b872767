//! RejectCertificateTransfer: declines a certificate that another account offers; it goes back as INACTIVE.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::{CertificateId, TransferEndRefusal};
use gatehouse_domain::event::Event;
use gatehouse_domain::scope::Scope;
use gatehouse_store::Batch;
use serde::Deserialize;

use super::transfer::{offered, refused};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct RejectCertificateTransfer;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    certificate_id: CertificateId,
    reject_reason: Option<String>,
}

impl Operation for RejectCertificateTransfer {
    const NAME: &'static str = "RejectCertificateTransfer";
    const METHOD: &'static str = "PATCH";
    const PATH: &'static str = "/reject-certificate-transfer/{certificateId}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::certificate(call.scope, input.certificate_id).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let id = input.certificate_id;
        let transfer = offered(call, id).await?;
        transfer.rule().reject(call.scope.account).map_err(|refusal| refused(id, refusal))?;
        let offer = call.store().incoming_transfer(call.scope, id).await?;
        let (record, transfer) = offer.ok_or_else(|| refused(id, TransferEndRefusal::Completed))?;

        let mut batch = Batch::new();
        batch.reject_transfer(&record, &transfer, input.reject_reason.as_deref(), &call.uuid()?, call.now);
        let source = Scope::new(transfer.source, call.scope.region);
        batch.announce(Event::Certificate { scope: source, certificate_id: id });
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
