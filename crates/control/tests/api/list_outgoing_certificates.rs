//! ListOutgoingCertificates.

use serde_json::{Value, json};

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;
use crate::transfer_certificate::{TARGET, inactive, offer};

on_both_engines!(pending_offers_are_listed);

async fn pending_offers_are_listed(api: Api) {
    let target = api.of_account(TARGET).await;
    assert_eq!(api.get("/certificates-out-going").ok().await, json!({ "outgoingCertificates": [] }));
    let mut made = Vec::new();
    for number in 0..4 {
        let certificate = inactive(&api).await;
        api.clock().advance_ms(1_000);
        let ask = offer(&api, &certificate).quietly();
        let ask = if number == 0 { ask.json(json!({ "transferMessage": "first" })) } else { ask };
        ask.ok().await;
        made.push(certificate.id);
    }
    target.patch(format!("/accept-certificate-transfer/{}", made.remove(3))).quietly().ok().await;
    let ids = |listed: &Value| -> Vec<String> {
        let certificates = listed["outgoingCertificates"].as_array().unwrap();
        certificates.iter().map(|c| c["certificateId"].as_str().unwrap().to_owned()).collect()
    };
    let all = api.get("/certificates-out-going?isAscendingOrder=true").ok().await;
    assert_eq!(ids(&all), made);
    assert_eq!(all["outgoingCertificates"][0]["transferMessage"], "first");
    made.reverse();
    let first = api.get("/certificates-out-going?pageSize=2").ok().await;
    assert_eq!(ids(&first), made[..2]);
    let marker = encoded(first["nextMarker"].as_str().unwrap());
    assert_eq!(ids(&api.get(format!("/certificates-out-going?marker={marker}")).ok().await), made[2..]);
    assert_eq!(target.get("/certificates-out-going").ok().await["outgoingCertificates"], json!([]));
    api.get("/certificates-out-going?pageSize=0").invalid().await;
    api.snapshot("list_outgoing_certificates");
}
