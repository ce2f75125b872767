//! What a domain configuration makes of a connection: TLS, the certificate shown, what is spoken, and whether at all.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use gatehouse_domain::domain_configuration::{
    Access, ApplicationProtocol, AuthenticationType, DomainConfigurationStatus, ServerCertificateArn,
};
use gatehouse_domain::endpoint::EndpointType;
use gatehouse_domain::security_policy::SecurityPolicy;
use gatehouse_pki::server_bundles::{BundleFiles, Reloaded};
use gatehouse_store::DomainConfigurationRecord;
use http::Method;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::CipherSuite;

use crate::harness::{Call, Db, Device, Gate, Key, NOW, Registrar, Setup, home, host_of_type, on_both_engines, other};

const ARN: &str = "arn:aws:acm:us-east-1:000000000000:certificate/fleet";
const HOST: &str = "mqtt.example.com";

fn arn() -> ServerCertificateArn {
    ARN.parse().unwrap()
}

/// The domain configuration of `HOST`, with the certificate.
fn fleet() -> DomainConfigurationRecord {
    DomainConfigurationRecord { server_certificate_arn: Some(arn()), ..Registrar::domain("fleet", HOST) }
}

fn files(folder: &Path) -> BundleFiles {
    BundleFiles { certificate: folder.join("chain.pem"), key: folder.join("key.pem") }
}

/// Puts a new certificate for `HOST` and its key in their place; answers the certificate.
fn write_certificate(folder: &Path) -> Vec<u8> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = CertificateParams::new(vec![HOST.to_owned()]).unwrap().self_signed(&key).unwrap();
    let files = files(folder);
    std::fs::write(files.certificate, certificate.pem()).unwrap();
    std::fs::write(files.key, key.serialize_pem()).unwrap();
    certificate.der().to_vec()
}

/// A gate with a certificate for `HOST`, and that certificate.
async fn with_certificate(folder: &Path) -> (Gate, Vec<u8>) {
    let leaf = write_certificate(folder);
    let certificates = BTreeMap::from([(arn(), files(folder))]);
    (Gate::with(Setup { certificates, ..Setup::default() }).await, leaf)
}

async fn is_let_in(call: &Call) -> bool {
    match call.tls().await {
        Ok(client) => {
            client
                .connect(gatehouse_mqtt::packet::Connect::new(call.mqtt, crate::harness::text("dev")))
                .await
                .accepted();
            true
        }
        Err(_) => false,
    }
}

/// Whether TLS 1.2 and TLS 1.3 are spoken.
async fn versions(call: &Call) -> (bool, bool) {
    (is_let_in(&call.clone().tls12()).await, is_let_in(call).await)
}

#[tokio::test]
async fn a_customers_domain_shows_its_certificate_and_no_other_name_does() {
    let folder = tempfile::tempdir().unwrap();
    let (gate, leaf) = with_certificate(folder.path()).await;
    let device = gate.device().await;
    let shown = async |host: &str| gate.call(&device).at(host).connect("dev").await.accepted().server_leaf();
    // Looked up in vain before it is made.
    let own = shown(HOST).await;
    gate.registrar.configure(&fleet()).await;
    gate.registrar.configure(&Registrar::domain("managed", "d1.iot.us-east-1.localhost")).await;
    let unknown: ServerCertificateArn = format!("{ARN}-gone").parse().unwrap();
    let gone = DomainConfigurationRecord {
        server_certificate_arn: Some(unknown),
        ..Registrar::domain("gone", "gone.example.com")
    };
    gate.registrar.configure(&gone).await;
    assert_ne!(own.as_ref(), leaf);
    assert_eq!(shown(HOST).await.as_ref(), leaf);
    assert_eq!(shown("MQTT.Example.COM").await.as_ref(), leaf);
    for host in ["d1.iot.us-east-1.localhost", "gone.example.com", "a.mqtt.example.com", "localhost"] {
        assert_eq!(shown(host).await, own, "{host}");
    }
    assert_eq!(gate.connect(&device, "dev").await.server_leaf(), own);
}

