//! The host name of the ClientHello picks the scope, and under which policy something else can stand for it.

use gatehouse_domain::certificate::CertificateMode;
use gatehouse_domain::domain_configuration::{
    Access, ApplicationProtocol, AuthenticationType, DomainConfigurationStatus,
};
use gatehouse_domain::endpoint::EndpointType;
use gatehouse_domain::scope::Scope;
use gatehouse_gateway::SniPolicy;
use gatehouse_store::{CertificateRecord, DomainConfigurationRecord};

use crate::harness::{Answer, Call, Device, Gate, Key, Registrar, Setup, home, host, host_of_type, other};

fn abroad() -> Scope {
    Scope::new(home().account, "eu-central-1".parse().unwrap())
}

/// Registers a new device in these scopes and modes.
async fn registered(gate: &Gate, registrations: &[(Scope, CertificateMode)]) -> Device {
    let device = Device::with_key(Key::P256);
    for (scope, mode) in registrations {
        gate.registrar.register(&CertificateRecord { mode: *mode, ..Registrar::record(*scope, device.id) }).await;
        gate.registrar.attach(*scope, "all", device.id).await;
    }
    device
}

async fn with_policy(sni: SniPolicy) -> Gate {
    let gate = Gate::with(Setup { sni, ..Setup::default() }).await;
    gate.registrar.make_policy(abroad(), "all", crate::harness::ALLOW_ALL).await;
    gate
}

/// The label of the refusal, or `None` for a device that was let in.
async fn outcome(gate: &Gate, call: Call) -> Option<&'static str> {
    let labels = [
        "sni-missing",
        "sni-unknown",
        "sni-only",
        "not-registered",
        "wrong-endpoint",
        "foreign-session",
        "domain-disabled",
    ];
    let before = labels.map(|label| gate.refusals(label));
    match call.connect("dev").await {
        Answer::Accepted(mut client) => {
            client.hears_nothing().await;
            None
        }
        answer => {
            assert_eq!(answer.explained().0, 0x87);
            labels
                .into_iter()
                .zip(before)
                .find(|(label, before)| gate.refusals(label) > *before)
                .map(|(label, _)| label)
        }
    }
}

#[tokio::test]
async fn sni_policy_and_registration_decide_together() {
    use CertificateMode::{Default, SniOnly};
    use SniPolicy::{Optional, Required, Strict};

    let registrations: [(&str, &[(Scope, CertificateMode)]); 6] = [
        ("nowhere", &[]),
        ("DEFAULT once", &[(home(), Default)]),
        ("SNI_ONLY once", &[(home(), SniOnly)]),
        ("DEFAULT in two Regions", &[(home(), Default), (abroad(), Default)]),
        ("SNI_ONLY in two accounts", &[(home(), SniOnly), (other(), SniOnly)]),
        ("DEFAULT, and SNI_ONLY with a stranger", &[(home(), Default), (other(), SniOnly)]),
    ];
    // For each of them: an unknown name, and no name.
    let expected: [(SniPolicy, [[Option<&str>; 2]; 6]); 3] = [
        (
            Required,
            [
                [Some("not-registered"), Some("sni-missing")],
                [None, Some("sni-missing")],
                [Some("sni-only"), Some("sni-missing")],
                [Some("sni-unknown"), Some("sni-missing")],
                [Some("sni-only"), Some("sni-missing")],
                [None, Some("sni-missing")],
            ],
        ),
        (Strict, [[Some("sni-unknown"), Some("sni-missing")]; 6]),
        (
            Optional,
            [
                [Some("not-registered"), Some("not-registered")],
                [None, None],
                [Some("sni-only"), Some("sni-only")],
                [Some("sni-unknown"), Some("sni-missing")],
                [Some("sni-only"), Some("sni-only")],
                [None, None],
            ],
        ),
    ];
    for (policy, rows) in expected {
        let gate = with_policy(policy).await;
        for ((what, scopes), [unknown, missing]) in registrations.iter().zip(rows) {
            let device = registered(&gate, scopes).await;
            let call = || gate.call(&device);
            let case = format!("{policy:?}, {what}");
            assert_eq!(outcome(&gate, call().at("gate.example.com")).await, unknown, "{case}, unknown name");
            assert_eq!(outcome(&gate, call().without_sni()).await, missing, "{case}, no name");
            // The address instead of a name: RFC 6066 knows no SNI for it.
            assert_eq!(outcome(&gate, call().at("127.0.0.1")).await, missing, "{case}, address");
            let named = if scopes.is_empty() { Some("not-registered") } else { None };
            assert_eq!(outcome(&gate, call().at(host(home()))).await, named, "{case}, endpoint");
            assert_eq!(outcome(&gate, call().at("localhost")).await, named, "{case}, localhost");
        }
    }
}

