//! What the transfer operations share: finding the offer, and the words for the rules that stand against ending it.

use gatehouse_domain::certificate::{CertificateId, TransferEndRefusal};
use gatehouse_store::TransferRecord;

use crate::call::Call;
use crate::error::{Code, Error};

/// The transfer of `id` that the caller, as its target, accepts or rejects.
pub(super) async fn offered(call: &Call, id: CertificateId) -> Result<TransferRecord, Error> {
    match call.store().incoming_transfer(call.scope, id).await? {
        Some((_, transfer)) => Ok(transfer),
        None => newest(call, id).await,
    }
}

/// The transfer of `id` that the caller, as its source, cancels.
pub(super) async fn offering(call: &Call, id: CertificateId) -> Result<TransferRecord, Error> {
    // Two accounts that both have a certificate may offer it to each other at the same time.
    match call.store().transfer(call.scope, id).await? {
        Some(transfer) if transfer.is_pending => Ok(transfer),
        _ => newest(call, id).await,
    }
}

/// The newest transfer of `id` that concerns the caller's account: tells one that is over from one that never was.
async fn newest(call: &Call, id: CertificateId) -> Result<TransferRecord, Error> {
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
