//! RegisterCertificateWithoutCA.

use gatehouse_domain::time::Timestamp;
use gatehouse_pki::certificate::Certificate;
use serde_json::{Value, json};

use crate::client::{Api, Ask};
use crate::harness::on_both_engines;
use crate::samples::{BAD_CERTIFICATES, CERTIFICATE, CERTIFICATE_RSA, CERTIFICATE_V1, CSR};

on_both_engines!(
    a_certificate_is_registered_once,
    a_certificate_of_any_kind_is_registered_in_each_status,
    certificates_that_cannot_be_trusted_are_refused,
    what_is_registered_is_valid_at_the_time,
    a_deleted_certificate_can_be_registered_again,
);

fn register(api: &Api, pem: &str, status: Value) -> Ask {
    api.post("/certificate/register-no-ca").json(json!({ "certificatePem": pem, "status": status }))
}

async fn a_certificate_is_registered_once(api: Api) {
    let registered = register(&api, CERTIFICATE, json!("ACTIVE")).ok().await;
    let id = Certificate::from_pem(CERTIFICATE).unwrap().id().to_string();
    assert_eq!(registered, json!({ "certificateId": id, "certificateArn": api.arn(&format!("cert/{id}")) }));
    // Whatever surrounds it, and whatever status is asked for.
    for pem in [CERTIFICATE.to_owned(), format!("x\n{}\n", CERTIFICATE.replace('\n', "\r\n"))] {
        let refused = register(&api, &pem, json!("REVOKED")).refused(409, "ResourceAlreadyExistsException").await;
        assert_eq!(refused["message"], "The certificate is already provisioned or registered");
        assert_eq!(refused["resourceId"], registered["certificateId"]);
        assert_eq!(refused["resourceArn"], registered["certificateArn"]);
    }
    // Nor one that this house issued.
    let issued = api.post("/certificates").json(json!({ "certificateSigningRequest": CSR })).quietly().ok().await;
    let pem = issued["certificatePem"].as_str().unwrap();
    register(&api, pem, json!("ACTIVE")).refused(409, "ResourceAlreadyExistsException").await;
    api.snapshot("register_certificate_without_ca");
}

async fn a_certificate_of_any_kind_is_registered_in_each_status(api: Api) {
    let cases = [
        (CERTIFICATE, json!("ACTIVE"), "ACTIVE"),
        (CERTIFICATE_RSA, json!("REVOKED"), "REVOKED"),
        (CERTIFICATE_V1, Value::Null, "INACTIVE"),
    ];
    for (pem, status, expected) in cases {
        let registered = register(&api, pem, status).ok().await;
        let id = registered["certificateId"].as_str().unwrap();
        let described = api.get(format!("/certificates/{id}")).quietly().ok().await["certificateDescription"].clone();
        assert_eq!(described["status"], expected);
        assert_eq!(described["certificateMode"], "SNI_ONLY");
        assert_eq!(described["customerVersion"], 1);
    }
    api.snapshot("register_certificate_without_ca_statuses");
}

async fn certificates_that_cannot_be_trusted_are_refused(api: Api) {
    for (why, pem) in BAD_CERTIFICATES {
        let refused = register(&api, pem, json!("ACTIVE")).refused(400, "CertificateValidationException").await;
        assert!(refused["message"].as_str().unwrap().starts_with("the certificate is refused: "), "{why}");
    }
    let cut = &CERTIFICATE[..CERTIFICATE.len() / 2];
    for pem in ["x", CSR, cut, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        register(&api, pem, json!("ACTIVE")).refused(400, "CertificateValidationException").await;
    }
    let refused =
        register(&api, CERTIFICATE, json!("PENDING_ACTIVATION")).refused(406, "CertificateStateException").await;
    assert_eq!(refused["message"], "Not allowed to register certificate with PENDING_ACTIVATION status");
    register(&api, CERTIFICATE, json!("PENDING_TRANSFER")).refused(406, "CertificateStateException").await;
    register(&api, CERTIFICATE, json!("REGISTER_INACTIVE")).refused(406, "CertificateStateException").await;
    register(&api, CERTIFICATE, json!("active")).invalid().await;
    register(&api, "", json!("ACTIVE")).invalid().await;
    register(&api, &"x".repeat(65_537), json!("ACTIVE")).invalid().await;
    api.post("/certificate/register-no-ca").json(json!({})).invalid().await;
    assert_eq!(api.get("/certificates").quietly().ok().await["certificates"], json!([]));
    api.snapshot("register_certificate_without_ca_refused");
}

async fn what_is_registered_is_valid_at_the_time(api: Api) {
    let certificate = Certificate::from_pem(CERTIFICATE).unwrap();
    let refused_at = |now: Timestamp| {
        api.clock().set(now);
        register(&api, CERTIFICATE, json!("ACTIVE")).quietly().refused(400, "CertificateValidationException")
    };
    refused_at(certificate.not_before().plus_millis(-1)).await;
    refused_at(certificate.not_after().plus_millis(1_000)).await;
    // The last second is valid to its end.
    api.clock().set(certificate.not_after().plus_millis(999));
    register(&api, CERTIFICATE, json!("ACTIVE")).quietly().ok().await;
}

async fn a_deleted_certificate_can_be_registered_again(api: Api) {
    let mut generations = Vec::new();
    for _ in 0..2 {
        let registered = register(&api, CERTIFICATE, json!("INACTIVE")).ok().await;
        let path = format!("/certificates/{}", registered["certificateId"].as_str().unwrap());
        let described = api.get(&path).quietly().ok().await["certificateDescription"].clone();
        assert_eq!(described["customerVersion"], 1);
        generations.push(described["generationId"].clone());
        api.delete(&path).ok().await;
    }
    assert_ne!(generations[0], generations[1]);
}
