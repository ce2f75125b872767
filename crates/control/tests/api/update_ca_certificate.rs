//! UpdateCACertificate.

use serde_json::{Value, json};

use crate::authority::Authority;
use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::{ROLE, TEMPLATE, UNKNOWN_ID};

on_both_engines!(each_part_changes_on_its_own, what_does_not_fit_is_refused);

async fn described(api: &Api, id: &str) -> Value {
    api.get(format!("/cacertificate/{id}")).quietly().ok().await
}

async fn each_part_changes_on_its_own(api: Api) {
    let id = Authority::new("authority").registered(&api).await;
    let path = format!("/cacertificate/{id}");
    let mut before = described(&api, &id).await;
    api.template("jitp", "JITP").await;
    let config = json!({ "templateBody": TEMPLATE, "roleArn": ROLE });
    let named = json!({ "templateName": "jitp" });
    let steps = [
        ("?newStatus=INACTIVE", json!({}), ("INACTIVE", "DISABLE", Value::Null)),
        ("?newAutoRegistrationStatus=ENABLE", json!({}), ("INACTIVE", "ENABLE", Value::Null)),
        ("", json!({ "registrationConfig": config }), ("INACTIVE", "ENABLE", config.clone())),
        ("?newStatus=ACTIVE", json!({}), ("ACTIVE", "ENABLE", config.clone())),
        ("", json!({ "registrationConfig": named }), ("ACTIVE", "ENABLE", named.clone())),
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
    let both = json!({ "removeAutoRegistration": true, "registrationConfig": { "templateBody": TEMPLATE, "roleArn": ROLE } });
    api.put(&path).json(both).invalid().await;
    api.template("fleet", "FLEET_PROVISIONING").await;
    for config in [
        json!({ "templateBody": "x", "roleArn": ROLE }),
        json!({ "templateBody": "{}", "roleArn": ROLE }),
        json!({ "templateBody": TEMPLATE }),
        json!({ "templateName": "fleet" }),
    ] {
        api.put(&path).json(json!({ "registrationConfig": config })).invalid().await;
    }
    let unknown = json!({ "registrationConfig": { "templateName": "t" } });
    api.put(&path).json(unknown).refused(404, "ResourceNotFoundException").await;
    let nowhere = api.put(format!("/cacertificate/{UNKNOWN_ID}?newStatus=ACTIVE"));
    nowhere.refused(404, "ResourceNotFoundException").await;
    assert_eq!(described(&api, &id).await, before);
    api.snapshot("update_ca_certificate_refused");
}
