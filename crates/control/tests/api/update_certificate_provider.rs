//! UpdateCertificateProvider.

use serde_json::{Value, json};

use crate::client::{Api, Ask};
use crate::create_certificate_provider::create;
use crate::functions::FUNCTION;
use crate::harness::on_both_engines;

on_both_engines!(a_provider_gets_another_function);

async fn a_provider_gets_another_function(api: Api) {
    let update = |body: Value| -> Ask { api.put("/certificate-providers/p").json(body) };
    let other = format!("{FUNCTION}:7");
    update(json!({ "lambdaFunctionArn": other })).refused(404, "ResourceNotFoundException").await;
    create(&api, "p", json!({})).quietly().ok().await;
    let shown = || async { api.get("/certificate-providers/p").ok().await };
    let made = shown().await;

    api.clock().advance_ms(1_500);
    let answered = update(json!({ "lambdaFunctionArn": other })).ok().await;
    assert_eq!(answered["certificateProviderArn"], api.arn("certificateprovider:p"));
    let changed = shown().await;
    assert_eq!(changed["lambdaFunctionArn"], other);
    assert_eq!(changed["creationDate"], made["creationDate"]);
    assert_ne!(changed["lastModifiedDate"], made["lastModifiedDate"]);
    update(json!({ "accountDefaultForOperations": ["CreateCertificateFromCsr"] })).ok().await;
    assert_eq!(shown().await, changed);

    for body in [
        json!({ "lambdaFunctionArn": "sign" }),
        json!({ "lambdaFunctionArn": "arn:aws:lambda:us-east-1:210987654321:function:sign" }),
        json!({ "accountDefaultForOperations": [] }),
        json!({ "accountDefaultForOperations": ["CreateKeysAndCertificate"] }),
        json!({ "tags": [] }),
    ] {
        update(body).invalid().await;
    }
    assert_eq!(shown().await, changed);
    api.put("/certificate-providers/other").json(json!({})).refused(404, "ResourceNotFoundException").await;
    api.snapshot("update_certificate_provider");
}
