//! RejectCertificateTransfer.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::transfer_certificate::{TARGET, inactive, offer};

on_both_engines!(a_rejected_certificate_goes_back);

async fn a_rejected_certificate_goes_back(api: Api) {
    let target = api.of_account(TARGET).await;
    let certificate = inactive(&api).await;
    let reject = |api: &Api| api.patch(format!("/reject-certificate-transfer/{}", certificate.id));
    reject(&target).refused(404, "ResourceNotFoundException").await;
    offer(&api, &certificate).ok().await;
    reject(&api).refused(404, "ResourceNotFoundException").await;
    reject(&target).json(json!({ "rejectReason": "r".repeat(129) })).invalid().await;
    api.clock().advance_ms(1_000);
    assert_eq!(reject(&target).json(json!({ "rejectReason": "not mine" })).ok().await, json!({}));
    let described = api.get(format!("/certificates/{}", certificate.id)).ok().await["certificateDescription"].clone();
    assert_eq!((&described["status"], &described["ownedBy"]), (&json!("INACTIVE"), &json!("123456789012")));
    let transfer = &described["transferData"];
    assert_eq!((&transfer["rejectReason"], &transfer["rejectDate"]), (&json!("not mine"), &json!(1_800_000_001)));
    assert_eq!(target.get("/certificates").ok().await["certificates"], json!([]));
    reject(&target).refused(410, "TransferAlreadyCompletedException").await;
    // It can be offered again.
    offer(&api, &certificate).ok().await;
    target.patch(format!("/accept-certificate-transfer/{}", certificate.id)).ok().await;
    api.snapshot("reject_certificate_transfer");
}
