//! DescribeCertificate.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::{CERTIFICATE, UNKNOWN_ID};

on_both_engines!(a_record_tells_all_but_the_key);

async fn a_record_tells_all_but_the_key(api: Api) {
    let certificate = api.certificate().await;
    let described = api.get(format!("/certificates/{}", certificate.id)).ok().await;
    let shown = api.get(format!("/certificates/{}", certificate.id.to_uppercase())).quietly().ok().await;
    assert_eq!(shown, described);
    // Text around the certificate is kept as it came.
    let pem = format!("a comment\n{CERTIFICATE}another\n");
    let registered =
        api.post("/certificate/register-no-ca").json(json!({ "certificatePem": pem })).quietly().ok().await;
    let id = registered["certificateId"].as_str().unwrap();
    let described = api.get(format!("/certificates/{id}")).quietly().ok().await["certificateDescription"].clone();
    assert_eq!(described["certificatePem"], pem);
    assert_eq!((&described["certificateMode"], &described["status"]), (&json!("SNI_ONLY"), &json!("INACTIVE")));

    api.get(format!("/certificates/{UNKNOWN_ID}")).refused(404, "ResourceNotFoundException").await;
    api.get("/certificates/abc").invalid().await;
    api.snapshot("describe_certificate");
}
