//! DeleteCertificateProvider.

use serde_json::json;

use crate::client::Api;
use crate::create_certificate_provider::create;
use crate::functions::FUNCTION;
use crate::harness::{OTHER_REGION, on_both_engines};

on_both_engines!(a_provider_is_deleted_once);

async fn a_provider_is_deleted_once(api: Api) {
    api.delete("/certificate-providers/p").refused(404, "ResourceNotFoundException").await;
    create(&api, "p", json!({})).quietly().ok().await;
    let there = api.in_region(OTHER_REGION);
    create(&there, "p", json!({ "lambdaFunctionArn": FUNCTION.replace("us-east-1", OTHER_REGION) })).quietly().ok().await;
    api.delete("/certificate-providers/other").refused(404, "ResourceNotFoundException").await;
    assert_eq!(api.delete("/certificate-providers/p").ok().await, json!({}));
    api.get("/certificate-providers/p").refused(404, "ResourceNotFoundException").await;
    api.delete("/certificate-providers/p").refused(404, "ResourceNotFoundException").await;
    there.get("/certificate-providers/p").quietly().ok().await;
    api.delete("/certificate-providers/a.b").invalid().await;
    api.snapshot("delete_certificate_provider");
}
