//! AcceptCertificateTransfer: takes over a certificate that another account offers.

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
pub struct AcceptCertificateTransfer;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    certificate_id: CertificateId,
    #[serde(default)]
    set_as_active: bool,
}

impl Operation for AcceptCertificateTransfer {
    const NAME: &'static str = "AcceptCertificateTransfer";
    const METHOD: &'static str = "PATCH";
    const PATH: &'static str = "/accept-certificate-transfer/{certificateId}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::certificate(call.scope, input.certificate_id).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let id = input.certificate_id;
        // In this order: what a rival's acceptance has brought is no registration that stands in the way of the offer.
        let is_registered = call.store().certificate(call.scope, id).await?.is_some();
        let transfer = offered(call, id).await?;
        let end = transfer
            .rule()
            .accept(call.scope.account, input.set_as_active, is_registered && transfer.is_pending)
            .map_err(|refusal| refused(id, refusal))?;
        let offer = call.store().incoming_transfer(call.scope, id).await?;
        let (record, transfer) = offer.ok_or_else(|| refused(id, TransferEndRefusal::Completed))?;

        let mut batch = Batch::new();
        batch.accept_transfer(&record, &transfer, end.status, &call.uuid()?, call.now);
        for account in [transfer.source, transfer.target] {
            let scope = Scope::new(account, call.scope.region);
            batch.announce(Event::Certificate { scope, certificate_id: id });
        }
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
