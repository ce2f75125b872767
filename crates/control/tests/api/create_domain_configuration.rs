//! CreateDomainConfiguration.

use serde_json::{Value, json};

use crate::client::{Api, Ask, encoded};
use crate::harness::{OTHER_REGION, on_both_engines};
use crate::server_certificates::{FLEET, STRANGERS};

on_both_engines!(
    a_domain_of_ones_own_is_served_with_its_certificate,
    without_a_domain_one_is_made,
    what_is_not_served_is_refused,
    a_certificate_must_be_the_accounts_and_name_the_domain,
    a_domain_name_belongs_to_one_scope,
    a_scope_has_ten_configurations,
    tags_come_with_a_configuration,
    policies_know_the_arn_of_what_is_made,
);

fn create(api: &Api, name: &str, body: Value) -> Ask {
    api.post(format!("/domainConfigurations/{name}")).json(body)
}

fn own(domain: &str) -> Value {
    json!({ "domainName": domain, "serverCertificateArns": [FLEET] })
}

async fn a_domain_of_ones_own_is_served_with_its_certificate(api: Api) {
    let made = create(&api, "fleet", own("MQTT.example.com")).ok().await;
    let arn = made["domainConfigurationArn"].as_str().unwrap();
    assert!(arn.starts_with(&api.arn("domainconfiguration/fleet/")), "{arn}");
    let taken = create(&api, "fleet", own("other.example.com")).refused(409, "ResourceAlreadyExistsException").await;
    assert_eq!(taken["resourceArn"], arn);
    let described = api.get("/domainConfigurations/fleet").ok().await;
    assert_eq!(described["domainName"], "mqtt.example.com");
    assert_eq!(described["serverCertificates"][0]["serverCertificateStatus"], "VALID");
    let strict = json!({
        "domainName": "strict.example.com",
        "serverCertificateArns": [FLEET],
        "serviceType": "DATA",
        "tlsConfig": { "securityPolicy": "IoTSecurityPolicy_TLS13_1_3_2022_10" },
        "authenticationType": "AWS_X509",
        "applicationProtocol": "SECURE_MQTT",
        "authorizerConfig": {},
        "serverCertificateConfig": { "enableOCSPCheck": false },
        "clientCertificateConfig": {},
    });
    create(&api, "strict", strict).ok().await;
    api.get("/domainConfigurations/strict").ok().await;
    api.snapshot("create_domain_configuration");
}

async fn without_a_domain_one_is_made(api: Api) {
    create(&api, "made", json!({})).ok().await;
    create(&api, "made2", json!({ "serverCertificateArns": [] })).quietly().ok().await;
    let described = api.get("/domainConfigurations/made").quietly().ok().await;
    let name = described["domainName"].as_str().unwrap();
    let (label, rest) = name.split_once('.').unwrap();
    assert_eq!((label.len(), rest), ("d".len() + 20 + "-ats".len(), "iot.us-east-1.iot.test"));
    assert!(label.starts_with('d') && label.ends_with("-ats"), "{name}");
    assert_eq!((&described["domainType"], &described["serverCertificates"]), (&json!("AWS_MANAGED"), &json!([])));
    let other = api.get("/domainConfigurations/made2").quietly().ok().await;
    assert_ne!(other["domainName"], described["domainName"]);
}

async fn what_is_not_served_is_refused(api: Api) {
    for name in ["iot:Data-ATS", "iot:x", "a%2Fb", "a%20b", &"a".repeat(129)] {
        create(&api, name, json!({})).quietly().invalid().await;
    }
    for body in [
        json!({ "serviceType": "JOBS" }),
        json!({ "serviceType": "CREDENTIAL_PROVIDER" }),
        json!({ "serviceType": "data" }),
        json!({ "tlsConfig": { "securityPolicy": "TLS13_1_2_2022_10" } }),
        json!({ "tlsConfig": { "securityPolicy": "IoTSecurityPolicy_TLS11" } }),
        json!({ "authenticationType": "AWS_X509" }),
        json!({ "applicationProtocol": "HTTPS" }),
        json!({ "authenticationType": "AWS_X509", "applicationProtocol": "MQTT_WSS" }),
        json!({ "authenticationType": "AWS_SIGV4", "applicationProtocol": "SECURE_MQTT" }),
        json!({ "authenticationType": "CUSTOM_AUTH", "applicationProtocol": "HTTPS" }),
        json!({ "authenticationType": "CUSTOM_AUTH_X509", "applicationProtocol": "SECURE_MQTT" }),
        json!({ "authorizerConfig": { "defaultAuthorizerName": "a" } }),
        json!({ "authorizerConfig": { "allowAuthorizerOverride": true } }),
        json!({ "clientCertificateConfig": { "clientCertificateCallbackArn": "arn:aws:lambda:us-east-1:123456789012:function:f" } }),
        json!({ "serverCertificateConfig": { "enableOCSPCheck": true } }),
        json!({ "validationCertificateArn": FLEET }),
        json!({ "domainName": "localhost", "serverCertificateArns": [FLEET] }),
        json!({ "domainName": "a.localhost", "serverCertificateArns": [FLEET] }),
        json!({ "domainName": "iot.test", "serverCertificateArns": [FLEET] }),
        json!({ "domainName": "a-ats.iot.us-east-1.IOT.TEST", "serverCertificateArns": [FLEET] }),
        json!({ "domainName": "*.example.com", "serverCertificateArns": [FLEET] }),
        json!({ "domainName": "192.0.2.1", "serverCertificateArns": [FLEET] }),
        json!({ "domainName": "mqtt.example.com." , "serverCertificateArns": [FLEET] }),
        json!({ "nonsense": 1 }),
    ] {
        create(&api, "a", body).invalid().await;
    }
    api.get("/domainConfigurations/a").refused(404, "ResourceNotFoundException").await;
    api.snapshot("create_domain_configuration_refused");
}

