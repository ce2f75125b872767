//! DeleteDomainConfiguration.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::server_certificates::FLEET;

on_both_engines!(only_what_is_switched_off_is_deleted, a_managed_domain_rests_for_a_week, an_endpoint_stays);

async fn only_what_is_switched_off_is_deleted(api: Api) {
    api.delete("/domainConfigurations/a").refused(404, "ResourceNotFoundException").await;
    let body = json!({ "domainName": "mqtt.example.com", "serverCertificateArns": [FLEET] });
    api.post("/domainConfigurations/a").json(body).quietly().ok().await;
    api.delete("/domainConfigurations/a").invalid().await;
    let off = json!({ "domainConfigurationStatus": "DISABLED" });
    api.put("/domainConfigurations/a").json(off).quietly().ok().await;
    assert_eq!(api.delete("/domainConfigurations/a").ok().await, json!({}));
    api.get("/domainConfigurations/a").refused(404, "ResourceNotFoundException").await;
    api.snapshot("delete_domain_configuration");
}

async fn a_managed_domain_rests_for_a_week(api: Api) {
    const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1000;
    api.post("/domainConfigurations/a").json(json!({})).quietly().ok().await;
    let off = json!({ "domainConfigurationStatus": "DISABLED" });
    api.put("/domainConfigurations/a").json(off).quietly().ok().await;
    api.clock().advance_ms(WEEK_MS - 1);
    let sentence = api.delete("/domainConfigurations/a").invalid().await;
    assert!(sentence.contains("2027-01-22T08:00:00Z"), "{sentence}");
    api.clock().advance_ms(1);
    api.delete("/domainConfigurations/a").ok().await;
}

async fn an_endpoint_stays(api: Api) {
    let policy = json!({ "tlsConfig": { "securityPolicy": "IoTSecurityPolicy_TLS13_1_3_2022_10" } });
    api.put("/domainConfigurations/iot:Data").json(policy).quietly().ok().await;
    api.delete("/domainConfigurations/iot:Data").invalid().await;
}
