//! TransferCertificate: offers a certificate to another account of the Region. It must be switched off and attached to
//! nothing; until the offer is accepted, rejected or cancelled it is PENDING_TRANSFER.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::{CertificateId, Offer, TransferRefusal, begin_transfer};
use gatehouse_domain::event::Event;
use gatehouse_domain::scope::{AccountId, Scope};
use gatehouse_store::Batch;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::unknown_certificate;

/// The operation.
pub struct TransferCertificate;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    certificate_id: CertificateId,
    target_aws_account: AccountId,
    transfer_message: Option<String>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    transferred_certificate_arn: String,
}

impl Operation for TransferCertificate {
    const NAME: &'static str = "TransferCertificate";
    const METHOD: &'static str = "PATCH";
    const PATH: &'static str = "/transfer-certificate/{certificateId}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::certificate(call.scope, input.certificate_id).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let (id, target) = (input.certificate_id, input.target_aws_account);
        let record = call.store().certificate(call.scope, id).await?.ok_or_else(|| unknown_certificate(id))?;
        if target == call.scope.account {
            return Err(Error::invalid("a certificate cannot be transferred to the account that has it"));
        }
        if call.store().account(target).await?.is_none() {
            return Err(Error::invalid(format!("account {target} does not exist")));
        }

        begin_transfer(Offer {
            status: record.status,
            attached_policies: record.policy_count,
            attached_things: record.thing_count,
        })
        .map_err(|refusal| {
            let code = match refusal {
                TransferRefusal::Attached => Code::TransferConflictException,
                _ => Code::CertificateStateException,
            };
            Error::refused(code, format!("certificate {id}: {refusal}"))
        })?;
        let at_target = Scope::new(target, call.scope.region);
        if call.store().incoming_transfer(at_target, id).await?.is_some() {
            return Err(Error::invalid(format!(
                "certificate {id} is offered to account {target} by another account already"
            )));
        }

        let mut batch = Batch::new();
        batch.begin_transfer(&record, target, input.transfer_message.as_deref(), &call.uuid()?, call.now);
        batch.announce(Event::Certificate { scope: call.scope, certificate_id: id });
        call.commit(batch).await?;
        Ok(Output { transferred_certificate_arn: Arn::certificate(at_target, id).to_string() })
    }
}