async fn a_certificate_must_be_the_accounts_and_name_the_domain(api: Api) {
    for body in [
        json!({ "domainName": "mqtt.example.com" }),
        json!({ "serverCertificateArns": [FLEET] }),
        json!({ "domainName": "mqtt.example.com", "serverCertificateArns": [STRANGERS] }),
        json!({ "domainName": "mqtt.example.com", "serverCertificateArns": [FLEET, FLEET] }),
        json!({ "domainName": "mqtt.example.com", "serverCertificateArns": ["fleet"] }),
    ] {
        create(&api, "a", body).invalid().await;
    }
    const REFUSED: &str = "CertificateValidationException";
    let unknown = "arn:aws:acm:us-east-1:123456789012:certificate/unknown";
    let body = json!({ "domainName": "mqtt.example.com", "serverCertificateArns": [unknown] });
    create(&api, "a", body).refused(400, REFUSED).await;
    create(&api, "a", own("a.mqtt.example.com")).refused(400, REFUSED).await;
    create(&api, "a", own("mqtt.example.net")).refused(400, REFUSED).await;
    create(&api, "a", own("mqtt.example.org")).ok().await;
    // It ends with the year 2029.
    api.clock().set(gatehouse_domain::time::Timestamp::from_secs(1_893_456_001));
    create(&api, "b", own("b.example.com")).refused(400, REFUSED).await;
    api.snapshot("create_domain_configuration_certificate");
}

async fn a_domain_name_belongs_to_one_scope(api: Api) {
    create(&api, "first", own("mqtt.example.com")).ok().await;
    create(&api, "second", own("Mqtt.Example.com")).invalid().await;
    let other = api.of_account("210987654321").await;
    let theirs = json!({ "domainName": "mqtt.example.com", "serverCertificateArns": [STRANGERS] });
    let refused = create(&other, "theirs", theirs.clone()).invalid().await;
    assert!(!refused.contains("123456789012"), "{refused}");
    other.get("/domainConfigurations/first").refused(404, "ResourceNotFoundException").await;
    api.in_region(OTHER_REGION).get("/domainConfigurations/first").refused(404, "ResourceNotFoundException").await;
    // When it is gone, the name is free.
    api.put("/domainConfigurations/first").json(json!({ "domainConfigurationStatus": "DISABLED" })).quietly().ok().await;
    create(&other, "theirs", theirs.clone()).invalid().await;
    api.delete("/domainConfigurations/first").quietly().ok().await;
    create(&other, "theirs", theirs).ok().await;
}

async fn a_scope_has_ten_configurations(api: Api) {
    for number in 0..10 {
        create(&api, &format!("d{number}"), json!({})).quietly().ok().await;
    }
    create(&api, "more", json!({})).refused(410, "LimitExceededException").await;
    create(&api.in_region(OTHER_REGION), "more", json!({})).quietly().ok().await;
    // Endpoints do not count.
    let policy = json!({ "tlsConfig": { "securityPolicy": "IoTSecurityPolicy_TLS13_1_3_2022_10" } });
    api.put("/domainConfigurations/iot:Data-ATS").json(policy).quietly().ok().await;
}

async fn tags_come_with_a_configuration(api: Api) {
    let made = create(&api, "a", json!({ "tags": [{ "Key": "k", "Value": "v" }] })).quietly().ok().await;
    let arn = made["domainConfigurationArn"].as_str().unwrap().to_owned();
    let listed = |arn: &str| api.get(format!("/tags?resourceArn={}", encoded(arn))).quietly();
    assert_eq!(listed(&arn).ok().await["tags"], json!([{ "Key": "k", "Value": "v" }]));
    let more = json!({ "resourceArn": arn, "tags": [{ "Key": "l", "Value": "w" }] });
    api.post("/tags").json(more).quietly().ok().await;
    assert_eq!(listed(&arn).ok().await["tags"].as_array().unwrap().len(), 2);
    for wrong in ["domainconfiguration/a/xxxxx", "domainconfiguration/a", "domainconfiguration/b/aaaaa"] {
        listed(&api.arn(wrong)).refused(404, "ResourceNotFoundException").await;
    }
    create(&api, "b", json!({ "tags": [{ "Key": "aws:k" }] })).quietly().invalid().await;
}

async fn policies_know_the_arn_of_what_is_made(api: Api) {
    use gatehouse_control::access_key::AccessKeyWish;
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "iot:*", "Resource": api.arn("domainconfiguration/mine*/*") },
    ] });
    let account = crate::harness::ACCOUNT.parse().unwrap();
    let wish = AccessKeyWish { account, policy: Some(policy.to_string()), expires_at: None };
    let limited = api.with_key(api.running().access_key(wish).await);
    create(&limited, "mine-1", json!({})).quietly().ok().await;
    create(&limited, "other", json!({})).quietly().refused(403, "AccessDeniedException").await;
    limited.get("/domainConfigurations/mine-1").quietly().ok().await;
}
