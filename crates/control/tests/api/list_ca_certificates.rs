//! ListCACertificates.

use serde_json::{Value, json};

use crate::authority::Authority;
use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(the_newest_authority_comes_first);

async fn the_newest_authority_comes_first(api: Api) {
    assert_eq!(api.get("/cacertificates").ok().await, json!({ "certificates": [] }));
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(Authority::new(&format!("authority {number}")).registered(&api).await);
        api.clock().advance_ms(1_000);
    }
    let ids = |listed: &Value| -> Vec<String> {
        let certificates = listed["certificates"].as_array().unwrap();
        certificates.iter().map(|c| c["certificateId"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&api.get("/cacertificates?isAscendingOrder=true").ok().await), made);
    made.reverse();
    let first = api.get("/cacertificates?pageSize=3").ok().await;
    assert_eq!(ids(&first), made[..3]);
    let marker = encoded(first["nextMarker"].as_str().unwrap());
    let rest = api.get(format!("/cacertificates?pageSize=3&marker={marker}")).ok().await;
    assert_eq!(ids(&rest), made[3..]);
    assert_eq!(rest.get("nextMarker"), None);
    assert_eq!(api.get("/cacertificates?templateName=t").ok().await["certificates"], json!([]));
    api.get("/cacertificates?pageSize=0").invalid().await;
    api.get(format!("/certificates?marker={marker}")).invalid().await;
    api.snapshot("list_ca_certificates");
}
