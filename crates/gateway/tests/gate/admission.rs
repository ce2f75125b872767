//! The registry decides who passes: each reason to refuse, in each form that a device can be told.

use gatehouse_domain::certificate::CertificateStatus;
use gatehouse_gateway::RefusalStyle;
use gatehouse_store::CertificateRecord;

use crate::harness::{Call, Db, Device, Gate, Key, NOW, Registrar, Setup, home, host, on_both_engines, other};

const YEAR_MS: i64 = 365 * 24 * 60 * 60 * 1000;

/// Every certificate that is refused for what the registry says: the metric's label, the sentence, the device.
async fn refused_devices(gate: &Gate) -> Vec<(&'static str, &'static str, Device)> {
    let in_status = |status| gate.device_in(status);
    let mut table = vec![
        (
            "inactive",
            "the certificate is INACTIVE: UpdateCertificate --new-status ACTIVE switches it on",
            in_status(CertificateStatus::Inactive).await,
        ),
        (
            "revoked",
            "the certificate is REVOKED for good: a new one is needed",
            in_status(CertificateStatus::Revoked).await,
        ),
        (
            "pending-transfer",
            "the certificate is PENDING_TRANSFER: its transfer must be accepted, rejected or cancelled first",
            in_status(CertificateStatus::PendingTransfer).await,
        ),
        (
            "pending-activation",
            "the certificate is PENDING_ACTIVATION: UpdateCertificate --new-status ACTIVE switches it on",
            in_status(CertificateStatus::PendingActivation).await,
        ),
        (
            "register-inactive",
            "the certificate is REGISTER_INACTIVE",
            in_status(CertificateStatus::RegisterInactive).await,
        ),
    ];
    let not_registered = "the certificate is not registered in the account and Region of this endpoint";
    table.push(("not-registered", not_registered, Device::with_key(Key::P256)));

    let elsewhere = Device::with_key(Key::P256);
    gate.enrol(&elsewhere, other()).await;
    table.push(("not-registered", not_registered, elsewhere));

    let expired = Device::with_key(Key::P256);
    gate.registrar
        .register(&CertificateRecord { not_after: NOW.plus_millis(-1000), ..Registrar::record(home(), expired.id) })
        .await;
    table.push(("expired", "the certificate has expired", expired));

    let early = Device::with_key(Key::P256);
    gate.registrar
        .register(&CertificateRecord { not_before: NOW.plus_millis(1), ..Registrar::record(home(), early.id) })
        .await;
    table.push(("not-yet-valid", "the certificate is not valid yet", early));

    let without_policy = Device::with_key(Key::P256);
    gate.registrar.register(&Registrar::record(home(), without_policy.id)).await;
    table.push(("policy-denied", "no policy allows iot:Connect for this client id", without_policy));
    table
}

async fn each_refusal_has_its_code_sentence_and_count(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    for (label, sentence, device) in refused_devices(&gate).await {
        let before = gate.refusals(label);
        let told = gate.call(&device).connect("dev").await.explained();
        assert_eq!(told, (0x87, sentence.to_owned()));
        assert_eq!(gate.refusals(label), before + 1, "{label}");

        let told = gate.call(&device).mqtt311().connect("dev").await.refused();
        assert_eq!(told, [0x20, 2, 0, 5], "{label}");
        let told = gate.call(&device).mqtt311().tls12().connect("dev").await.refused();
        assert_eq!(told, [0x20, 2, 0, 5], "{label}");
        assert_eq!(gate.refusals(label), before + 3, "{label}");
    }
    assert_eq!(gate.metric("gatehouse_admissions_total"), 0);
    gate.until(|gate| gate.connections() == 0).await;
}

async fn silent_refusals_close_without_a_word(db: Db) {
    let gate = Gate::on(db, Setup { refusals: RefusalStyle::Silent, ..Setup::default() }).await;
    for (label, _, device) in refused_devices(&gate).await {
        let before = gate.refusals(label);
        assert_eq!(gate.call(&device).connect("dev").await.refused(), b"", "{label}");
        assert_eq!(gate.call(&device).mqtt311().connect("dev").await.refused(), b"", "{label}");
        assert_eq!(gate.refusals(label), before + 2, "{label}");
    }
}

async fn an_active_certificate_is_let_in_at_its_own_endpoint_only(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    let device = gate.device().await;
    gate.connect(&device, "dev").await.hears_nothing().await;
    gate.call(&device).mqtt311().tls12().connect("dev-2").await.accepted().hears_nothing().await;
    gate.call(&device).at(host(home()).to_uppercase()).connect("dev-3").await.accepted().hears_nothing().await;
    assert_eq!(gate.metric("gatehouse_admissions_total"), 3);
    let (code, _) = gate.call(&device).at(host(other())).connect("dev").await.explained();
    assert_eq!((code, gate.refusals("not-registered")), (0x87, 1));
}

