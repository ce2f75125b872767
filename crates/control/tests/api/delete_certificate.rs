//! DeleteCertificate.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::UNKNOWN_ID;

on_both_engines!(
    a_certificate_that_is_switched_off_is_deleted,
    what_is_in_use_is_not_deleted,
    force_detaches_policies_and_nothing_else,
);

async fn a_certificate_that_is_switched_off_is_deleted(api: Api) {
    for status in ["INACTIVE", "REVOKED"] {
        let certificate = api.certificate().await;
        api.put(format!("/certificates/{}?newStatus={status}", certificate.id)).ok().await;
        assert_eq!(api.delete(format!("/certificates/{}", certificate.id)).ok().await, json!({}));
        let gone = format!("/certificates/{}", certificate.id);
        api.get(&gone).refused(404, "ResourceNotFoundException").await;
        api.delete(&gone).refused(404, "ResourceNotFoundException").await;
    }
    assert_eq!(api.get("/certificates").ok().await["certificates"], json!([]));
    api.delete("/certificates/abc").invalid().await;
    api.delete(format!("/certificates/{}", "g".repeat(64))).invalid().await;
    api.delete(format!("/certificates/0x{}", "a".repeat(62))).invalid().await;
    api.delete(format!("/certificates/{UNKNOWN_ID}?forceDelete=perhaps")).invalid().await;
    api.snapshot("delete_certificate");
}

async fn what_is_in_use_is_not_deleted(api: Api) {
    api.policy("p").await;
    api.thing("t").await;
    let certificate = api.certificate().await;
    api.attach("p", &certificate).await;
    api.attach_to_thing("t", &certificate, false).await;
    let delete = || api.delete(format!("/certificates/{}", certificate.id));
    // The status is judged first, then things, then policies.
    delete().refused(406, "CertificateStateException").await;
    api.put(format!("/certificates/{}?newStatus=INACTIVE", certificate.id)).ok().await;
    delete().refused(409, "DeleteConflictException").await;
    api.delete("/things/t/principals").header("x-amzn-principal", &certificate.arn).ok().await;
    delete().refused(409, "DeleteConflictException").await;
    api.post("/target-policies/p").json(json!({ "target": certificate.arn })).ok().await;
    delete().ok().await;
    api.snapshot("delete_certificate_in_use");
}

async fn force_detaches_policies_and_nothing_else(api: Api) {
    api.policy("p").await;
    api.policy("q").await;
    api.thing("t").await;
    let certificate = api.certificate().await;
    api.attach("p", &certificate).await;
    api.attach("q", &certificate).await;
    api.attach_to_thing("t", &certificate, true).await;
    let force = || api.delete(format!("/certificates/{}?forceDelete=true", certificate.id));
    force().refused(406, "CertificateStateException").await;
    api.put(format!("/certificates/{}?newStatus=REVOKED", certificate.id)).ok().await;
    force().refused(409, "DeleteConflictException").await;
    api.delete("/things/t/principals").header("x-amzn-principal", &certificate.arn).ok().await;
    force().ok().await;
    // Nothing is left of the attachments: the policies can go.
    assert_eq!(api.post("/policy-targets/p").ok().await["targets"], json!([]));
    api.delete("/policies/p").ok().await;
    api.delete("/policies/q").ok().await;
    api.delete("/things/t").ok().await;
    api.snapshot("delete_certificate_force");
}
