//! CreateCertificateFromCsr.

use gatehouse_pki::certificate::Certificate;
use gatehouse_pki::csr::VerifiedCsr;
use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::{BAD_CSRS, CERTIFICATE, CSR, CSR_P384, CSR_P521, CSR_RSA2048};

on_both_engines!(
    a_request_makes_a_certificate_each_time,
    every_kind_of_key_that_aws_takes_is_taken,
    bad_requests_are_refused,
);

async fn a_request_makes_a_certificate_each_time(api: Api) {
    let create =
        |query: &str| api.post(format!("/certificates{query}")).json(json!({ "certificateSigningRequest": CSR }));
    let first = create("").ok().await;
    let second = create("?setAsActive=true").ok().await;
    assert_ne!(first["certificateId"], second["certificateId"]);
    let mut statuses = Vec::new();
    for made in [&first, &second] {
        let id = made["certificateId"].as_str().unwrap();
        assert_eq!(made["certificateArn"], api.arn(&format!("cert/{id}")));
        let pem = made["certificatePem"].as_str().unwrap();
        assert_eq!(Certificate::from_pem(pem).unwrap().id().to_string(), id);
        assert!(pem.ends_with("-----END CERTIFICATE-----\n"));
        let described = api.get(format!("/certificates/{id}")).ok().await["certificateDescription"].clone();
        assert_eq!(described["certificatePem"], pem);
        statuses.push(described["status"].clone());
    }
    assert_eq!(statuses, ["INACTIVE", "ACTIVE"]);
    api.snapshot("create_certificate_from_csr");
}

async fn every_kind_of_key_that_aws_takes_is_taken(api: Api) {
    for csr in [CSR_P384, CSR_P521, CSR_RSA2048] {
        let made = api.post("/certificates").json(json!({ "certificateSigningRequest": csr })).ok().await;
        let pem = made["certificatePem"].as_str().unwrap();
        let request = VerifiedCsr::from_pem(csr).unwrap();
        assert_eq!(Certificate::from_pem(pem).unwrap().spki_der(), request.spki_der());
    }
}

async fn bad_requests_are_refused(api: Api) {
    let create = |csr: &str| api.post("/certificates").json(json!({ "certificateSigningRequest": csr }));
    for (why, csr) in BAD_CSRS {
        let refused = create(csr).invalid().await;
        assert!(refused.starts_with("the certificate signing request is refused: "), "{why}: {refused}");
    }
    create("").invalid().await;
    create("not a request").invalid().await;
    create(CERTIFICATE).invalid().await;
    create(&CSR.replace("END", "KEND")).invalid().await;
    // 4096 characters are taken, whatever stands around the request; one more is not.
    let padded = |length: usize| format!("{CSR}{}", " ".repeat(length - CSR.chars().count()));
    create(&padded(4096)).ok().await;
    let refused = create(&padded(4097)).invalid().await;
    assert!(refused.contains("less than or equal to 4096"), "{refused}");
    api.post("/certificates").json(json!({})).invalid().await;
    api.post("/certificates?setAsActive=yes").json(json!({ "certificateSigningRequest": CSR })).invalid().await;
    let body = json!({ "certificateSigningRequest": CSR, "setAsActive": true });
    api.post("/certificates").json(body).invalid().await;
    let listed = api.get("/certificates").quietly().ok().await;
    assert_eq!(listed["certificates"].as_array().unwrap().len(), 1);
    api.snapshot("create_certificate_from_csr_refused");
}
