//! A certificate that leaves ACTIVE takes its connections with it: those, at once, and no others.

use gatehouse_domain::certificate::{CertificateMode, CertificateStatus};
use gatehouse_mqtt::packet::Connect;
use gatehouse_mqtt::{Delivery, Packet, Qos, Version, encode};
use gatehouse_store::CertificateRecord;

use crate::harness::{
    Answer, Client, Db, Device, Gate, HeldTime, Key, Registrar, Setup, home, host, on_both_engines, other, publish,
    text,
};

const REVOKED: &str = "the certificate is REVOKED for good: a new one is needed";

async fn leaving_active_cuts_the_connection_and_says_why(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    let table = [
        (CertificateStatus::Revoked, "revoked", REVOKED),
        (
            CertificateStatus::Inactive,
            "inactive",
            "the certificate is INACTIVE: UpdateCertificate --new-status ACTIVE switches it on",
        ),
        (
            CertificateStatus::PendingTransfer,
            "pending-transfer",
            "the certificate is PENDING_TRANSFER: its transfer must be accepted, rejected or cancelled first",
        ),
    ];
    for (status, label, sentence) in table {
        let device = gate.device().await;
        let mut client = gate.connect(&device, "five").await;
        let mut older = gate.call(&device).mqtt311().connect("three").await.accepted();
        let mut bystander = gate.client("bystander").await;
        gate.registrar.set_status(home(), device.id, status).await;
        assert_eq!(client.until_closed().await, Some((0x87, sentence.to_owned())));
        assert_eq!(older.until_closed().await, None);
        gate.until(|gate| gate.connections() == 1 && gate.cuts(label) >= 2).await;
        assert_eq!(gate.cuts(label), 2, "each is counted once");
        assert_eq!(gate.call(&device).connect("five").await.explained(), (0x87, sentence.to_owned()));
        bystander.hears_nothing().await;
    }
}

async fn a_deleted_certificate_is_cut(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    let device = gate.device().await;
    let mut client = gate.connect(&device, "dev").await;
    gate.registrar.delete(home(), device.id).await;
    let said = client.until_closed().await;
    assert_eq!(said, Some((0x87, "the certificate was deleted from the registry".to_owned())));
    gate.until(|gate| gate.cuts("deleted") == 1).await;
    assert_eq!(gate.call(&device).connect("dev").await.explained().0, 0x87);
    assert_eq!(gate.refusals("not-registered"), 1);
}

async fn only_the_scope_that_revokes_is_cut(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    let device = Device::with_key(Key::P256);
    for scope in [home(), other()] {
        let record = CertificateRecord { mode: CertificateMode::SniOnly, ..Registrar::record(scope, device.id) };
        gate.registrar.register(&record).await;
        gate.registrar.attach(scope, "all", device.id).await;
    }
    let mut here = gate.connect(&device, "dev").await;
    let there = gate.call(&device).at(host(other()));
    let mut away = there.connect("dev").await.accepted();
    gate.registrar.revoke(home(), device.id).await;
    assert_eq!(here.until_closed().await.unwrap().0, 0x87);
    away.hears_nothing().await;
    let mut newcomer = there.connect("dev-2").await.accepted();
    newcomer.hears_nothing().await;
    gate.until(|gate| gate.connections() == 2).await;
}

async fn an_admission_that_races_a_revocation_does_not_survive_it(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    let device = gate.device().await;
    // How much earlier the change begins than the call, in turns of the scheduler. It follows the outcomes, so that most
    // rounds are decided narrowly.
    let mut lead = 0_i32;
    let mut random = 1_u32;
    let (mut cut, mut refused) = (0, 0);
    for round in 0..200 {
        let (call, registrar, id) = (gate.call(&device), gate.registrar.clone(), device.id);
        let calling = tokio::spawn(async move {
            turns(lead).await;
            call.connect("dev").await
        });
        turns(-lead).await;
        registrar.set_status(home(), id, CertificateStatus::Inactive).await;
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let step = (random >> 22).cast_signed();
        match calling.await.unwrap() {
            // Whoever came through before the change is cut after it.
            Answer::Accepted(mut client) => {
                assert_eq!(client.until_closed().await.unwrap().0, 0x87, "round {round}");
                cut += 1;
                lead += step;
            }
            // Cut just before its CONNACK was written, it hears nothing at all.
            answer => {
                let said = answer.refused();
                assert!(said.is_empty() || said.get(3) == Some(&0x87), "round {round}: {said:?}");
                refused += 1;
                lead -= step;
            }
        }
        registrar.set_status(home(), id, CertificateStatus::Active).await;
    }
    gate.until(|gate| gate.connections() == 0).await;
    assert!(cut > 0 && refused > 0, "that was no race: {cut} were cut, {refused} refused");
}

