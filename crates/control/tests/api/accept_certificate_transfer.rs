//! AcceptCertificateTransfer.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::UNKNOWN_ID;
use crate::transfer_certificate::{TARGET, inactive, offer};

on_both_engines!(an_accepted_certificate_is_the_targets, only_the_target_accepts_and_once);

async fn an_accepted_certificate_is_the_targets(api: Api) {
    let target = api.of_account(TARGET).await;
    for (query, status) in [("", "INACTIVE"), ("?setAsActive=true", "ACTIVE")] {
        let certificate = inactive(&api).await;
        offer(&api, &certificate).ok().await;
        api.clock().advance_ms(1_000);
        let accept = format!("/accept-certificate-transfer/{}{query}", certificate.id);
        assert_eq!(target.patch(accept).ok().await, json!({}));
        let path = format!("/certificates/{}", certificate.id);
        let described = target.get(&path).ok().await["certificateDescription"].clone();
        assert_eq!(described["status"], status);
        assert_eq!((&described["ownedBy"], &described["previousOwnedBy"]), (&json!(TARGET), &json!("123456789012")));
        assert_eq!(described["certificateArn"], target.arn(&format!("cert/{}", certificate.id)));
        assert!(described["transferData"]["acceptDate"].is_number());
        // The source has it no more, and cannot take it back.
        api.get(&path).refused(404, "ResourceNotFoundException").await;
        let cancel = api.patch(format!("/cancel-certificate-transfer/{}", certificate.id));
        cancel.refused(410, "TransferAlreadyCompletedException").await;
    }
    assert_eq!(api.get("/certificates").quietly().ok().await["certificates"], json!([]));
    api.snapshot("accept_certificate_transfer");
}

async fn only_the_target_accepts_and_once(api: Api) {
    let target = api.of_account(TARGET).await;
    let stranger = api.of_account("111111111111").await;
    let certificate = inactive(&api).await;
    let accept = |api: &Api| api.patch(format!("/accept-certificate-transfer/{}", certificate.id));
    accept(&target).refused(404, "ResourceNotFoundException").await;
    target.patch(format!("/accept-certificate-transfer/{UNKNOWN_ID}")).refused(404, "ResourceNotFoundException").await;
    offer(&api, &certificate).ok().await;
    accept(&stranger).refused(404, "ResourceNotFoundException").await;
    accept(&api).refused(404, "ResourceNotFoundException").await;
    accept(&target.in_region("eu-west-1")).refused(404, "ResourceNotFoundException").await;
    target.patch(format!("/accept-certificate-transfer/{}?setAsActive=maybe", certificate.id)).invalid().await;
    accept(&target).ok().await;
    accept(&target).refused(410, "TransferAlreadyCompletedException").await;
    target
        .patch(format!("/reject-certificate-transfer/{}", certificate.id))
        .refused(410, "TransferAlreadyCompletedException")
        .await;
    api.snapshot("accept_certificate_transfer_refused");
}
