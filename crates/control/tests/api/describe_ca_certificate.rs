//! DescribeCACertificate.

use crate::authority::Authority;
use crate::client::Api;
use crate::harness::{OTHER_REGION, on_both_engines};
use crate::samples::UNKNOWN_ID;

on_both_engines!(an_authority_is_described);

async fn an_authority_is_described(api: Api) {
    let authority = Authority::new("authority");
    let id = authority.registered(&api).await;
    let described = api.get(format!("/cacertificate/{id}")).ok().await;
    assert_eq!(described["certificateDescription"]["certificatePem"], authority.pem);
    assert_eq!(described.get("registrationConfig"), None);
    assert_eq!(api.get(format!("/cacertificate/{}", id.to_uppercase())).quietly().ok().await, described);
    // It is no client certificate.
    api.get(format!("/certificates/{id}")).refused(404, "ResourceNotFoundException").await;
    let unknown = api.get(format!("/cacertificate/{UNKNOWN_ID}"));
    unknown.refused(404, "ResourceNotFoundException").await;
    api.get("/cacertificate/abc").invalid().await;
    let elsewhere = api.in_region(OTHER_REGION).get(format!("/cacertificate/{id}"));
    elsewhere.refused(404, "ResourceNotFoundException").await;
    api.snapshot("describe_ca_certificate");
}
