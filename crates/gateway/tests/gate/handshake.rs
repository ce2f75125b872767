//! TLS: who can prove possession of a key gets through, and nobody else.

use std::io::ErrorKind;

use gatehouse_mqtt::packet::Connect;
use gatehouse_mqtt::{Packet, Version, encode};
use gatehouse_pki::authority::ServerChain;
use rustls::SignatureScheme as S;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Answer, Device, Gate, Key, home, text};

const FAILURES: &str = "gatehouse_handshake_failures_total{reason=\"failed\"}";

#[tokio::test]
async fn every_kind_of_key_is_let_in_by_both_versions_of_tls() {
    let gate = Gate::open().await;
    let mut devices = vec![("X.509 v1", Device::version_1())];
    for key in [Key::P256, Key::P384, Key::P521, Key::Rsa2048] {
        devices.push(("X.509 v3", Device::with_key(key)));
    }
    for (what, device) in devices {
        gate.enrol(&device, home()).await;
        gate.call(&device).connect("dev").await.accepted().hears_nothing().await;
        match gate.call(&device).tls12().connect("dev").await {
            Answer::Accepted(mut client) => client.hears_nothing().await,
            _ => panic!("{what} in TLS 1.2"),
        }
    }
    assert_eq!(gate.metric(FAILURES), 0);
}

#[tokio::test]
async fn a_certificate_without_its_key_does_not_get_through_the_handshake() {
    let gate = Gate::open().await;
    for kind in [Key::P256, Key::Rsa2048] {
        let victim = Device::with_key(kind);
        gate.enrol(&victim, home()).await;
        for key in [kind, Key::P384] {
            let thief = Device { key: Device::with_key(key).key, ..victim.clone() };
            drop(gate.call(&thief).connect("dev").await.broken());
            drop(gate.call(&thief).tls12().connect("dev").await.broken());
        }
    }
    gate.until(|gate| gate.metric(FAILURES) == 8).await;
    assert_eq!(gate.metric("gatehouse_admissions_total"), 0);
}

#[tokio::test]
async fn a_victims_certificate_behind_ones_own_counts_for_nothing() {
    let gate = Gate::open().await;
    let victim = gate.device().await;
    let mut thief = Device::with_key(Key::P256);
    thief.chain.extend(victim.chain);
    assert_eq!(gate.call(&thief).connect("dev").await.explained().0, 0x87);
    assert_eq!(gate.refusals("not-registered"), 1);
}

#[tokio::test]
async fn without_a_certificate_there_is_no_handshake() {
    let gate = Gate::open().await;
    let mut call = gate.call(&gate.device().await);
    call.key = None;
    drop(call.connect("dev").await.broken());
    drop(call.tls12().connect("dev").await.broken());
    gate.until(|gate| gate.metric(FAILURES) == 2).await;
}

#[tokio::test]
async fn what_follows_the_leaf_does_not_matter() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let junk = || CertificateDer::from(b"this is no certificate".to_vec());
    let table: [(&str, Vec<CertificateDer<'static>>); 3] = [
        ("junk", vec![junk()]),
        ("itself a hundred times", vec![device.chain[0].clone(); 99]),
        ("a lot of junk", vec![junk(); 1000]),
    ];
    for (what, more) in table {
        let mut device = device.clone();
        device.chain.extend(more);
        for call in [gate.call(&device), gate.call(&device).tls12()] {
            match call.connect("dev").await {
                Answer::Accepted(mut client) => client.hears_nothing().await,
                _ => panic!("{what}"),
            }
        }
    }
}

#[tokio::test]
async fn a_leaf_that_is_no_certificate_fails_the_handshake() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let whole = device.chain[0].to_vec();
    let broken = [
        b"this is no certificate".to_vec(),
        whole[..whole.len() - 1].to_vec(),
        [whole.as_slice(), b"x"].concat(),
        Vec::new(),
    ];
    for leaf in broken {
        let device = Device { chain: vec![CertificateDer::from(leaf)], ..device.clone() };
        drop(gate.call(&device).connect("dev").await.broken());
        drop(gate.call(&device).tls12().connect("dev").await.broken());
    }
    assert_eq!(gate.metric("gatehouse_admissions_total"), 0);
    gate.connect(&device, "dev").await.hears_nothing().await;
}

#[tokio::test]
async fn the_server_chain_is_one_that_the_client_can_verify() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let rsa = vec![S::RSA_PSS_SHA256, S::RSA_PKCS1_SHA256];
    let both = [rsa.clone(), vec![S::ECDSA_NISTP256_SHA256]].concat();
    let p384_only = [rsa.clone(), vec![S::ECDSA_NISTP384_SHA384]].concat();
    let mut seen = Vec::new();
    for (schemes, expected) in [(both, "ecdsa"), (rsa, "rsa"), (p384_only, "rsa")] {
        for mut call in [gate.call(&device), gate.call(&device).tls12()] {
            call.schemes.clone_from(&schemes);
            let client = call.connect("dev").await.accepted();
            let leaf = client.stream.get_ref().1.peer_certificates().unwrap()[0].clone();
            seen.push((expected, leaf));
        }
    }
    let of = |kind| seen.iter().filter(move |(expected, _)| *expected == kind).map(|(_, leaf)| leaf);
    assert!(of("ecdsa").all(|leaf| Some(leaf) == of("ecdsa").next()));
    assert!(of("rsa").all(|leaf| Some(leaf) == of("rsa").next()));
    // An RSA key and signature alone take 512 octets.
    assert!(of("ecdsa").next().unwrap().len() < 512 && of("rsa").next().unwrap().len() > 512);
}

