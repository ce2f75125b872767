//! UpdateCertificate: moves a certificate between ACTIVE, INACTIVE and REVOKED. Leaving ACTIVE cuts its live
//! connections, because the gateways hear of it in the same commit.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::{CertificateId, CertificateStatus, StatusChange, StatusRefusal, change_status};
use gatehouse_domain::event::Event;
use gatehouse_store::Batch;
use serde::Deserialize;

use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::{Nothing, unknown_certificate};

/// The operation.
pub struct UpdateCertificate;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    certificate_id: CertificateId,
    new_status: CertificateStatus,
}

impl Operation for UpdateCertificate {
    const NAME: &'static str = "UpdateCertificate";
    const METHOD: &'static str = "PUT";
    const PATH: &'static str = "/certificates/{certificateId}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::certificate(call.scope, input.certificate_id).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let id = input.certificate_id;
        let record = call.store().certificate(call.scope, id).await?.ok_or_else(|| unknown_certificate(id))?;

        let status = match change_status(record.status, input.new_status) {
            Ok(StatusChange::Unchanged) => return Ok(Nothing {}),
            Ok(StatusChange::To(status)) => status,
            Err(refusal @ StatusRefusal::NotSettable(_)) => return Err(Error::invalid(refusal.to_string())),
            Err(refusal @ (StatusRefusal::Revoked | StatusRefusal::PendingTransfer)) => {
                return Err(Error::refused(Code::CertificateStateException, refusal.to_string()));
            }
        };

        let mut batch = Batch::new();
        batch.set_certificate_status(&record, status, &call.uuid()?, call.now);
        batch.announce(Event::Certificate { scope: call.scope, certificate_id: id });
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
