//! The credential provider's endpoint: who gets credentials, in which order the checks come, and what they are good for.

use gatehouse_domain::certificate::CertificateStatus;
use gatehouse_domain::endpoint::EndpointType;
use gatehouse_domain::limits;
use http::Method;

use crate::harness::{Client, Device, Gate, Key, NOW, ROLE, home, host_of_type, on_both_engines, other};

const ROLE_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
    "Action":"iot:AssumeRoleWithCertificate","Resource":"arn:aws:iot:us-east-1:000000000000:rolealias/*"}]}"#;
const TARGET: &str = "/role-aliases/publisher/credentials";

/// A gate whose scope `home()` has role aliases and the thing `meter`.
async fn open() -> Gate {
    prepare(Gate::open().await).await
}

async fn prepare(gate: Gate) -> Gate {
    gate.registrar.make_role_alias(home(), "publisher", ROLE, 900).await;
    gate.registrar.make_role_alias(home(), "long", ROLE, 3_601).await;
    gate.registrar.make_role_alias(home(), "nobody", "arn:aws:iam::000000000000:role/nobody", 900).await;
    gate.registrar.make_thing(home(), "meter", ("a", "b")).await;
    gate.registrar.make_thing(home(), "stranger", ("a", "b")).await;
    gate.registrar.make_policy(home(), "role", ROLE_POLICY).await;
    gate
}

/// A device that may have credentials, and whose thing is `meter`.
async fn device(gate: &Gate) -> Device {
    let device = Device::with_key(Key::P256);
    gate.registrar.register(&crate::harness::Registrar::record(home(), device.id)).await;
    gate.registrar.attach(home(), "role", device.id).await;
    gate.registrar.attach_thing(home(), "meter", device.id).await;
    device
}

async fn provider(gate: &Gate, device: &Device) -> Client {
    gate.https_call(device).at(host_of_type(home(), EndpointType::CredentialProvider)).tls().await.unwrap()
}

/// Status, error name and body of a request.
async fn ask(client: &mut Client, target: &str, headers: &str) -> (u16, String, String) {
    let response = client.ask("GET", target, headers, "").await.unwrap();
    let error = response.head.lines().find_map(|line| line.strip_prefix("x-amzn-errortype: ")).unwrap_or("");
    (response.status, error.to_owned(), response.body)
}

/// The text of a member of an answer.
fn member<'a>(body: &'a str, name: &str) -> &'a str {
    body.split_once(&format!("\"{name}\":\"")).unwrap().1.split_once('"').unwrap().0
}

on_both_engines!(credentials_do_what_their_role_may_until_they_end);

async fn credentials_do_what_their_role_may_until_they_end(db: crate::harness::Db) {
    let gate = prepare(Gate::on(db, crate::harness::Setup::default()).await).await;
    let device = device(&gate).await;
    let mut client = provider(&gate, &device).await;
    let response = client.ask("GET", TARGET, "x-amzn-iot-thingname: meter\r\n", "").await.unwrap();
    assert_eq!(response.status, 200, "{response:?}");
    assert!(response.head.contains("cache-control: no-store\r\n"), "{}", response.head);
    let body = response.body;
    assert_eq!(member(&body, "expiration"), "2027-01-15T08:15:00Z");

    let publish = async |topic: &str| {
        let key = (member(&body, "accessKeyId"), member(&body, "secretAccessKey"), Some(member(&body, "sessionToken")));
        let target = format!("/topics/{topic}");
        let signature = gate.signature_of(key, &Method::POST, &target, "x");
        gate.signed().await.ask("POST", &target, &signature, "x").await.unwrap().status
    };
    assert_eq!(publish("meter/1").await, 200);
    assert_eq!(publish("other/1").await, 403, "the role may not");
    gate.clock.set(NOW.plus_millis(899_999));
    gate.until(|gate| gate.gateway.is_current()).await;
    assert_eq!(publish("meter/1").await, 200);
    gate.clock.set(NOW.plus_millis(900_000));
    gate.until(|gate| gate.gateway.is_current()).await;
    assert_eq!(publish("meter/1").await, 403, "the credentials have ended");
}

#[tokio::test]
async fn any_way_in_with_a_certificate_leads_to_the_provider() {
    let gate = open().await;
    let device = device(&gate).await;
    let names = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>();
    for (address, alpn) in [
        (gate.https, names(&[])),
        (gate.https, names(&["h2", "http/1.1"])),
        (gate.alpn, names(&[])),
        (gate.alpn, names(&["h2", "http/1.1"])),
        (gate.alpn, names(&["x-amzn-http-ca"])),
    ] {
        let mut call = gate.https_call(&device).at(host_of_type(home(), EndpointType::CredentialProvider));
        call.address = address;
        call.alpn = alpn;
        assert_eq!(ask(&mut call.tls().await.unwrap(), TARGET, "").await.0, 200);
    }
}

