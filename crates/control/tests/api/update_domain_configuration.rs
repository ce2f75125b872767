//! UpdateDomainConfiguration.

use serde_json::{Value, json};

use crate::client::{Api, Ask};
use crate::harness::{NOW, on_both_engines};
use crate::server_certificates::FLEET;

on_both_engines!(
    a_configuration_is_switched_and_changed,
    an_endpoint_gets_another_security_policy_and_nothing_else,
    what_could_not_be_served_is_not_switched_on,
);

fn update(api: &Api, name: &str, body: Value) -> Ask {
    api.put(format!("/domainConfigurations/{name}")).json(body)
}

async fn described(api: &Api, name: &str) -> Value {
    api.get(format!("/domainConfigurations/{name}")).quietly().ok().await
}

async fn a_configuration_is_switched_and_changed(api: Api) {
    update(&api, "a", json!({})).refused(404, "ResourceNotFoundException").await;
    api.post("/domainConfigurations/a").json(json!({})).quietly().ok().await;
    let made = described(&api, "a").await;
    api.clock().advance_ms(1_000);
    let policy = json!({ "tlsConfig": { "securityPolicy": "IoTSecurityPolicy_TLS12_1_2_2022_10" } });
    update(&api, "a", policy).ok().await;
    let changed = described(&api, "a").await;
    assert_eq!(changed["tlsConfig"]["securityPolicy"], "IoTSecurityPolicy_TLS12_1_2_2022_10");
    assert_eq!(changed["lastStatusChangeDate"], made["lastStatusChangeDate"]);
    update(&api, "a", json!({ "domainConfigurationStatus": "DISABLED", "removeAuthorizerConfig": true })).ok().await;
    let disabled = described(&api, "a").await;
    assert_eq!(disabled["domainConfigurationStatus"], "DISABLED");
    assert_ne!(disabled["lastStatusChangeDate"], made["lastStatusChangeDate"]);
    update(&api, "a", json!({ "authenticationType": "AWS_X509", "applicationProtocol": "HTTPS" })).ok().await;
    // One of the two keeps company with the other as it is.
    update(&api, "a", json!({ "applicationProtocol": "SECURE_MQTT" })).ok().await;
    let changed = described(&api, "a").await;
    assert_eq!(
        (&changed["authenticationType"], &changed["applicationProtocol"]),
        (&json!("AWS_X509"), &json!("SECURE_MQTT"))
    );
    for body in [
        json!({ "applicationProtocol": "MQTT_WSS" }),
        json!({ "authenticationType": "DEFAULT" }),
        json!({ "authenticationType": "CUSTOM_AUTH" }),
        json!({ "domainConfigurationStatus": "ON" }),
        json!({ "tlsConfig": { "securityPolicy": "x" } }),
        json!({ "authorizerConfig": { "defaultAuthorizerName": "a" } }),
        json!({ "serverCertificateConfig": { "ocspLambdaArn": "arn:aws:lambda:us-east-1:123456789012:function:f" } }),
        json!({ "domainName": "mqtt.example.com" }),
    ] {
        update(&api, "a", body).invalid().await;
    }
    assert_eq!(described(&api, "a").await, changed);
    api.snapshot("update_domain_configuration");
}

async fn an_endpoint_gets_another_security_policy_and_nothing_else(api: Api) {
    let strict = "IoTSecurityPolicy_TLS13_1_3_2022_10";
    for _ in 0..2 {
        update(&api, "iot:Data-ATS", json!({ "tlsConfig": { "securityPolicy": strict } })).ok().await;
        assert_eq!(described(&api, "iot:Data-ATS").await["tlsConfig"]["securityPolicy"], strict);
    }
    // An update that says nothing of it leaves it.
    update(&api, "iot:Data-ATS", json!({})).ok().await;
    assert_eq!(described(&api, "iot:Data-ATS").await["tlsConfig"]["securityPolicy"], strict);
    assert_ne!(described(&api, "iot:Data").await["tlsConfig"]["securityPolicy"], strict);
    for body in [
        json!({ "domainConfigurationStatus": "DISABLED" }),
        json!({ "authenticationType": "AWS_X509", "applicationProtocol": "HTTPS" }),
    ] {
        update(&api, "iot:Data-ATS", body).invalid().await;
    }
    let listed = api.get("/domainConfigurations").quietly().ok().await;
    assert_eq!(listed["domainConfigurations"].as_array().unwrap().len(), 4);
    update(&api, "iot:Beta", json!({})).refused(404, "ResourceNotFoundException").await;
    api.snapshot("update_domain_configuration_endpoint");
}

async fn what_could_not_be_served_is_not_switched_on(api: Api) {
    let body = json!({ "domainName": "mqtt.example.com", "serverCertificateArns": [FLEET] });
    api.post("/domainConfigurations/a").json(body).quietly().ok().await;
    update(&api, "a", json!({ "domainConfigurationStatus": "DISABLED" })).ok().await;
    let running = api.running();
    running.server_certificates.write(&["*.example.net"], 2031);
    running.house.server_certificates.reload(NOW);
    let on = json!({ "domainConfigurationStatus": "ENABLED" });
    update(&api, "a", on.clone()).refused(400, "CertificateValidationException").await;
    running.server_certificates.write(&["mqtt.example.com"], 2031);
    running.house.server_certificates.reload(NOW);
    update(&api, "a", on).ok().await;
    assert_eq!(described(&api, "a").await["domainConfigurationStatus"], "ENABLED");
}
