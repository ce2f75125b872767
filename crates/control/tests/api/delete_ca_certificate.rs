//! DeleteCACertificate.

use serde_json::json;

use crate::authority::Authority;
use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::UNKNOWN_ID;

on_both_engines!(an_authority_that_is_switched_off_is_deleted);

async fn an_authority_that_is_switched_off_is_deleted(api: Api) {
    let authority = Authority::new("authority");
    let id = authority.registered(&api).await;
    let path = format!("/cacertificate/{id}");
    let device = json!({ "certificatePem": authority.signs("device"), "status": "ACTIVE" });
    let device = api.post("/certificate/register").json(device).quietly().ok().await;
    api.delete(&path).refused(406, "CertificateStateException").await;
    api.put(format!("{path}?newStatus=INACTIVE")).ok().await;
    assert_eq!(api.delete(&path).ok().await, json!({}));
    api.get(&path).refused(404, "ResourceNotFoundException").await;
    api.delete(&path).refused(404, "ResourceNotFoundException").await;
    api.delete(format!("/cacertificate/{UNKNOWN_ID}")).refused(404, "ResourceNotFoundException").await;
    // What it has signed stays, and can be registered no more.
    let device = format!("/certificates/{}", device["certificateId"].as_str().unwrap());
    assert_eq!(api.get(device).quietly().ok().await["certificateDescription"]["status"], "ACTIVE");
    let another = json!({ "certificatePem": authority.signs("another") });
    let another = api.post("/certificate/register").json(another);
    another.refused(406, "CertificateStateException").await;
    authority.registered(&api).await;
    api.snapshot("delete_ca_certificate");
}