#[tokio::test]
async fn checks_come_in_the_order_of_certificate_thing_policy_alias_and_role() {
    let gate = open().await;
    let allowed = device(&gate).await;
    let denied = Device::with_key(Key::P256);
    gate.registrar.register(&crate::harness::Registrar::record(home(), denied.id)).await;
    const THING: (u16, &str, &str) = (403, "AccessDeniedException", "Invalid thing name passed");
    const POLICY: (u16, &str, &str) = (403, "AccessDeniedException", "Access Denied");
    const ALIAS: (u16, &str, &str) = (404, "ResourceNotFoundException", "Role alias does not exist");
    const ROLE: (u16, &str, &str) =
        (400, "InvalidRequestException", "Unable to assume the role, or the role to assume does not exist");
    const DURATION: (u16, &str, &str) = (
        400,
        "InvalidRequestException",
        "The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role",
    );
    let table = [
        (&denied, "none", "stranger", THING),
        (&allowed, "none", "stranger", THING),
        (&allowed, "none", "nowhere", THING),
        (&allowed, "none", "no name", THING),
        (&allowed, "none", "meter\r\nx-amzn-iot-thingname: meter", THING),
        (&denied, "publisher", "", POLICY),
        (&denied, "none", "", POLICY),
        (&allowed, "none", "meter", ALIAS),
        (&allowed, "Publisher", "meter", ALIAS),
        (&allowed, "no%20name", "", ALIAS),
        (&allowed, "a%2Fb", "", ALIAS),
        (&allowed, "nobody", "", ROLE),
        (&allowed, "long", "", DURATION),
    ];
    for (device, alias, thing, (status, error, message)) in table {
        let headers = if thing.is_empty() { String::new() } else { format!("x-amzn-iot-thingname: {thing}\r\n") };
        let mut client = provider(&gate, device).await;
        let answer = ask(&mut client, &format!("/role-aliases/{alias}/credentials"), &headers).await;
        let expected = (status, error.to_owned(), format!("{{\"message\":\"{message}\"}}"));
        assert_eq!(answer, expected, "{alias} {thing}");
    }
}

#[tokio::test]
async fn who_is_not_admitted_at_the_providers_endpoint_gets_nothing() {
    let gate = open().await;
    let allowed = device(&gate).await;
    let revoked = device(&gate).await;
    gate.registrar.set_status(home(), revoked.id, CertificateStatus::Revoked).await;
    let unknown = Device::with_key(Key::P256);
    let here = host_of_type(home(), EndpointType::CredentialProvider);
    let elsewhere = host_of_type(other(), EndpointType::CredentialProvider);
    let data = host_of_type(home(), EndpointType::DataAts);
    let calls = [
        gate.https_call(&revoked).at(&here),
        gate.https_call(&unknown).at(&here),
        gate.https_call(&allowed).at(elsewhere),
        gate.https_call(&allowed).at(&data),
        gate.https_call(&allowed).at("localhost"),
        gate.https_call(&allowed).without_sni(),
        // Where no certificate is asked for, as no provider's name is given.
        crate::harness::Call { address: gate.alpn, ..gate.call(&allowed).at(&data) },
        crate::harness::Call { address: gate.alpn, ..gate.call(&allowed).without_sni() },
    ];
    let expected = (
        403,
        "AccessDeniedException".to_owned(),
        "{\"message\":\"Certificate is invalid on this endpoint\"}".to_owned(),
    );
    for call in calls {
        let name = call.host.clone();
        assert_eq!(ask(&mut call.tls().await.unwrap(), TARGET, "").await, expected, "{name:?}");
    }
    // Nor does a signature stand in for a certificate.
    let key = gate.access_key(None, None).await;
    let signature = gate.signature(&key, &Method::GET, TARGET, "");
    assert_eq!(ask(&mut gate.signed().await, TARGET, &signature).await, expected);
}

#[tokio::test]
async fn a_connection_that_stands_gets_no_more_once_the_certificate_or_the_thing_is_gone() {
    let gate = open().await;
    let device = device(&gate).await;
    let mut client = provider(&gate, &device).await;
    let headers = "x-amzn-iot-thingname: meter\r\n";
    assert_eq!(ask(&mut client, TARGET, headers).await.0, 200);
    gate.registrar.detach(home(), "role", device.id).await;
    assert_eq!(ask(&mut client, TARGET, headers).await.0, 403);
    gate.registrar.attach(home(), "role", device.id).await;
    assert_eq!(ask(&mut client, TARGET, headers).await.0, 200);
    gate.registrar.revoke(home(), device.id).await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_scope_gets_so_many_a_second_and_those_who_may_not_take_none_of_them() {
    let gate = open().await;
    let (allowed, denied) = (device(&gate).await, Device::with_key(Key::P256));
    gate.registrar.register(&crate::harness::Registrar::record(home(), denied.id)).await;
    let mut stranger = provider(&gate, &denied).await;
    for _ in 0..limits::CREDENTIALS_PER_SECOND {
        assert_eq!(ask(&mut stranger, TARGET, "").await.0, 403);
    }
    let mut client = provider(&gate, &allowed).await;
    for _ in 0..limits::CREDENTIALS_PER_SECOND {
        assert_eq!(ask(&mut client, TARGET, "").await.0, 200);
    }
    let throttled = (429, "ThrottlingException".to_owned(), "{\"message\":\"Rate exceeded\"}".to_owned());
    assert_eq!(ask(&mut client, TARGET, "").await, throttled);
    gate.clock.advance_ms(1_000);
    assert_eq!(ask(&mut client, TARGET, "").await.0, 200);
}