#[tokio::test]
async fn port_443_speaks_mqtt_with_a_certificate_only_with_those_who_name_it() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let mut call = gate.call(&device);
    call.alpn = vec![b"h2".to_vec(), b"x-amzn-mqtt-ca".to_vec()];
    for address in [gate.alpn, gate.mqtt] {
        call.address = address;
        let mut client = call.connect("dev").await.accepted();
        assert_eq!(client.stream.get_ref().1.alpn_protocol(), Some(b"x-amzn-mqtt-ca".as_slice()));
        client.hears_nothing().await;
    }
    for names in [vec![b"mqtt".to_vec()], vec![b"h2".to_vec()], vec![b"x-amzn-mqtt".to_vec(), b"h3".to_vec()]] {
        call.alpn.clone_from(&names);
        call.address = gate.alpn;
        drop(call.connect("dev").await.broken());
        // Where MQTT is all there is, the name does not matter.
        call.address = gate.mqtt;
        let mut client = call.connect("dev").await.accepted();
        assert_eq!(client.stream.get_ref().1.alpn_protocol(), None);
        client.hears_nothing().await;
    }
    gate.until(|gate| gate.metric("gatehouse_handshake_failures_total{reason=\"no-alpn\"}") == 3).await;
}

/// Sends bytes as they are, and reads to the end of the answer.
async fn shout(gate: &Gate, bytes: &[u8]) -> Vec<u8> {
    let mut tcp = TcpStream::connect(gate.mqtt).await.unwrap();
    let mut answer = Vec::new();
    let _peer_gone = tcp.write_all(bytes).await;
    match tcp.read_to_end(&mut answer).await {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    answer
}

#[tokio::test]
async fn what_is_no_tls_is_closed_and_answered_with_an_alert_at_most() {
    let gate = Gate::open().await;
    let mut mqtt = bytes::BytesMut::new();
    let connect = Packet::Connect(Box::new(Connect::new(Version::V5, text("dev"))));
    encode(&connect, Version::V5, &mut mqtt).unwrap();
    let too_large = [[0x16, 3, 1, 0xff, 0xff].as_slice(), &[1; 0xffff]].concat();
    // A handshake message that claims 16 MB, in records of the largest size.
    let record = |body: &[u8]| [[0x16, 3, 1, 0x40, 0].as_slice(), body, &vec![0; 0x4000 - body.len()]].concat();
    let endless = [record(&[1, 0xff, 0xff, 0xff]), record(&[]), record(&[]), record(&[]), record(&[])].concat();
    let table: [(&str, &[u8]); 6] = [
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("MQTT without TLS", &mqtt),
        ("zeros", &[0; 4096]),
        ("SSL 2", &[0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10, 1, 0, 0x80]),
        ("a record of 64 KB", &too_large),
        ("a ClientHello of 16 MB", &endless),
    ];
    for (what, bytes) in table {
        let answer = shout(&gate, bytes).await;
        assert!(answer.is_empty() || answer[0] == 0x15, "{what}: {answer:?}");
    }
    gate.until(|gate| gate.metric(FAILURES) == 6).await;
    gate.client("dev").await.hears_nothing().await;
}

#[tokio::test]
async fn a_peer_that_leaves_in_the_middle_of_the_handshake_is_forgotten() {
    let gate = Gate::open().await;
    for hello in [b"".as_slice(), &[0x16], &[0x16, 3, 1, 2, 0, 1]] {
        let mut tcp = TcpStream::connect(gate.mqtt).await.unwrap();
        tcp.write_all(hello).await.unwrap();
        drop(tcp);
    }
    gate.until(|gate| gate.metric(FAILURES) == 3).await;
}

#[tokio::test]
async fn renewed_server_chains_hold_from_the_next_connection_on() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let mut before = gate.connect(&device, "before").await;
    let leaf = |client: &crate::harness::Client| client.stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    let former = leaf(&before);
    let new = Device::with_key(Key::P256);
    let chain = || ServerChain { chain: vec![new.chain[0].to_vec()], key: new.key.secret_der().to_vec().into() };
    gate.gateway.renew(&gatehouse_gateway::ServerChains { ecdsa: chain(), rsa: chain() }).unwrap();
    let after = gate.connect(&device, "after").await;
    assert_eq!(leaf(&after), new.chain[0]);
    assert_ne!(former, new.chain[0]);
    before.hears_nothing().await;

    // A key that does not belong to the certificate is not served.
    let wrong = || ServerChain { key: device.key.secret_der().to_vec().into(), ..chain() };
    assert!(gate.gateway.renew(&gatehouse_gateway::ServerChains { ecdsa: wrong(), rsa: wrong() }).is_err());
    assert_eq!(leaf(&gate.connect(&device, "still").await), new.chain[0]);
}
