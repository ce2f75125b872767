//! HTTPS: who gets in on which port, what is told to whom, and that changes of the registry count at once.

use std::time::Duration;

use gatehouse_domain::certificate::CertificateStatus;
use gatehouse_domain::endpoint::EndpointType;
use gatehouse_gateway::RefusalStyle;
use gatehouse_store::CertificateRecord;
use http::Method;

use crate::harness::{Db, host};
use crate::harness::{Device, Gate, HeldTime, Key, NOW, Registrar, Setup, home, host_of_type, on_both_engines, other};

const SECOND: Duration = Duration::from_secs(1);
const DENY_PUBLISH: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iot:Publish","Resource":"*"}]}"#;

#[tokio::test]
async fn ports_ask_for_a_certificate_or_do_not_by_what_alpn_says() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let names = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>();
    // Port, ALPN, what is answered, and the status of a publish with the certificate.
    let table: [(_, &[&str], Option<&str>, u16); 8] = [
        (gate.https, &[], None, 200),
        (gate.https, &["h2", "http/1.1"], Some("http/1.1"), 200),
        (gate.https, &["x-amzn-http-ca"], Some("x-amzn-http-ca"), 200),
        (gate.https, &["strange"], None, 200),
        (gate.alpn, &["x-amzn-http-ca"], Some("x-amzn-http-ca"), 200),
        (gate.alpn, &[], None, 403),
        (gate.alpn, &["http/1.1"], Some("http/1.1"), 403),
        (gate.alpn, &["h2", "http/1.1"], Some("http/1.1"), 403),
    ];
    for (address, offered, answered, status) in table {
        for mut call in [gate.call(&device), gate.call(&device).tls12()] {
            call.address = address;
            call.alpn = names(offered);
            let mut client = call.tls().await.unwrap();
            assert_eq!(client.stream.get_ref().1.alpn_protocol(), answered.map(str::as_bytes), "{offered:?}");
            assert_eq!(client.post("a").await, status, "{offered:?}");
        }
    }
    let mut call = gate.https_call(&device);
    call.key = None;
    assert!(call.tls().await.is_err() || call.tls().await.unwrap().is_closed().await);
}

#[tokio::test]
async fn without_a_signature_port_443_says_what_is_missing() {
    let gate = Gate::open().await;
    let response = gate.signed().await.ask("POST", "/topics/a", "", "x").await.unwrap();
    assert_eq!(response.status, 403);
    assert!(response.head.contains("x-amzn-errortype: ForbiddenException:\r\n"), "{}", response.head);
    assert!(
        response.body.starts_with("{\"message\":\"Missing Authentication Token\",\"traceId\":\""),
        "{}",
        response.body
    );
    assert_eq!(gate.refusals("not-signed"), 1);
}

#[tokio::test]
async fn every_refusal_is_told_and_filed() {
    let gate = Gate::open().await;
    let status = |status| gate.device_in(status);
    let stranger = Device::with_key(Key::P256);
    let elsewhere = Device::with_key(Key::P256);
    gate.enrol(&elsewhere, other()).await;
    let expired = Device::with_key(Key::P256);
    let record = CertificateRecord { not_after: NOW.plus_millis(-60_000), ..Registrar::record(home(), expired.id) };
    gate.registrar.register(&record).await;
    let table = [
        (status(CertificateStatus::Inactive).await, "inactive", "INACTIVE"),
        (status(CertificateStatus::Revoked).await, "revoked", "REVOKED"),
        (status(CertificateStatus::PendingActivation).await, "pending-activation", "PENDING_ACTIVATION"),
        (stranger, "not-registered", "not registered"),
        (expired, "expired", "expired"),
    ];
    for (device, reason, sentence) in table {
        let mut client = gate.https_call(&device).tls().await.unwrap();
        let response = client.ask("POST", "/topics/a", "", "x").await.unwrap();
        assert_eq!(response.status, 403, "{reason}");
        assert!(response.head.contains("x-amzn-errortype: ForbiddenException:\r\n"), "{}", response.head);
        assert!(response.body.contains(sentence), "{}", response.body);
        assert!(client.is_closed().await, "{reason}");
        assert_eq!(gate.refusals(reason), 1, "{reason}");
    }
    let mut client = gate.https_call(&elsewhere).tls().await.unwrap();
    assert_eq!(client.post("a").await, 403);
    assert_eq!(gate.metric("gatehouse_admissions_total"), 0);
}