#[tokio::test]
async fn a_replaced_certificate_is_shown_from_the_next_connection_on_and_ends_none() {
    let folder = tempfile::tempdir().unwrap();
    let (gate, first) = with_certificate(folder.path()).await;
    gate.registrar.configure(&fleet()).await;
    let device = gate.device().await;
    let connect = async |client_id| gate.call(&device).at(HOST).connect(client_id).await.accepted();
    let mut before = connect("before").await;
    assert_eq!(before.server_leaf().as_ref(), first);

    let second = write_certificate(folder.path());
    assert!(matches!(gate.bundles.reload(NOW).as_slice(), [Reloaded::Replaced(_)]));
    let mut after = connect("after").await;
    assert_eq!(after.server_leaf().as_ref(), second);

    // Another's key.
    let stranger = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    std::fs::write(files(folder.path()).key, stranger.serialize_pem()).unwrap();
    assert!(matches!(gate.bundles.reload(NOW).as_slice(), [Reloaded::Refused(..)]));
    assert_eq!(connect("still").await.server_leaf().as_ref(), second);
    before.hears_nothing().await;
    after.hears_nothing().await;
}

#[tokio::test]
async fn a_security_policy_says_which_versions_and_suites_are_spoken() {
    let folder = tempfile::tempdir().unwrap();
    let (gate, _) = with_certificate(folder.path()).await;
    let device = gate.device().await;
    let hosts = [HOST.to_owned(), crate::harness::host(home()), "localhost".to_owned()];
    for policy in SecurityPolicy::ALL {
        gate.registrar.configure(&DomainConfigurationRecord { security_policy: policy, ..fleet() }).await;
        gate.registrar.configure_endpoint(home(), "iot:Data-ATS", policy).await;
        for host in &hosts {
            let call = gate.call(&device).at(host);
            let expected = (policy.has_tls12(), policy.has_tls13());
            assert_eq!(versions(&call).await, expected, "{policy} {host}");
            for (number, suite) in [
                (0x1301, CipherSuite::TLS13_AES_128_GCM_SHA256),
                (0x1303, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
                (0xC02C, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
                (0xCCA9, CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
            ] {
                let call = if number < 0x2000 { call.clone() } else { call.clone().tls12() };
                let call = Call { suite: Some(suite), ..call };
                assert_eq!(is_let_in(&call).await, policy.has_suite(number), "{policy} {host} {suite:?}");
            }
        }
    }
}

async fn a_change_in_another_process_counts(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    let device = gate.device().await;
    let call = gate.call(&device);
    assert_eq!(versions(&call).await, (true, true));
    assert_eq!(versions(&call.clone().at(HOST)).await, (true, true));
    let elsewhere = gate.another_process().await;
    elsewhere.configure_endpoint(home(), "iot:Data-ATS", SecurityPolicy::Tls13Only2022).await;
    let domain = Registrar::domain("fleet", HOST);
    let domain = DomainConfigurationRecord { security_policy: SecurityPolicy::Tls12Only2022, ..domain };
    elsewhere.configure(&domain).await;
    let began = std::time::Instant::now();
    while versions(&call).await != (false, true) || versions(&call.clone().at(HOST)).await != (true, false) {
        assert!(began.elapsed().as_secs() < 30, "it does not count");
    }
}

on_both_engines!(a_change_in_another_process_counts);

#[tokio::test]
async fn an_endpoints_policy_is_nobody_elses() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    gate.registrar.configure_endpoint(home(), "iot:Data-ATS", SecurityPolicy::Tls13Only2022).await;
    gate.registrar.configure_endpoint(home(), "iot:CredentialProvider", SecurityPolicy::Tls12Only2015).await;
    for (scope, endpoint_type, expected) in [
        (home(), EndpointType::DataAts, (false, true)),
        (home(), EndpointType::Data, (true, true)),
        (home(), EndpointType::Jobs, (true, true)),
        (home(), EndpointType::CredentialProvider, (true, false)),
        (other(), EndpointType::DataAts, (true, true)),
    ] {
        let call = gate.https_call(&device).at(host_of_type(scope, endpoint_type));
        let spoken = (call.clone().tls12().tls().await.is_ok(), call.tls().await.is_ok());
        assert_eq!(spoken, expected, "{scope} {endpoint_type:?}");
    }
    // Whoever names nothing that is known has no policy but the default.
    assert_eq!(versions(&gate.call(&device).at("gate.example.com")).await, (true, true));
}

#[tokio::test]
async fn a_fixed_protocol_is_spoken_on_every_port_whatever_alpn_says() {
    use ApplicationProtocol::{Https, MqttWss, SecureMqtt};
    use AuthenticationType::{AwsSigv4, AwsX509};

    let gate = Gate::open().await;
    let device = gate.device().await;
    let key = gate.access_key(None, None).await;
    for (name, authentication, protocol) in
        [("mqtt", AwsX509, SecureMqtt), ("https", AwsX509, Https), ("wss", AwsSigv4, MqttWss), ("sig", AwsSigv4, Https)]
    {
        let access = Access::new(authentication, protocol).unwrap();
        let domain = Registrar::domain(name, &format!("{name}.example.com"));
        gate.registrar.configure(&DomainConfigurationRecord { access, ..domain }).await;
    }
    let alpn: [&[&[u8]]; 5] = [&[], &[b"x-amzn-mqtt-ca"], &[b"x-amzn-http-ca"], &[b"h2", b"http/1.1"], &[b"strange"]];
    for address in [gate.mqtt, gate.https, gate.alpn] {
        for names in alpn {
            let call = |name: &str| {
                let alpn = names.iter().map(|name| name.to_vec()).collect();
                Call { address, alpn, ..gate.call(&device).at(format!("{name}.example.com")) }
            };
            let anybody = |name: &str| Call { key: None, ..call(name) };
            call("mqtt").connect("dev").await.accepted().hears_nothing().await;
            assert_eq!(call("https").tls().await.unwrap().post("a").await, 200);
            drop(gate.websocket_on(anybody("wss").tls().await.unwrap(), &key, "ws").await);
            let signature = gate.signature(&key, &Method::POST, "/topics/a", "x");
            let status = async |name| {
                let mut client = anybody(name).tls().await.unwrap();
                client.ask("POST", "/topics/a", &signature, "x").await.unwrap().status
            };
            assert_eq!((status("sig").await, status("wss").await), (200, 403));
        }
    }
    // No way around it: who should show a certificate is asked for one, and a signature does not open the others.
    for address in [gate.mqtt, gate.https, gate.alpn] {
        assert!(speaks_without_a_certificate(&gate, address, "sig").await);
        for name in ["mqtt", "https"] {
            assert!(!speaks_without_a_certificate(&gate, address, name).await, "{name}");
        }
    }
}

async fn speaks_without_a_certificate(gate: &Gate, address: SocketAddr, name: &str) -> bool {
    let device = Device::with_key(Key::P256);
    let call = Call { address, key: None, ..gate.call(&device).at(format!("{name}.example.com")) };
    match call.tls().await {
        Ok(mut client) => client.post("a").await != 0,
        Err(_) => false,
    }
}

#[tokio::test]
async fn a_disabled_domain_refuses_every_kind_of_caller() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let key = gate.access_key(None, None).await;
    let domain = Registrar::domain("fleet", HOST);
    let signature = gate.signature(&key, &Method::POST, "/topics/a", "x");
    let by_https =
        async || gate.https_call(&device).at(HOST).tls().await.unwrap().ask("POST", "/topics/a", "", "x").await;
    let signed = async || {
        let call = Call { address: gate.alpn, key: None, ..gate.call(&device).at(HOST) };
        call.tls().await.unwrap().ask("POST", "/topics/a", &signature, "x").await
    };
    gate.registrar.configure(&domain).await;
    assert_eq!(by_https().await.unwrap().status, 200);
    assert_eq!(signed().await.unwrap().status, 200);
    gate.call(&device).at(HOST).connect("dev").await.accepted();

    let status = DomainConfigurationStatus::Disabled;
    gate.registrar.configure(&DomainConfigurationRecord { status, ..domain.clone() }).await;
    assert_eq!(gate.call(&device).at(HOST).connect("dev").await.explained().0, 0x87);
    assert_eq!(gate.refusals("domain-disabled"), 1);
    for (count, response) in [(2, by_https().await), (3, signed().await)] {
        let response = response.unwrap();
        assert_eq!(response.status, 403);
        assert!(response.body.contains("DISABLED"), "{}", response.body);
        assert!(gate.refusals("domain-disabled") >= count);
    }
    assert_eq!(gate.refusals("domain-disabled"), 3);

    gate.registrar.configure(&domain).await;
    assert_eq!(by_https().await.unwrap().status, 200);
}
