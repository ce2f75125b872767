//! ListCertificatesByCA.

use serde_json::{Value, json};

use crate::authority::Authority;
use crate::client::{Api, encoded};
use crate::harness::on_both_engines;
use crate::samples::UNKNOWN_ID;

on_both_engines!(certificates_of_an_authority_are_listed);

async fn certificates_of_an_authority_are_listed(api: Api) {
    let (authority, other) = (Authority::new("authority"), Authority::new("other"));
    let id = authority.registered(&api).await;
    other.registered(&api).await;
    let register = |pem: String| api.post("/certificate/register").json(json!({ "certificatePem": pem })).quietly();
    let mut made = Vec::new();
    for number in 0..3 {
        let registered = register(authority.signs(&format!("device {number}"))).ok().await;
        made.push(registered["certificateId"].as_str().unwrap().to_owned());
        register(other.signs("device")).ok().await;
        api.clock().advance_ms(1_000);
    }
    let ids = |listed: &Value| -> Vec<String> {
        let certificates = listed["certificates"].as_array().unwrap();
        certificates.iter().map(|c| c["certificateId"].as_str().unwrap().to_owned()).collect()
    };
    let list = |query: &str| api.get(format!("/certificates-by-ca/{id}{query}"));
    assert_eq!(ids(&list("?isAscendingOrder=true").ok().await), made);
    made.reverse();
    let first = list("?pageSize=2").ok().await;
    assert_eq!(ids(&first), made[..2]);
    let marker = encoded(first["nextMarker"].as_str().unwrap());
    assert_eq!(ids(&list(&format!("?marker={marker}")).ok().await), made[2..]);
    // The model knows no error for an authority that does not exist.
    assert_eq!(api.get(format!("/certificates-by-ca/{UNKNOWN_ID}")).ok().await["certificates"], json!([]));
    api.get("/certificates-by-ca/abc").invalid().await;
    api.snapshot("list_certificates_by_ca");
}