#[tokio::test]
async fn silent_refusals_say_forbidden() {
    let gate = Gate::with(Setup { refusals: RefusalStyle::Silent, ..Setup::default() }).await;
    let device = gate.device_in(CertificateStatus::Inactive).await;
    let mut client = gate.https_call(&device).tls().await.unwrap();
    let response = client.ask("POST", "/topics/a", "", "x").await.unwrap();
    assert!(response.body.starts_with("{\"message\":\"Forbidden\","), "{}", response.body);
}

async fn a_revocation_cuts_a_connection_that_is_kept_alive(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    let device = gate.device().await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = gate.https_call(&device).tls().await.unwrap();
        assert_eq!(client.post("a").await, 200);
        clients.push(client);
    }
    let mut bystander = gate.https_call(&gate.device().await).tls().await.unwrap();
    assert_eq!(bystander.post("a").await, 200);
    gate.another_process().await.revoke(home(), device.id).await;
    for client in &mut clients {
        assert!(client.is_closed().await);
    }
    assert_eq!(bystander.post("a").await, 200);
    gate.until(|gate| gate.cuts("revoked") == 3).await;
}

on_both_engines!(a_revocation_cuts_a_connection_that_is_kept_alive);

#[tokio::test]
async fn nothing_is_done_on_old_rights_even_while_nobody_judges() {
    // Without the background tasks nobody cuts: the request itself must notice.
    let gate = Gate::with(Setup { has_background: false, ..Setup::default() }).await;
    let device = gate.device().await;
    let mut client = gate.https_call(&device).tls().await.unwrap();
    assert_eq!(client.post("a").await, 200);
    gate.registrar.put_in_force(home(), "all", DENY_PUBLISH).await;
    assert_eq!(client.post("a").await, 403);
    gate.registrar.put_in_force(home(), "all", crate::harness::ALLOW_ALL).await;
    assert_eq!(client.post("a").await, 200);
    gate.registrar.detach(home(), "all", device.id).await;
    assert_eq!(client.post("a").await, 403);
    gate.registrar.attach(home(), "all", device.id).await;
    assert_eq!(client.post("a").await, 200);
    gate.registrar.revoke(home(), device.id).await;
    let response = client.ask("POST", "/topics/a", "", "x").await.unwrap();
    assert_eq!(response.status, 403);
    assert!(response.body.contains("REVOKED"), "{}", response.body);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_certificate_that_expires_publishes_no_more() {
    let gate = Gate::open().await;
    let device = Device::with_key(Key::P256);
    let record = CertificateRecord { not_after: NOW.plus_millis(60_000), ..Registrar::record(home(), device.id) };
    gate.registrar.register(&record).await;
    gate.registrar.attach(home(), "all", device.id).await;
    let mut client = gate.https_call(&device).tls().await.unwrap();
    assert_eq!(client.post("a").await, 200);
    gate.clock.advance_ms(61_000);
    assert_eq!(client.post("a").await, 403);
    assert_eq!(gate.cuts("expired"), 1);
}

#[tokio::test]
async fn a_gate_that_does_not_follow_the_log_serves_nobody_new() {
    let gate = Gate::with(Setup { has_background: false, ..Setup::default() }).await;
    let device = gate.device().await;
    let key = gate.access_key(None, None).await;
    gate.clock.advance_ms(5_001);
    assert_eq!(gate.https_call(&device).tls().await.unwrap().post("a").await, 503);
    let signature = gate.signature(&key, &Method::POST, "/topics/a", "x");
    let response = gate.signed().await.ask("POST", "/topics/a", &signature, "x").await.unwrap();
    assert_eq!(response.status, 503);
}

#[tokio::test]
async fn an_endpoint_serves_what_it_is_for() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let table = [
        (EndpointType::DataAts, 200, 501, 403),
        (EndpointType::Data, 200, 501, 403),
        (EndpointType::Jobs, 403, 501, 403),
        (EndpointType::CredentialProvider, 403, 403, 404),
    ];
    for (endpoint_type, publish, jobs, credentials) in table {
        let mut client = gate.https_call(&device).at(host_of_type(home(), endpoint_type)).tls().await.unwrap();
        assert_eq!(client.post("a").await, publish, "{endpoint_type:?}");
        let mut status = async |path| client.ask("GET", path, "", "").await.unwrap().status;
        assert_eq!(status("/things/t/jobs").await, jobs, "{endpoint_type:?}");
        assert_eq!(status("/role-aliases/r/credentials").await, credentials, "{endpoint_type:?}");
    }
    // The credential provider asks for a certificate on port 443 too, whatever ALPN says.
    let mut call = gate.https_call(&device).at(host_of_type(home(), EndpointType::CredentialProvider));
    call.address = gate.alpn;
    let response = call.tls().await.unwrap().ask("GET", "/role-aliases/r/credentials", "", "").await.unwrap();
    assert_eq!(response.status, 404);
}

