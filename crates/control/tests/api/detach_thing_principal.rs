//! DetachThingPrincipal.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::{COGNITO_IDENTITY, UNKNOWN_ID};

on_both_engines!(a_certificate_is_detached_once);

async fn a_certificate_is_detached_once(api: Api) {
    api.thing("t").await;
    let certificate = api.certificate().await;
    api.attach_to_thing("t", &certificate, false).await;
    let detach = |thing: &str, principal: &str| {
        api.delete(format!("/things/{thing}/principals")).header("x-amzn-principal", principal)
    };
    assert_eq!(detach("t", &certificate.arn).ok().await, json!({}));
    assert_eq!(api.get("/things/t/principals").ok().await["principals"], json!([]));
    detach("t", &certificate.arn).refused(404, "ResourceNotFoundException").await;
    detach("nope", &certificate.arn).refused(404, "ResourceNotFoundException").await;
    detach("t", &api.arn(&format!("cert/{UNKNOWN_ID}"))).refused(404, "ResourceNotFoundException").await;
    detach("t", &api.arn("thing/t")).invalid().await;
    detach("t", COGNITO_IDENTITY).invalid().await;
    api.delete("/things/t/principals").invalid().await;
    api.snapshot("detach_thing_principal");
}
