//! DescribeDomainConfiguration.

use serde_json::json;

use crate::client::Api;
use crate::harness::{NOW, on_both_engines};
use crate::server_certificates::FLEET;

on_both_engines!(endpoints_are_configurations_too, the_state_of_a_certificate_is_that_of_now);

async fn endpoints_are_configurations_too(api: Api) {
    for (name, service) in [
        ("iot:Data-ATS", "DATA"),
        ("iot:Data", "DATA"),
        ("iot:Jobs", "JOBS"),
        ("iot:CredentialProvider", "CREDENTIAL_PROVIDER"),
    ] {
        let described = api.get(format!("/domainConfigurations/{name}")).quietly().ok().await;
        let endpoint = api.get(format!("/endpoint?endpointType={name}")).quietly().ok().await;
        assert_eq!(described["domainName"], endpoint["endpointAddress"]);
        assert_eq!(described["domainConfigurationArn"], api.arn(&format!("domainconfiguration/{name}")));
        assert_eq!((&described["serviceType"], &described["domainType"]), (&json!(service), &json!("ENDPOINT")));
        assert_eq!(described["tlsConfig"]["securityPolicy"], "IoTSecurityPolicy_TLS13_1_2_2022_10");
    }
    for unknown in ["iot:data-ats", "iot:Beta", "a", "a:b"] {
        api.get(format!("/domainConfigurations/{unknown}")).refused(404, "ResourceNotFoundException").await;
    }
    api.get("/domainConfigurations/a%20b").invalid().await;
    api.snapshot("describe_domain_configuration");
}

async fn the_state_of_a_certificate_is_that_of_now(api: Api) {
    let body = json!({ "domainName": "mqtt.example.com", "serverCertificateArns": [FLEET] });
    api.post("/domainConfigurations/fleet").json(body).quietly().ok().await;
    let state = || async {
        let described = api.get("/domainConfigurations/fleet").quietly().ok().await;
        let certificate = &described["serverCertificates"][0];
        let detail = certificate["serverCertificateStatusDetail"].as_str().unwrap_or_default().to_owned();
        (certificate["serverCertificateStatus"].as_str().unwrap().to_owned(), detail)
    };
    let running = api.running();
    let reload = || running.house.server_certificates.reload(NOW);
    assert_eq!(state().await, ("VALID".to_owned(), String::new()));
    assert!(reload().is_empty());

    // A replacement that does not serve leaves the former.
    running.server_certificates.spoil();
    reload();
    let (status, detail) = state().await;
    assert_eq!(status, "VALID");
    assert!(detail.contains("does not belong to the certificate"), "{detail}");
    running.server_certificates.write(&["*.example.com"], 2027);
    reload();
    let (status, detail) = state().await;
    assert!(status == "VALID" && detail.contains("expired"), "{status} {detail}");

    running.server_certificates.write(&["*.example.com"], 2031);
    reload();
    assert_eq!(state().await, ("VALID".to_owned(), String::new()));
    running.server_certificates.write(&["*.example.net"], 2031);
    reload();
    let (status, detail) = state().await;
    assert!(status == "INVALID" && detail.contains("mqtt.example.com"), "{status} {detail}");
}