async fn turns(count: i32) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

on_both_engines!(
    leaving_active_cuts_the_connection_and_says_why,
    a_deleted_certificate_is_cut,
    only_the_scope_that_revokes_is_cut,
    an_admission_that_races_a_revocation_does_not_survive_it,
);

/// A device that was admitted and has not said CONNECT.
async fn admitted(gate: &Gate, device: &Device) -> Client {
    let before = gate.metric("gatehouse_admission_duration_seconds_count");
    let client = gate.call(device).tls().await.unwrap();
    gate.until(|gate| gate.metric("gatehouse_admission_duration_seconds_count") == before + 1).await;
    client
}

#[tokio::test]
async fn a_certificate_revoked_between_handshake_and_connect_is_refused() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let client = admitted(&gate, &device).await;
    gate.registrar.revoke(home(), device.id).await;
    let answer = client.connect(Connect::new(Version::V5, text("dev"))).await;
    assert_eq!(answer.explained(), (0x87, REVOKED.to_owned()));
    assert_eq!(gate.refusals("revoked"), 1);
    assert_eq!(gate.metric("gatehouse_admissions_total"), 0);
}

#[tokio::test]
async fn a_policy_detached_between_handshake_and_connect_no_longer_allows_it() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let client = admitted(&gate, &device).await;
    gate.registrar.detach(home(), "all", device.id).await;
    assert_eq!(client.connect(Connect::new(Version::V5, text("dev"))).await.explained().0, 0x87);
    assert_eq!(gate.refusals("policy-denied"), 1);
}

#[tokio::test]
async fn what_a_device_sent_with_its_connect_is_not_published_once_it_is_revoked() {
    let gate = Gate::open().await;
    let mut listener = gate.client("listener").await;
    listener.subscribe("t").await;
    let device = gate.device().await;
    let mut client = admitted(&gate, &device).await;
    gate.registrar.revoke(home(), device.id).await;
    let mut out = bytes::BytesMut::new();
    let connect = Packet::Connect(Box::new(Connect::new(Version::V5, text("dev"))));
    for packet in [connect, publish(Delivery::AtMostOnce, "t", "late")] {
        encode(&packet, Version::V5, &mut out).unwrap();
    }
    client.write(&out).await.unwrap();
    assert_eq!(client.answer().await.explained(), (0x87, REVOKED.to_owned()));
    listener.hears_nothing().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_connections_of_the_certificate_are_cut_and_none_of_another() {
    let gate = Gate::open().await;
    let (device, neighbour) = (gate.device().await, gate.device().await);
    let (mut theirs, mut others) = (Vec::new(), Vec::new());
    for number in 0..200 {
        theirs.push(gate.connect(&device, &format!("dev-{number}")).await);
        if number % 10 == 0 {
            others.push(gate.connect(&neighbour, &format!("neighbour-{number}")).await);
        }
    }
    gate.until(|gate| gate.connections() == 220).await;
    gate.registrar.revoke(home(), device.id).await;
    for mut client in theirs {
        assert_eq!(client.until_closed().await, Some((0x87, REVOKED.to_owned())));
    }
    gate.until(|gate| gate.connections() == 20 && gate.cuts("revoked") >= 200).await;
    assert_eq!(gate.cuts("revoked"), 200);
    for client in &mut others {
        client.hears_nothing().await;
    }
}

#[tokio::test]
async fn a_connection_that_is_blocked_in_writing_is_cut() {
    let time = HeldTime::hold().await;
    let gate = Gate::open().await;
    let device = gate.device().await;
    let mut deaf = gate.connect(&device, "deaf").await;
    assert!(!deaf.subscribe_at(&["flood"], Qos::AtMostOnce).await.reasons[0].is_refusal());
    let mut publisher = gate.client("publisher").await;
    let payload = "x".repeat(100 * 1024);
    for _ in 0..200 {
        publisher.send(&publish(Delivery::AtMostOnce, "flood", &payload)).await;
    }
    publisher.publish("elsewhere", "").await;
    assert_eq!(gate.connections(), 2);
    gate.registrar.revoke(home(), device.id).await;
    gate.until(|gate| gate.cuts("revoked") == 1).await;
    // Its last word finds no room in the socket, and is given up soon.
    time.until(5, || gate.connections() == 1).await;
    publisher.hears_nothing().await;
}

#[tokio::test]
async fn a_certificate_switched_on_again_may_come_back() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let mut client = gate.connect(&device, "dev").await;
    gate.registrar.set_status(home(), device.id, CertificateStatus::Inactive).await;
    assert_eq!(client.until_closed().await.unwrap().0, 0x87);
    gate.registrar.set_status(home(), device.id, CertificateStatus::Active).await;
    gate.connect(&device, "dev").await.hears_nothing().await;
}