#[tokio::test]
async fn a_message_goes_to_the_subscribers_of_its_own_account() {
    let gate = Gate::open().await;
    let mut own = gate.client("own").await;
    own.subscribe("t").await;
    let stranger = Device::with_key(Key::P256);
    gate.enrol(&stranger, other()).await;
    let mut foreign = gate.call(&stranger).at(host(other())).connect("own").await.accepted();
    foreign.subscribe("t").await;
    let mut client = gate.https_call(&gate.device().await).tls().await.unwrap();
    assert_eq!(client.post("t").await, 200);
    assert_eq!(own.payload().await, "x");
    foreign.hears_nothing().await;
    assert_eq!(gate.metric("gatehouse_https_requests_total{operation=\"Publish\",result=\"Success\"}"), 1);
}

#[tokio::test]
async fn idle_and_slow_connections_end() {
    let time = HeldTime::hold().await;
    let gate = Gate::open().await;
    let device = gate.device().await;
    let mut never_asks = gate.https_call(&device).tls().await.unwrap();
    let mut stranger = gate.signed().await;
    let mut idle = gate.https_call(&device).tls().await.unwrap();
    assert_eq!(idle.post("a").await, 200);
    // Several, as it is left to chance which deadline a connection looks at first.
    let mut slow_bodies = Vec::new();
    for _ in 0..8 {
        let mut slow_body = gate.https_call(&device).tls().await.unwrap();
        slow_body.write(b"POST /topics/a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx").await.unwrap();
        slow_bodies.push(slow_body);
    }
    gate.until(|gate| gate.metric("gatehouse_admissions_total") == 10).await;
    for _ in 0..9 {
        time.pass(SECOND).await;
    }
    assert_eq!(idle.post("a").await, 200);
    for _ in 0..3 {
        time.pass(SECOND).await;
    }
    assert!(never_asks.is_closed().await);
    assert!(stranger.is_closed().await);
    for _ in 0..30 {
        time.pass(SECOND).await;
    }
    for mut slow_body in slow_bodies {
        let late = slow_body.response().await.unwrap();
        assert_eq!(late.status, 400);
        assert!(late.body.contains("in time"), "{}", late.body);
    }
    assert_eq!(idle.post("a").await, 200);
    for _ in 0..62 {
        time.pass(SECOND).await;
    }
    assert!(idle.is_closed().await);
}

#[tokio::test]
async fn a_stop_ends_every_kind_of_connection() {
    let gate = Gate::open().await;
    let device = gate.device().await;
    let key = gate.access_key(None, None).await;
    let mut idle = gate.https_call(&device).tls().await.unwrap();
    assert_eq!(idle.post("a").await, 200);
    let mut signed = gate.signed().await;
    let signature = gate.signature(&key, &Method::POST, "/topics/a", "x");
    assert_eq!(signed.ask("POST", "/topics/a", &signature, "x").await.unwrap().status, 200);
    gate.stop().await;
    assert!(idle.is_closed().await);
    assert!(signed.is_closed().await);
}

#[tokio::test]
async fn a_stranger_on_its_way_keeps_no_place_by_asking_again() {
    let gate = Gate::open().await;
    let key = gate.access_key(None, None).await;
    let good = gate.signature(&key, &Method::POST, "/topics/a", "x");
    let wrong = gate.signature_of((&key.record.access_key_id, "guessed", None), &Method::POST, "/topics/a", "x");
    let mut stranger = gate.signed().await;
    assert_eq!(stranger.ask("POST", "/topics/a", &wrong, "x").await.unwrap().status, 403);
    assert!(stranger.is_closed().await);
    // Who is known is told, and stays.
    let mut known = gate.signed().await;
    for (signature, status) in [(&good, 200), (&wrong, 403), (&good, 200)] {
        assert_eq!(known.ask("POST", "/topics/a", signature, "x").await.unwrap().status, status);
    }
}
