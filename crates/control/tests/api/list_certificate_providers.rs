//! ListCertificateProviders.

use serde_json::json;

use crate::client::Api;
use crate::create_certificate_provider::create;
use crate::harness::{OTHER_REGION, on_both_engines};

on_both_engines!(the_one_provider_is_listed);

async fn the_one_provider_is_listed(api: Api) {
    assert_eq!(api.get("/certificate-providers/").ok().await, json!({ "certificateProviders": [] }));
    create(&api, "p", json!({})).quietly().ok().await;
    let summary = json!({ "certificateProviderName": "p", "certificateProviderArn": api.arn("certificateprovider:p") });
    for target in ["/certificate-providers/", "/certificate-providers", "/certificate-providers/?isAscendingOrder=true"] {
        assert_eq!(api.get(target).ok().await, json!({ "certificateProviders": [summary] }), "{target}");
    }
    for query in ["nextToken=AAAA", "isAscendingOrder=maybe", "maxResults=1"] {
        api.get(format!("/certificate-providers/?{query}")).invalid().await;
    }
    for other in [api.in_region(OTHER_REGION), api.of_account("210987654321").await] {
        assert_eq!(other.get("/certificate-providers/").ok().await, json!({ "certificateProviders": [] }));
    }
    api.snapshot("list_certificate_providers");
}
