//! UpdateCACertificate.

use serde_json::{Value, json};

use crate::authority::Authority;
use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::UNKNOWN_ID;

on_both_engines!(each_part_changes_on_its_own, what_does_not_fit_is_refused);

async fn described(api: &Api, id: &str) -> Value {
    api.get(format!("/cacertificate/{id}")).quietly().ok().await
}

async fn each_part_changes_on_its_own(api: Api) {
    let id = Authority::new("authority").registered(&api).await;
    let path = format!("/cacertificate/{id}");
    let mut before = described(&api, &id).await;
    let config = json!({ "templateBody": "{\"Resources\":{}}", "roleArn": "arn:aws:iam::123456789012:role/r" });
    let steps = [
        ("?newStatus=INACTIVE", json!({}), ("INACTIVE", "DISABLE", Value::Null)),
        ("?newAutoRegistrationStatus=ENABLE", json!({}), ("INACTIVE", "ENABLE", Value::Null)),
        ("", json!({ "registrationConfig": config }), ("INACTIVE", "ENABLE", config.clone())),
        ("?newStatus=ACTIVE", json!({}), ("ACTIVE", "ENABLE", config.clone())),
        (
            "?newAutoRegistrationStatus=DISABLE",
            json!({ "removeAutoRegistration": true }),
            ("ACTIVE", "DISABLE", Value::Null),
        ),
    ];
    for (query, body, (status, automatic, config)) in steps {
        api.clock().advance_ms(1_000);
        assert_eq!(api.put(format!("{path}{query}")).json(body.clone()).ok().await, json!({}));
        let after = described(&api, &id).await;
        let description = &after["certificateDescription"];
        assert_eq!(
            (&description["status"], &description["autoRegistrationStatus"]),
            (&json!(status), &json!(automatic))
        );
        assert_eq!(after["registrationConfig"], config);
        let version = |told: &Value| told["certificateDescription"]["customerVersion"].as_i64().unwrap();
        assert_eq!(version(&after), version(&before) + 1);
        // Again: nothing changes.
        api.clock().advance_ms(1_000);
        api.put(format!("{path}{query}")).json(body).quietly().ok().await;
        assert_eq!(described(&api, &id).await, after);
        before = after;
    }
    api.put(&path).ok().await;
    assert_eq!(described(&api, &id).await, before);
    api.snapshot("update_ca_certificate");
}

async fn what_does_not_fit_is_refused(api: Api) {
    let id = Authority::new("authority").registered(&api).await;
    let path = format!("/cacertificate/{id}");
    let before = described(&api, &id).await;
    for status in ["REVOKED", "active", "PENDING_TRANSFER", ""] {
        api.put(format!("{path}?newStatus={status}")).invalid().await;
    }
    api.put(format!("{path}?newAutoRegistrationStatus=ENABLED")).invalid().await;
    let both = json!({ "removeAutoRegistration": true, "registrationConfig": { "templateBody": "{}" } });
    api.put(&path).json(both).invalid().await;
    api.put(&path).json(json!({ "registrationConfig": { "templateBody": "x" } })).invalid().await;
    let unknown = json!({ "registrationConfig": { "templateName": "t" } });
    api.put(&path).json(unknown).refused(404, "ResourceNotFoundException").await;
    let nowhere = api.put(format!("/cacertificate/{UNKNOWN_ID}?newStatus=ACTIVE"));
    nowhere.refused(404, "ResourceNotFoundException").await;
    assert_eq!(described(&api, &id).await, before);
    api.snapshot("update_ca_certificate_refused");
}
