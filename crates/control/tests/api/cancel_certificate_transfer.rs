//! CancelCertificateTransfer.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::transfer_certificate::{TARGET, inactive, offer};

on_both_engines!(a_cancelled_offer_is_over);

async fn a_cancelled_offer_is_over(api: Api) {
    let target = api.of_account(TARGET).await;
    let certificate = inactive(&api).await;
    let cancel = |api: &Api| api.patch(format!("/cancel-certificate-transfer/{}", certificate.id));
    cancel(&api).refused(404, "ResourceNotFoundException").await;
    offer(&api, &certificate).ok().await;
    cancel(&target).refused(404, "ResourceNotFoundException").await;
    assert_eq!(cancel(&api).ok().await, json!({}));
    assert_eq!(api.describe(&certificate).await["status"], "INACTIVE");
    cancel(&api).refused(410, "TransferAlreadyCompletedException").await;
    let accept = target.patch(format!("/accept-certificate-transfer/{}", certificate.id));
    accept.refused(410, "TransferAlreadyCompletedException").await;
    assert_eq!(target.get("/certificates").ok().await["certificates"], json!([]));
    assert_eq!(api.get("/certificates-out-going").ok().await["outgoingCertificates"], json!([]));
    // It is its owner's again in all respects.
    api.put(format!("/certificates/{}?newStatus=ACTIVE", certificate.id)).ok().await;
    api.snapshot("cancel_certificate_transfer");
}
