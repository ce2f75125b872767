//! DeleteThing.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;

on_both_engines!(a_thing_without_principals_is_deleted);

async fn a_thing_without_principals_is_deleted(api: Api) {
    // What does not exist is deleted already.
    assert_eq!(api.delete("/things/t").ok().await, json!({}));
    assert_eq!(api.delete("/things/t?expectedVersion=7").ok().await, json!({}));
    api.thing("t").await;
    let certificate = api.certificate().await;
    api.attach_to_thing("t", &certificate, false).await;
    api.delete("/things/t?expectedVersion=2").refused(409, "VersionConflictException").await;
    let refused = api.delete("/things/t?expectedVersion=1").invalid().await;
    assert_eq!(refused, "Cannot delete. Thing t is still attached to one or more principals");
    api.delete("/things/t/principals").header("x-amzn-principal", &certificate.arn).ok().await;
    api.delete("/things/t?expectedVersion=one").invalid().await;
    api.delete("/things/t?expectedVersion=1").ok().await;
    api.get("/things/t").refused(404, "ResourceNotFoundException").await;
    // The certificate stays.
    assert_eq!(api.describe(&certificate).await["status"], "ACTIVE");
    api.snapshot("delete_thing");
}
