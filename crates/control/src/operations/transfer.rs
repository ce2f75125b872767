//! What the transfer operations share: finding the offer, and the words for the rules that stand against ending it.

use gatehouse_domain::certificate::{CertificateId, TransferEndRefusal};
use gatehouse_store::TransferRecord;

use crate::call::Call;
use crate::error::{Code, Error};

/// The newest transfer of `id` that concerns the caller's account, pending or over.
pub(super) async fn newest(call: &Call, id: CertificateId) -> Result<TransferRecord, Error> {
    let transfer = call.store().last_transfer(call.scope, id).await?;
    transfer.ok_or_else(|| refused(id, TransferEndRefusal::NotConcerned))
}

/// The answer for a transfer that is not to be ended so.
pub(super) fn refused(id: CertificateId, refusal: TransferEndRefusal) -> Error {
    let text = format!("certificate {id}: {refusal}");
    match refusal {
        TransferEndRefusal::NotConcerned => Error::not_found(text),
        TransferEndRefusal::Completed => Error::refused(Code::TransferAlreadyCompletedException, text),
        TransferEndRefusal::AlreadyRegistered => Error::invalid(text),
    }
}
