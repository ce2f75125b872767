//! RegisterCertificate.

use serde_json::{Value, json};

use crate::authority::Authority;
use crate::client::{Api, Ask};
use crate::harness::on_both_engines;
use crate::samples::{CERTIFICATE, CSR};

on_both_engines!(
    a_certificate_of_a_registered_authority_is_registered,
    without_its_authority_it_is_refused,
    authorities_of_one_key_must_be_told_apart,
    the_mode_is_that_of_the_authority,
);

fn register(api: &Api, query: &str, body: Value) -> Ask {
    api.post(format!("/certificate/register{query}")).json(body)
}

async fn a_certificate_of_a_registered_authority_is_registered(api: Api) {
    let authority = Authority::new("authority");
    let id = authority.registered(&api).await;
    let cases = [
        ("", json!({}), "INACTIVE"),
        ("?setAsActive=true", json!({}), "ACTIVE"),
        ("", json!({ "status": "ACTIVE" }), "ACTIVE"),
        ("", json!({ "status": "REVOKED" }), "REVOKED"),
        // The newer parameter counts.
        ("?setAsActive=true", json!({ "status": "INACTIVE" }), "INACTIVE"),
        ("", json!({ "caCertificatePem": authority.pem }), "INACTIVE"),
    ];
    for (query, mut body, status) in cases {
        body["certificatePem"] = json!(authority.signs("device"));
        let registered = register(&api, query, body.clone()).ok().await;
        let path = format!("/certificates/{}", registered["certificateId"].as_str().unwrap());
        let described = api.get(path).quietly().ok().await["certificateDescription"].clone();
        assert_eq!((&described["status"], &described["caCertificateId"]), (&json!(status), &json!(id)));
        assert_eq!(described["certificateMode"], "DEFAULT");
        let again = register(&api, query, body).refused(409, "ResourceAlreadyExistsException").await;
        assert_eq!(again["resourceId"], registered["certificateId"]);
        assert_eq!(again["resourceArn"], registered["certificateArn"]);
    }
    api.snapshot("register_certificate");
}

async fn without_its_authority_it_is_refused(api: Api) {
    let (authority, stranger) = (Authority::new("authority"), Authority::new("authority"));
    let id = authority.registered(&api).await;
    let (state, wrong) = ("CertificateStateException", "CertificateValidationException");
    // Of the same name, and signed with another key.
    let refused = register(&api, "", json!({ "certificatePem": stranger.signs("device") })).refused(406, state).await;
    assert_eq!(refused["message"], "No CA certificate exists for the given certificate");
    register(&api, "", json!({ "certificatePem": CERTIFICATE })).refused(406, state).await;
    let device = authority.signs("device");
    let named = json!({ "certificatePem": device, "caCertificatePem": stranger.pem });
    register(&api, "", named).refused(406, state).await;
    for status in ["PENDING_ACTIVATION", "PENDING_TRANSFER", "REGISTER_INACTIVE"] {
        register(&api, "", json!({ "certificatePem": device, "status": status })).refused(406, state).await;
    }
    for pem in ["x", CSR] {
        register(&api, "", json!({ "certificatePem": pem })).refused(400, wrong).await;
        register(&api, "", json!({ "certificatePem": device, "caCertificatePem": pem })).refused(400, wrong).await;
    }
    register(&api, "", json!({})).invalid().await;
    // Nobody else's authority counts, nor one that is switched off.
    let other = api.of_account("210987654321").await;
    register(&other, "", json!({ "certificatePem": device })).refused(406, state).await;
    api.put(format!("/cacertificate/{id}?newStatus=INACTIVE")).ok().await;
    register(&api, "", json!({ "certificatePem": device })).refused(406, state).await;
    assert_eq!(api.get("/certificates").quietly().ok().await["certificates"], json!([]));
    api.snapshot("register_certificate_refused");
}

async fn authorities_of_one_key_must_be_told_apart(api: Api) {
    let authority = Authority::new("authority");
    let renewed = authority.renewed("authority");
    authority.registered(&api).await;
    let second = renewed.registered(&api).await;
    let device = authority.signs("device");
    register(&api, "", json!({ "certificatePem": device })).refused(409, "CertificateConflictException").await;
    let registered =
        register(&api, "", json!({ "certificatePem": device, "caCertificatePem": renewed.pem })).ok().await;
    let path = format!("/certificates/{}", registered["certificateId"].as_str().unwrap());
    assert_eq!(api.get(path).quietly().ok().await["certificateDescription"]["caCertificateId"], second);
    api.snapshot("register_certificate_conflict");
}

async fn the_mode_is_that_of_the_authority(api: Api) {
    let authority = Authority::new("authority");
    let body = json!({ "caCertificate": authority.pem, "certificateMode": "SNI_ONLY" });
    let other = api.of_account("210987654321").await;
    let device = authority.signs("device");
    for tenant in [&api, &other] {
        tenant.post("/cacertificate?setAsActive=true").json(body.clone()).quietly().ok().await;
        let registered = register(tenant, "", json!({ "certificatePem": device })).quietly().ok().await;
        let path = format!("/certificates/{}", registered["certificateId"].as_str().unwrap());
        assert_eq!(tenant.get(path).quietly().ok().await["certificateDescription"]["certificateMode"], "SNI_ONLY");
    }
}