on_both_engines!(
    each_refusal_has_its_code_sentence_and_count,
    silent_refusals_close_without_a_word,
    an_active_certificate_is_let_in_at_its_own_endpoint_only,
);

#[tokio::test]
async fn validity_ends_with_the_last_second_and_begins_with_the_first_moment() {
    let gate = Gate::open().await;
    let device = Device::with_key(Key::P256);
    let record = Registrar::record(home(), device.id);
    let (first, last) = (record.not_before, record.not_after);
    gate.registrar.register(&record).await;
    gate.registrar.attach(home(), "all", device.id).await;
    // The gate looked at the change log at `NOW`; a jump of the clock would make that look old.
    let table = [
        (first.plus_millis(-1), Some("not-yet-valid")),
        (first, None),
        (last, None),
        (last.plus_millis(999), None),
        (last.plus_millis(1000), Some("expired")),
        (last.plus_millis(10 * YEAR_MS), Some("expired")),
    ];
    for (now, refusal) in table {
        gate.clock.set(now);
        gate.until(|gate| gate.gateway.is_current()).await;
        let before = refusal.map(|label| gate.refusals(label));
        let answer = gate.call(&device).connect("dev").await;
        match refusal {
            None => answer.accepted().hears_nothing().await,
            Some(label) => {
                assert_eq!(answer.explained().0, 0x87, "{now}");
                assert_eq!(Some(gate.refusals(label) - 1), before, "{label} at {now}");
            }
        }
    }
}

#[tokio::test]
async fn an_unusable_client_id_is_refused_with_its_own_code() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    for client_id in ["$dev".to_owned(), "x".repeat(129)] {
        let told = gate.call(&device).connect(&client_id).await.explained();
        assert_eq!(told, (0x85, "the client id is not acceptable: at most 128 bytes, not beginning with $".to_owned()));
        assert_eq!(gate.call(&device).mqtt311().connect(&client_id).await.refused(), [0x20, 2, 0, 2]);
    }
    assert_eq!(gate.refusals("client-id"), 4);
    gate.connect(&device, &"x".repeat(128)).await.hears_nothing().await;
}

#[tokio::test]
async fn an_empty_client_id_gets_a_new_one_each_time() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let mut first = gate.connect(&device, "").await;
    let mut second = gate.connect(&device, "").await;
    first.hears_nothing().await;
    second.hears_nothing().await;
}

#[tokio::test]
async fn a_refusal_is_also_counted_when_no_connect_follows() {
    let gate = Gate::open().await;
    let device = gate.device_in(CertificateStatus::Revoked).await;
    drop(gate.call(&device).tls12().tls().await.unwrap());
    gate.until(|gate| gate.refusals("revoked") == 1).await;
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_lets_nobody_in() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    gate.registrar.make_policy(home(), "broken", "{").await;
    gate.registrar.attach(home(), "broken", device.id).await;
    let (code, _) = gate.call(&device).connect("dev").await.explained();
    assert_eq!((code, gate.refusals("registry-unavailable")), (0x88, 1));
    assert_eq!(gate.call(&device).mqtt311().connect("dev").await.refused(), [0x20, 2, 0, 3]);
}

#[tokio::test]
async fn the_client_id_rule_of_a_policy_holds() {
    let gate = Gate::open().await;
    let device = Device::with_key(Key::P256);
    gate.registrar.register(&Registrar::record(home(), device.id)).await;
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect",
        "Resource":"arn:aws:iot:us-east-1:000000000000:client/only-me"}]}"#;
    gate.registrar.make_policy(home(), "mine", document).await;
    gate.registrar.attach(home(), "mine", device.id).await;
    gate.connect(&device, "only-me").await.hears_nothing().await;
    assert_eq!(gate.call(&device).connect("not-me").await.explained().0, 0x87);
    assert_eq!(gate.refusals("policy-denied"), 1);
}

#[tokio::test]
async fn many_strangers_at_once_are_each_refused_and_leave_nothing() {
    let gate = Gate::open().await;
    let stranger = Device::with_key(Key::P256);
    let calls: Vec<Call> = (0..50).map(|_| gate.call(&stranger)).collect();
    let calls = calls.into_iter().map(|call| tokio::spawn(async move { call.connect("x").await.explained().0 }));
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), 0x87);
    }
    assert_eq!(gate.refusals("not-registered"), 50);
    gate.stop().await;
}
