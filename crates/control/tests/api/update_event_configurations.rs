//! UpdateEventConfigurations.

use serde_json::{Value, json};

use crate::client::{Api, Ask};
use crate::harness::{NOW, OTHER_REGION, on_both_engines};

on_both_engines!(what_is_named_is_set_and_the_rest_stays, what_makes_no_sense_is_refused);

fn update(api: &Api, switches: Value) -> Ask {
    api.patch("/event-configurations").json(json!({ "eventConfigurations": switches }))
}

/// The switches that are on, and the dates in seconds.
async fn present(api: &Api) -> (Vec<String>, Option<f64>, Option<f64>) {
    let told = api.get("/event-configurations").quietly().ok().await;
    let switches = told["eventConfigurations"].as_object().unwrap();
    assert_eq!(switches.len(), 11);
    let on = switches.iter().filter(|(_, switch)| switch["Enabled"] == true).map(|(name, _)| name.clone()).collect();
    let date = |name: &str| told.get(name).and_then(Value::as_f64);
    (on, date("creationDate"), date("lastModifiedDate"))
}

async fn what_is_named_is_set_and_the_rest_stays(api: Api) {
    let at = |secs: u32| Some(f64::from(u32::try_from(NOW.as_secs()).unwrap() + secs));
    let on = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    // Nothing is asked for, and nothing is changed.
    for nothing in [json!({}), json!({ "THING": { "Enabled": false } })] {
        assert_eq!(update(&api, nothing).quietly().ok().await, json!({}));
    }
    api.patch("/event-configurations").quietly().ok().await;
    assert_eq!(present(&api).await, (on(&[]), None, None));

    assert_eq!(update(&api, json!({ "THING": { "Enabled": true }, "JOB": { "Enabled": true } })).ok().await, json!({}));
    assert_eq!(present(&api).await, (on(&["JOB", "THING"]), at(0), at(0)));
    api.clock().advance_ms(1000);
    update(&api, json!({ "THING": { "Enabled": false }, "THING_GROUP": { "Enabled": true } })).ok().await;
    assert_eq!(present(&api).await, (on(&["JOB", "THING_GROUP"]), at(0), at(1)));
    api.clock().advance_ms(1000);
    // As it is already.
    update(&api, json!({ "THING_GROUP": { "Enabled": true } })).ok().await;
    assert_eq!(present(&api).await, (on(&["JOB", "THING_GROUP"]), at(0), at(1)));
    api.get("/event-configurations").ok().await;
    api.snapshot("update_event_configurations");

    // Other scopes have their own.
    for other in [api.in_region(OTHER_REGION), api.of_account("210987654321").await] {
        assert_eq!(present(&other).await, (on(&[]), None, None));
        update(&other, json!({ "POLICY": { "Enabled": true } })).quietly().ok().await;
        assert_eq!(present(&other).await, (on(&["POLICY"]), at(2), at(2)));
    }
    assert_eq!(present(&api).await, (on(&["JOB", "THING_GROUP"]), at(0), at(1)));
    let all = |is_on: bool| {
        let names = [
            "THING",
            "THING_GROUP",
            "THING_TYPE",
            "THING_GROUP_MEMBERSHIP",
            "THING_GROUP_HIERARCHY",
            "THING_TYPE_ASSOCIATION",
            "JOB",
            "JOB_EXECUTION",
            "POLICY",
            "CERTIFICATE",
            "CA_CERTIFICATE",
        ];
        Value::Object(names.into_iter().map(|name| (name.to_owned(), json!({ "Enabled": is_on }))).collect())
    };
    for (is_on, count) in [(true, 11), (false, 0)] {
        update(&api, all(is_on)).quietly().ok().await;
        assert_eq!(present(&api).await.0.len(), count);
    }
}

async fn what_makes_no_sense_is_refused(api: Api) {
    update(&api, json!({ "THING": { "Enabled": true } })).quietly().ok().await;
    let told = update(&api, json!({ "JOB": { "Enabled": true }, "THING": {} })).invalid().await;
    assert!(told.contains("THING") && told.contains("Enabled"), "{told}");
    for switches in [
        json!({ "SHADOW": { "Enabled": true } }),
        json!({ "thing": { "Enabled": true } }),
        json!({ "THING": { "enabled": true } }),
        json!({ "THING": { "Enabled": "true" } }),
        json!({ "THING": true }),
        json!({ "JOB": { "Enabled": true }, "THING": { "Enabled": null } }),
        json!(["THING"]),
    ] {
        update(&api, switches).invalid().await;
    }
    api.patch("/event-configurations").json(json!({ "THING": { "Enabled": false } })).invalid().await;
    assert_eq!(present(&api).await.0, ["THING"]);
    let may = json!([{ "Effect": "Allow", "Action": "iot:DescribeEventConfigurations", "Resource": "*" }]);
    let reader = api.limited(may).await;
    update(&reader, json!({ "THING": { "Enabled": false } })).refused(403, "AccessDeniedException").await;
    assert_eq!(present(&reader).await.0, ["THING"]);
    api.snapshot("update_event_configurations_refused");
}
