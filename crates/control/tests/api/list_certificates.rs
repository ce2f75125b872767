//! ListCertificates.

use serde_json::{Value, json};

use crate::client::Api;
use crate::harness::on_both_engines;

on_both_engines!(the_newest_certificate_comes_first);

async fn the_newest_certificate_comes_first(api: Api) {
    assert_eq!(api.get("/certificates").ok().await, json!({ "certificates": [] }));
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(api.certificate().await.id);
        api.clock().advance_ms(1_500);
    }
    api.put(format!("/certificates/{}?newStatus=REVOKED", made[1])).quietly().ok().await;
    let ids = |listed: &Value| -> Vec<String> {
        let certificates = listed["certificates"].as_array().unwrap();
        certificates.iter().map(|c| c["certificateId"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&api.get("/certificates?isAscendingOrder=true").ok().await), made);
    made.reverse();
    assert_eq!(ids(&api.get("/certificates").ok().await), made);
    assert_eq!(ids(&api.get("/certificates?isAscendingOrder=false").quietly().ok().await), made);
    for query in ["?pageSize=0", "?pageSize=251", "?ascendingOrder=true", "?marker=", "?isAscendingOrder="] {
        api.get(format!("/certificates{query}")).invalid().await;
    }
    api.snapshot("list_certificates");
}
