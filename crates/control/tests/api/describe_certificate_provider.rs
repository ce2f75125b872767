//! DescribeCertificateProvider.

use serde_json::json;

use crate::client::Api;
use crate::create_certificate_provider::create;
use crate::harness::{OTHER_REGION, on_both_engines};

on_both_engines!(a_provider_tells_all_that_it_is);

async fn a_provider_tells_all_that_it_is(api: Api) {
    api.get("/certificate-providers/p").refused(404, "ResourceNotFoundException").await;
    create(&api, "p", json!({})).ok().await;
    let described = api.get("/certificate-providers/p").ok().await;
    assert_eq!(described["accountDefaultForOperations"], json!(["CreateCertificateFromCsr"]));
    assert_eq!(described["creationDate"], described["lastModifiedDate"]);
    api.get("/certificate-providers/P").refused(404, "ResourceNotFoundException").await;
    api.get("/certificate-providers/a.b").invalid().await;
    for other in [api.in_region(OTHER_REGION), api.of_account("210987654321").await] {
        other.get("/certificate-providers/p").refused(404, "ResourceNotFoundException").await;
    }
    api.snapshot("describe_certificate_provider");
}
