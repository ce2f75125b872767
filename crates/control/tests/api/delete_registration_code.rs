//! DeleteRegistrationCode.

use serde_json::json;

use crate::authority::{Authority, registration_code};
use crate::client::Api;
use crate::harness::on_both_engines;

on_both_engines!(a_deleted_code_proves_nothing);

async fn a_deleted_code_proves_nothing(api: Api) {
    api.delete("/registrationcode").refused(404, "ResourceNotFoundException").await;
    let (kept, late) = (Authority::new("kept"), Authority::new("late"));
    let first = registration_code(&api).await;
    let id = kept.registered(&api).await;
    let registration = late.registration(&api, "").await;
    assert_eq!(api.delete("/registrationcode").ok().await, json!({}));
    api.delete("/registrationcode").refused(404, "ResourceNotFoundException").await;
    registration.refused(400, "RegistrationCodeValidationException").await;
    assert_ne!(registration_code(&api).await, first);
    // What was registered stays.
    api.get(format!("/cacertificate/{id}")).quietly().ok().await;
    late.registered(&api).await;
    api.snapshot("delete_registration_code");
}
