//! DeleteCertificate: removes a record that is switched off and attached to nothing; `forceDelete` detaches policies.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::{CertificateId, Deletion, DeletionRefusal, may_delete};
use gatehouse_domain::event::Event;
use gatehouse_store::Batch;
use serde::Deserialize;

use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::{Nothing, unknown_certificate};

/// The operation.
pub struct DeleteCertificate;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    certificate_id: CertificateId,
    #[serde(default)]
    force_delete: bool,
}

impl Operation for DeleteCertificate {
    const NAME: &'static str = "DeleteCertificate";
    const METHOD: &'static str = "DELETE";
    const PATH: &'static str = "/certificates/{certificateId}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::certificate(call.scope, input.certificate_id).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let id = input.certificate_id;
        let record = call.store().certificate(call.scope, id).await?.ok_or_else(|| unknown_certificate(id))?;

        let arn = Arn::certificate(call.scope, id);
        may_delete(Deletion {
            status: record.status,
            attached_things: record.thing_count,
            attached_policies: record.policy_count,
            force: input.force_delete,
        })
        .map_err(|refusal| match refusal {
            DeletionRefusal::Active => Error::refused(
                Code::CertificateStateException,
                format!("Certificate must be deactivated (not ACTIVE) before deletion. Id: {id}"),
            ),
            DeletionRefusal::PendingTransfer => Error::refused(
                Code::CertificateStateException,
                format!("certificate {id} is PENDING_TRANSFER: cancel the transfer before deletion"),
            ),
            DeletionRefusal::ThingsAttached => Error::refused(
                Code::DeleteConflictException,
                format!("Things must be detached before deletion (arn: {arn})"),
            ),
            DeletionRefusal::PoliciesAttached => Error::refused(
                Code::DeleteConflictException,
                format!("Certificate policies must be detached before deletion (arn: {arn})"),
            ),
        })?;

        let mut batch = Batch::new();
        batch.delete_certificate(&record, input.force_delete);
        batch.announce(Event::Certificate { scope: call.scope, certificate_id: id });
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
