//! Nobody may keep the gate waiting for long, and nobody who does keeps others waiting.

use std::time::Duration;

use gatehouse_mqtt::packet::Connect;
use gatehouse_mqtt::{Packet, Version, encode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use gatehouse_store::CertificateRecord;

use crate::harness::{Answer, Device, Gate, HeldTime, Key, NOW, Registrar, home, text};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn handshakes_that_trickle_end_after_ten_seconds() {
    let time = HeldTime::hold().await;
    let gate = Gate::open().await;
    let device = gate.device().await;
    let mut tricklers = Vec::new();
    for _ in 0..50 {
        let mut tcp = TcpStream::connect(gate.mqtt).await.unwrap();
        // A record of 512 bytes, of which a byte comes now and then.
        tcp.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc]).await.unwrap();
        tricklers.push(tcp);
    }
    for second in 0..9 {
        time.pass(SECOND).await;
        for tcp in &mut tricklers {
            tcp.write_all(&[3]).await.unwrap();
        }
        if second % 4 == 0 {
            gate.connect(&device, "honest").await.hears_nothing().await;
        }
    }
    let timed_out = "gatehouse_handshake_failures_total{reason=\"timed-out\"}";
    assert_eq!(gate.metric(timed_out), 0);
    time.until(3, || gate.metric(timed_out) == 50).await;
    for mut tcp in tricklers {
        // Closed; with a reset, as what came last was not read.
        assert!(matches!(tcp.read(&mut [0; 16]).await, Ok(0) | Err(_)));
    }
    gate.connect(&device, "honest").await.hears_nothing().await;
}

#[tokio::test]
async fn a_connect_that_trickles_ends_after_ten_seconds() {
    let time = HeldTime::hold().await;
    let gate = Gate::open().await;
    let device = gate.device().await;
    let mut out = bytes::BytesMut::new();
    let connect = Packet::Connect(Box::new(Connect::new(Version::V5, text("a-client-that-takes-its-time"))));
    encode(&connect, Version::V5, &mut out).unwrap();
    let mut tricklers = Vec::new();
    for _ in 0..10 {
        tricklers.push(gate.call(&device).tls().await.unwrap());
    }
    let silent = gate.call(&device).tls().await.unwrap();
    gate.until(|gate| gate.metric("gatehouse_admission_duration_seconds_count") == 11).await;
    for byte in &out[..9] {
        for client in &mut tricklers {
            client.write(&[*byte]).await.unwrap();
        }
        time.pass(SECOND).await;
    }
    gate.connect(&device, "honest").await.hears_nothing().await;
    for _ in 0..3 {
        time.pass(SECOND).await;
    }
    tricklers.push(silent);
    for client in tricklers {
        match client.answer().await {
            Answer::Refused(said) => assert_eq!(said, b""),
            Answer::Broken(_) => {}
            Answer::Accepted(_) => panic!("accepted"),
        }
    }
    assert_eq!(gate.metric("gatehouse_admissions_total"), 1);
}

#[tokio::test]
async fn a_device_that_is_silent_for_one_and_a_half_keep_alives_is_cut() {
    let time = HeldTime::hold().await;
    let gate = Gate::open().await;
    let device = gate.device().await;
    // 30 seconds are the least.
    let connect = |version| Connect { keep_alive_secs: 1, ..Connect::new(version, text("dev")) };
    let mut client = gate.call(&device).connect_with(connect(Version::V5)).await.accepted();
    for _ in 0..2 {
        time.pass(44 * SECOND).await;
        client.hears_nothing().await;
    }
    time.pass(44 * SECOND).await;
    assert_eq!(gate.connections(), 1);
    time.until(3, || gate.connections() == 0).await;
    assert_eq!(client.until_closed().await.unwrap().0, 0x8d);

    let mut older = gate.call(&device).mqtt311().connect_with(connect(Version::V311)).await.accepted();
    time.until(47, || gate.connections() == 0).await;
    assert_eq!(older.until_closed().await, None);
}

#[tokio::test]
async fn a_device_whose_certificate_expires_is_cut() {
    let time = HeldTime::hold().await;
    let gate = Gate::open().await;
    let device = Device::with_key(Key::P256);
    let record = CertificateRecord { not_after: NOW.plus_millis(60_000), ..Registrar::record(home(), device.id) };
    gate.registrar.register(&record).await;
    gate.registrar.attach(home(), "all", device.id).await;
    let connect = Connect { keep_alive_secs: 30, ..Connect::new(Version::V5, text("dev")) };
    let mut client = gate.call(&device).connect_with(connect).await.accepted();
    for _ in 0..6 {
        gate.clock.advance_ms(10_000);
        time.pass(10 * SECOND).await;
        client.hears_nothing().await;
    }
    // The last second is over.
    gate.clock.advance_ms(1_000);
    time.until(50, || gate.connections() == 0).await;
    assert_eq!(client.until_closed().await, Some((0x87, "the certificate has expired".to_owned())));
    gate.until(|gate| gate.cuts("expired") == 1).await;
}
