//! CancelCertificateTransfer: withdraws an offer that is still pending; the certificate is INACTIVE again.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::{CertificateId, TransferEndRefusal};
use gatehouse_domain::event::Event;
use gatehouse_store::Batch;
use serde::Deserialize;

use super::transfer::{offering, refused};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct CancelCertificateTransfer;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    certificate_id: CertificateId,
}

impl Operation for CancelCertificateTransfer {
    const NAME: &'static str = "CancelCertificateTransfer";
    const METHOD: &'static str = "PATCH";
    const PATH: &'static str = "/cancel-certificate-transfer/{certificateId}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::certificate(call.scope, input.certificate_id).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let id = input.certificate_id;
        let transfer = offering(call, id).await?;
        transfer.rule().cancel(call.scope.account).map_err(|refusal| refused(id, refusal))?;
        let record = call.store().certificate(call.scope, id).await?;
        let record = record.ok_or_else(|| refused(id, TransferEndRefusal::Completed))?;

        let mut batch = Batch::new();
        batch.cancel_transfer(&record, &transfer, &call.uuid()?, call.now);
        batch.announce(Event::Certificate { scope: call.scope, certificate_id: id });
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
