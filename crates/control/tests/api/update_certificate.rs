//! UpdateCertificate.

use serde_json::json;

use crate::client::{Api, Ask, Certificate};
use crate::harness::on_both_engines;
use crate::samples::UNKNOWN_ID;

on_both_engines!(
    a_certificate_moves_between_statuses,
    a_revoked_certificate_stays_revoked,
    what_cannot_be_set_is_refused
);

fn update(api: &Api, certificate: &Certificate, status: &str) -> Ask {
    api.put(format!("/certificates/{}?newStatus={status}", certificate.id))
}

async fn a_certificate_moves_between_statuses(api: Api) {
    let certificate = api.certificate().await;
    let mut before = api.describe(&certificate).await;
    for status in ["INACTIVE", "ACTIVE", "REVOKED"] {
        api.clock().advance_ms(1_000);
        assert_eq!(update(&api, &certificate, status).ok().await, json!({}));
        let after = api.describe(&certificate).await;
        assert_eq!(after["status"], status);
        assert_eq!(after["customerVersion"].as_i64(), before["customerVersion"].as_i64().map(|version| version + 1));
        assert_eq!(after["lastModifiedDate"].as_i64(), before["lastModifiedDate"].as_i64().map(|at| at + 1));
        assert_eq!(after["creationDate"], before["creationDate"]);
        assert_ne!(after["generationId"], before["generationId"]);
        // To the status it has: nothing changes.
        api.clock().advance_ms(0);
        update(&api, &certificate, status).ok().await;
        assert_eq!(api.describe(&certificate).await, after);
        before = after;
    }
    api.snapshot("update_certificate");
}

async fn a_revoked_certificate_stays_revoked(api: Api) {
    let certificate = api.certificate().await;
    update(&api, &certificate, "REVOKED").ok().await;
    update(&api, &certificate, "ACTIVE").refused(406, "CertificateStateException").await;
    update(&api, &certificate, "INACTIVE").refused(406, "CertificateStateException").await;
    update(&api, &certificate, "REVOKED").ok().await;
    assert_eq!(api.describe(&certificate).await["status"], "REVOKED");
    api.snapshot("update_certificate_revoked");
}

async fn what_cannot_be_set_is_refused(api: Api) {
    let certificate = api.certificate().await;
    for status in ["PENDING_TRANSFER", "PENDING_ACTIVATION", "REGISTER_INACTIVE", "active", "", "ACTIVE%20"] {
        update(&api, &certificate, status).invalid().await;
    }
    api.put(format!("/certificates/{}", certificate.id)).invalid().await;
    api.put(format!("/certificates/{}", certificate.id)).json(json!({ "newStatus": "REVOKED" })).invalid().await;
    api.put(format!("/certificates/{UNKNOWN_ID}?newStatus=ACTIVE")).refused(404, "ResourceNotFoundException").await;
    api.put("/certificates/abc?newStatus=ACTIVE").invalid().await;
    assert_eq!(api.describe(&certificate).await["status"], "ACTIVE");
    api.snapshot("update_certificate_refused");
}
