//! Certificates that are asked for: for keys of ours and of the device's own, signed here or by a certificate provider.

use gatehouse_domain::certificate::{CertificateMode, CertificateStatus};
use gatehouse_domain::certificate_provider::Creation;
use gatehouse_domain::time::Clock as _;
use gatehouse_mqtt::Qos;
use gatehouse_store::{CertificateProviderRecord, Page};
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};

use super::story;
use crate::harness::{CREATE, CREATE_FROM_CSR, Device, FunctionServer, Gate, Said, answered, csr, home};

#[tokio::test]
async fn a_certificate_waits_to_be_registered() {
    let (gate, mut newborn) = story().await;
    for payload in ["", "{}"] {
        let answer = newborn.request(CREATE, payload.as_bytes(), Qos::AtMostOnce).await;
        let made = answered(CREATE, &answer).unwrap();
        assert!(made["privateKey"].as_str().unwrap().starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
        let device = Device::of_answer(&made);
        let record = gate.house.store.certificate(home(), device.id).await.unwrap().unwrap();
        assert_eq!((record.status, record.mode), (CertificateStatus::PendingActivation, CertificateMode::Default));
        let unclaimed = gate.house.store.unclaimed_certificate(home(), device.id).await.unwrap().unwrap();
        assert_eq!(unclaimed.expires_at, record.created_at.plus_millis(3_600_000));
        let refused = gate.call(&device).connect("dev").await.explained();
        assert!(refused.0 == 0x87 && refused.1.contains("PENDING_ACTIVATION"), "{refused:?}");
    }
}

#[tokio::test]
async fn a_request_that_must_not_be_certified_is_refused() {
    let (gate, mut newborn) = story().await;
    let good = csr(&KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap());
    let mut lines: Vec<&str> = good.lines().collect();
    lines.swap(1, 2);
    let broken = lines.join("\n");
    for bad in ["", "x", &broken, &csr(&KeyPair::generate_for(&PKCS_ED25519).unwrap()), &"x".repeat(5_000)] {
        let refused =
            newborn.ask_service(CREATE_FROM_CSR, &json!({ "certificateSigningRequest": bad })).await.unwrap_err();
        assert_eq!((&refused["errorCode"], &refused["statusCode"]), (&json!("InvalidCsr"), &json!(400)), "{bad}");
    }
    // One key may have two certificates.
    for _ in 0..2 {
        newborn.ask_service(CREATE_FROM_CSR, &json!({ "certificateSigningRequest": good })).await.unwrap();
    }
    assert_eq!(gate.provisioned("CreateCertificateFromCsr", "InvalidCsr"), 5);
}

const PROVIDER: &str = "arn:aws:lambda:us-east-1:000000000000:function:provider";

/// Has certificates at home made by a function that says `say`.
async fn provider(gate: &Gate, say: impl Fn(&Value) -> Said + Send + Sync + 'static) -> FunctionServer {
    let server = FunctionServer::new(say).await;
    gate.house.functions.put(PROVIDER.parse().unwrap(), server.function());
    if gate.house.store.certificate_provider(home()).await.unwrap().is_none() {
        let now = gate.clock.now();
        let record = CertificateProviderRecord {
            scope: home(),
            creation: Creation { name: "provider".parse().unwrap(), token_sha256: None, request_sha256: [0; 32] },
            function_arn: PROVIDER.parse().unwrap(),
            generation_id: "1".to_owned(),
            created_at: now,
            last_modified_at: now,
        };
        gate.registrar.write(|batch| batch.insert_certificate_provider(&record)).await;
    }
    server
}

#[tokio::test]
async fn a_certificate_provider_signs_for_keys_of_devices() {
    let (gate, _) = story().await;
    let claim = gate.device().await;
    let mut newborn = gate.connect(&claim, "newborn").await;
    let authority = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let function = provider(&gate, move |event| {
        let request = CertificateSigningRequestParams::from_pem(event["certificateSigningRequest"].as_str().unwrap());
        let mut request = request.unwrap();
        request.params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        request.params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        let issuer = Issuer::new(CertificateParams::new(Vec::new()).unwrap(), &authority);
        Said::Json(json!({ "certificatePem": request.signed_by(&issuer).unwrap().pem() }))
    })
    .await;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let request = json!({ "certificateSigningRequest": csr(&key) });
    let made = newborn.ask_service(CREATE_FROM_CSR, &request).await.unwrap();
    let event = json!({
        "certificateSigningRequest": request["certificateSigningRequest"],
        "principalId": claim.id.to_string(),
        "clientId": "newborn",
    });
    assert_eq!(function.heard(), [event]);
    let device =
        Device::of(made["certificatePem"].as_str().unwrap(), PrivatePkcs8KeyDer::from(key.serialize_der()).into());
    assert_eq!(made["certificateId"], device.id.to_string());
    newborn.register(made["certificateOwnershipToken"].as_str().unwrap(), "lamp").await.unwrap();
    gate.connect(&device, "lamp").await.publish("lamp/data", "").await;
    // It is not asked for keys that are made here.
    newborn.ask_service(CREATE, &json!({})).await.unwrap();
    assert_eq!(function.heard().len(), 1);
}

#[tokio::test]
async fn a_provider_that_does_not_sign_gives_no_certificate() {
    let (gate, mut newborn) = story().await;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let request = json!({ "certificateSigningRequest": csr(&key) });
    let _function = provider(&gate, |_| Said::Json(json!({ "certificatePem": "x" }))).await;
    assert_eq!(newborn.rejected(CREATE_FROM_CSR, &request).await, "InvalidCsr");
    let gone = FunctionServer::new(|_| Said::Nothing).await.function();
    gate.house.functions.put(PROVIDER.parse().unwrap(), gone);
    assert_eq!(newborn.rejected(CREATE_FROM_CSR, &request).await, "ServiceUnavailable");
    let certificates = gate.house.store.certificates(home(), Page::first(250)).await.unwrap();
    assert_eq!(certificates.len(), 1, "the claim's");
}