#[tokio::test]
async fn the_endpoint_named_is_the_only_scope_asked() {
    let gate = with_policy(SniPolicy::Optional).await;
    let theirs = registered(&gate, &[(other(), CertificateMode::Default)]).await;
    assert_eq!(outcome(&gate, gate.call(&theirs)).await, Some("not-registered"));
    assert_eq!(outcome(&gate, gate.call(&theirs).at("localhost")).await, Some("not-registered"));
    assert_eq!(outcome(&gate, gate.call(&theirs).at(host(other()))).await, None);
    assert_eq!(outcome(&gate, gate.call(&theirs).without_sni()).await, None);
}

#[tokio::test]
async fn names_that_look_like_endpoints_are_none() {
    let gate = with_policy(SniPolicy::Strict).await;
    let device = registered(&gate, &[(home(), CertificateMode::Default)]).await;
    let prefix = host(home()).split('.').next().unwrap().to_owned();
    for name in [
        "azzzzzzzzzzzzz-ats.iot.us-east-1.localhost".to_owned(),
        format!("{prefix}.iot.eu-central-1.localhost"),
        format!("{prefix}.iot.us-east-1.localhost.example.com"),
        format!("x.{prefix}.iot.us-east-1.localhost"),
        format!("{prefix}.data.iot.us-east-1.localhost"),
        "localhost.localhost".to_owned(),
    ] {
        assert_eq!(outcome(&gate, gate.call(&device).at(&name)).await, Some("sni-unknown"), "{name}");
    }
}

#[tokio::test]
async fn endpoints_of_other_services_do_not_speak_mqtt() {
    let gate = with_policy(SniPolicy::Optional).await;
    let device = registered(&gate, &[(home(), CertificateMode::Default)]).await;
    for (endpoint_type, expected) in [
        (EndpointType::DataAts, None),
        (EndpointType::Data, None),
        (EndpointType::Jobs, Some("wrong-endpoint")),
        (EndpointType::CredentialProvider, Some("wrong-endpoint")),
    ] {
        let call = || gate.call(&device).at(host_of_type(home(), endpoint_type));
        assert_eq!(outcome(&gate, call()).await, expected, "{endpoint_type:?}");
        let told = call().mqtt311().connect("dev").await;
        match expected {
            None => drop(told.accepted()),
            Some(_) => assert_eq!(told.refused(), [0x20, 2, 0, 5]),
        }
    }
}

#[tokio::test]
async fn a_domain_configuration_is_an_endpoint_while_it_is_enabled() {
    use ApplicationProtocol::SecureMqtt;
    use DomainConfigurationStatus::{Disabled, Enabled};

    let gate = with_policy(SniPolicy::Required).await;
    let x509 = |protocol| Access::new(AuthenticationType::AwsX509, protocol).unwrap();
    for (name, access, status) in
        [("open", Access::DEFAULT, Enabled), ("mqtt", x509(SecureMqtt), Enabled), ("off", Access::DEFAULT, Disabled)]
    {
        let domain = Registrar::domain(name, &format!("{name}.example.com"));
        gate.registrar.configure(&DomainConfigurationRecord { access, status, ..domain }).await;
    }
    // SNI_ONLY: only the name of an endpoint lets it in; and a stranger's device is not this account's.
    let ours = registered(&gate, &[(home(), CertificateMode::SniOnly)]).await;
    let strangers = registered(&gate, &[(other(), CertificateMode::Default)]).await;
    for (host, expected) in [
        ("open.example.com", None),
        ("OPEN.example.com", None),
        ("mqtt.example.com", None),
        ("off.example.com", Some("domain-disabled")),
        ("none.example.com", Some("sni-only")),
    ] {
        let call = gate.call(&ours).at(host);
        assert_eq!(outcome(&gate, call).await, expected, "{host}");
    }
    let call = gate.call(&strangers).at("open.example.com");
    assert_eq!(outcome(&gate, call).await, Some("not-registered"));
}
