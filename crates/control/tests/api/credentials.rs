//! Credentials of devices: given by this house and taken at its own door, or asked of a token service.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use gatehouse_control::credentials::built_in::BuiltIn;
use gatehouse_control::credentials::roles::{Role, Roles};
use gatehouse_control::credentials::sts::{Sts, StsSettings};
use gatehouse_control::credentials::{CredentialError, CredentialProvider, Credentials};
use gatehouse_control::outgoing::Plain;
use gatehouse_domain::credentials::CredentialRefusal;
use gatehouse_domain::policy::CredentialDevice;
use gatehouse_domain::time::Clock;
use gatehouse_store::RoleAliasRecord;
use http_body_util::{BodyExt as _, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::json;
use tokio::net::TcpListener;

use crate::client::Api;
use crate::harness::{NOW, TestClock, on_both_engines};
use crate::samples::UNKNOWN_ID;

on_both_engines!(
    a_device_does_what_its_role_may_until_its_credentials_end,
    a_role_that_is_not_known_or_too_short_gives_nothing,
    a_role_of_another_account_gives_nothing,
    keys_that_ended_leave_the_store,
);

const ROLE: &str = "arn:aws:iam::123456789012:role/reader";

/// A provider whose role may show the thing that the device named, and its own certificate.
fn provider(api: &Api, max_session_secs: Option<u32>) -> CredentialProvider {
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "iot:DescribeThing",
          "Resource": "arn:aws:iot:*:*:thing/${credentials-iot:ThingName}" },
        { "Effect": "Allow", "Action": "iot:DescribeCertificate",
          "Resource": "arn:aws:iot:*:*:cert/${credentials-iot:AwsCertificateId}" },
        { "Effect": "Allow", "Action": "iot:ListThings", "Resource": "*",
          "Condition": { "StringEquals": { "credentials-iot:ThingTypeName": "meter" } } },
    ] });
    let role = Role::new(&policy.to_string(), max_session_secs).unwrap();
    let house = &api.running().house;
    let roles = Roles::from([(ROLE.parse().unwrap(), role)]);
    CredentialProvider::BuiltIn(BuiltIn::new(
        house.store.clone(),
        house.sealer.clone(),
        Arc::clone(&house.clock),
        roles,
    ))
}

async fn alias(api: &Api, role: &str, duration_secs: u32) -> RoleAliasRecord {
    let body = json!({ "roleArn": role, "credentialDurationSeconds": duration_secs });
    api.post("/role-aliases/a").json(body).quietly().ok().await;
    let scope = gatehouse_domain::scope::Scope::new(
        crate::harness::ACCOUNT.parse().unwrap(),
        crate::harness::REGION.parse().unwrap(),
    );
    api.running().house.store.role_alias(scope, &"a".parse().unwrap()).await.unwrap().unwrap()
}

fn device(certificate_id: &str, thing: Option<&str>) -> CredentialDevice {
    CredentialDevice {
        certificate_id: certificate_id.parse().unwrap(),
        thing_name: thing.map(|name| name.parse().unwrap()),
        thing_type_name: thing.map(|_| "meter".parse().unwrap()),
    }
}

fn with(api: &Api, credentials: &Credentials) -> Api {
    api.with_key(crate::client::Credentials {
        access_key_id: credentials.access_key_id.clone(),
        secret: credentials.secret_access_key.to_string(),
        session_token: Some(credentials.session_token.to_string()),
    })
}

async fn refusal(provider: &CredentialProvider, alias: &RoleAliasRecord) -> CredentialRefusal {
    provider.issue(alias, &device(UNKNOWN_ID, None), NOW).await.unwrap_err().refusal()
}

async fn a_device_does_what_its_role_may_until_its_credentials_end(api: Api) {
    const DENIED: &str = "AccessDeniedException";
    api.thing("mine").await;
    api.thing("other").await;
    let certificate = api.certificate().await;
    let alias = alias(&api, ROLE, 900).await;
    let provider = provider(&api, Some(900));
    api.clock().advance_ms(345);
    let now = api.clock().now();
    let named = provider.issue(&alias, &device(&certificate.id, Some("mine")), now).await.unwrap();
    assert!(named.access_key_id.starts_with("ASIA"), "{named:?}");
    assert_eq!(named.expiration, NOW.plus_millis(900_000));

    let named = with(&api, &named);
    named.get("/things/mine").quietly().ok().await;
    named.get("/things").quietly().ok().await;
    named.get(format!("/certificates/{}", certificate.id)).quietly().ok().await;
    named.get("/things/other").quietly().refused(403, DENIED).await;
    named.get(format!("/certificates/{UNKNOWN_ID}")).quietly().refused(403, DENIED).await;
    named.delete("/things/mine").quietly().refused(403, DENIED).await;

    // A device that names no thing has none in its policies.
    let unnamed = provider.issue(&alias, &device(&certificate.id, None), now).await.unwrap();
    let without_token = crate::client::Credentials {
        access_key_id: unnamed.access_key_id.clone(),
        secret: unnamed.secret_access_key.to_string(),
        session_token: None,
    };
    let unnamed = with(&api, &unnamed);
    unnamed.get(format!("/certificates/{}", certificate.id)).quietly().ok().await;
    unnamed.get("/things/mine").quietly().refused(403, DENIED).await;
    unnamed.get("/things").quietly().refused(403, DENIED).await;
    api.with_key(without_token).get("/things/mine").quietly().refused(403, "UnrecognizedClientException").await;

    api.clock().set(NOW.plus_millis(899_999));
    named.get("/things/mine").quietly().ok().await;
    api.clock().set(NOW.plus_millis(900_000));
    named.get("/things/mine").quietly().refused(403, "UnrecognizedClientException").await;
}

async fn a_role_that_is_not_known_or_too_short_gives_nothing(api: Api) {
    let stranger = alias(&api, "arn:aws:iam::123456789012:role/stranger", 900).await;
    assert_eq!(refusal(&provider(&api, None), &stranger).await, CredentialRefusal::Role);
    let long = RoleAliasRecord { role_arn: ROLE.parse().unwrap(), duration_secs: 901, ..stranger };
    assert_eq!(refusal(&provider(&api, Some(900)), &long).await, CredentialRefusal::Duration);
    provider(&api, Some(901)).issue(&long, &device(UNKNOWN_ID, None), NOW).await.unwrap();
}

async fn a_role_of_another_account_gives_nothing(api: Api) {
    let record = alias(&api, ROLE, 900).await;
    let scope = gatehouse_domain::scope::Scope::new("210987654321".parse().unwrap(), record.scope.region);
    assert_eq!(refusal(&provider(&api, None), &RoleAliasRecord { scope, ..record }).await, CredentialRefusal::Role);
}

async fn keys_that_ended_leave_the_store(api: Api) {
    let alias = alias(&api, ROLE, 900).await;
    let given = provider(&api, None).issue(&alias, &device(UNKNOWN_ID, None), NOW).await.unwrap();
    let store = &api.running().house.store;
    store.prune_access_keys(given.expiration).await.unwrap();
    assert!(store.access_key(&given.access_key_id).await.unwrap().is_some());
    store.prune_access_keys(given.expiration.plus_millis(1)).await.unwrap();
    assert!(store.access_key(&given.access_key_id).await.unwrap().is_none());
    // The key of the account stays.
    api.get("/things").quietly().ok().await;
}

/// A token service that gives prepared answers, and keeps what it was asked.
struct TokenService {
    provider: CredentialProvider,
    asked: Arc<Mutex<Vec<(String, String)>>>,
    task: tokio::task::AbortHandle,
}

impl Drop for TokenService {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn token_service(answers: Vec<(u16, String)>) -> TokenService {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let heard = Arc::clone(&asked);
    let task = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (heard, answers) = (Arc::clone(&heard), Arc::clone(&answers));
            let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let (heard, answers) = (Arc::clone(&heard), Arc::clone(&answers));
                async move {
                    let authorization = request.headers()["authorization"].to_str().unwrap().to_owned();
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    heard.lock().push((authorization, String::from_utf8(body.to_vec()).unwrap()));
                    let (status, body) = answers.lock().pop_front().unwrap();
                    let answer = http::Response::builder().status(status).header("content-type", "text/xml");
                    Ok::<_, Infallible>(answer.body(Full::new(Bytes::from(body))).unwrap())
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    let settings = StsSettings {
        endpoint: format!("http://{address}"),
        region: "eu-west-1".to_owned(),
        access_key_id: "AKIAOURS".to_owned(),
        secret_access_key: "secret".to_owned().into(),
    };
    let provider = CredentialProvider::Sts(Sts::new(&settings, Arc::new(Plain), Arc::new(TestClock::at(NOW))));
    TokenService { provider, asked, task: task.abort_handle() }
}

fn role_alias() -> RoleAliasRecord {
    RoleAliasRecord {
        scope: gatehouse_domain::scope::Scope::new("123456789012".parse().unwrap(), "us-east-1".parse().unwrap()),
        alias: "a".parse().unwrap(),
        role_arn: ROLE.parse().unwrap(),
        duration_secs: 1_800,
        generation_id: String::new(),
        created_at: NOW,
        last_modified_at: NOW,
    }
}

#[tokio::test]
async fn a_token_service_is_asked_for_the_role_in_the_name_of_the_certificate() {
    let given = r#"<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
        <Credentials><AccessKeyId>ASIATHEIRS</AccessKeyId><SecretAccessKey>their/secret</SecretAccessKey>
        <SessionToken>token</SessionToken><Expiration>2027-01-15T08:30:00Z</Expiration></Credentials>
        </AssumeRoleResult></AssumeRoleResponse>"#;
    let service = token_service(vec![(200, given.to_owned())]).await;
    let credentials = service.provider.issue(&role_alias(), &device(UNKNOWN_ID, Some("meter-7")), NOW).await.unwrap();
    assert_eq!(credentials.access_key_id, "ASIATHEIRS");
    assert_eq!(credentials.secret_access_key.as_str(), "their/secret");
    assert_eq!(credentials.session_token.as_str(), "token");
    assert_eq!(credentials.expiration, NOW.plus_millis(1_800_000));
    let (authorization, body) = service.asked.lock()[0].clone();
    assert!(authorization.contains("Credential=AKIAOURS/20270115/eu-west-1/sts/aws4_request"), "{authorization}");
    for part in [
        "Action=AssumeRole",
        "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Freader",
        &format!("RoleSessionName={UNKNOWN_ID}"),
        "DurationSeconds=1800",
    ] {
        assert!(body.split('&').any(|found| found == part), "{body}");
    }
}

#[tokio::test]
async fn the_no_of_a_token_service_becomes_ours() {
    let refused = |code: &str, message: &str| {
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        )
    };
    let too_long = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
    let cases = [
        (403, refused("AccessDenied", "User is not authorized to perform: sts:AssumeRole"), CredentialRefusal::Role),
        (400, refused("ValidationError", too_long), CredentialRefusal::Duration),
        (400, refused("ValidationError", "something else"), CredentialRefusal::Unavailable),
        (403, refused("InvalidClientTokenId", "The security token is invalid"), CredentialRefusal::Unavailable),
        (500, "<nonsense>".to_owned(), CredentialRefusal::Unavailable),
        (200, "no XML at all".to_owned(), CredentialRefusal::Unavailable),
        (
            200,
            format!("<AssumeRoleResponse>{}</AssumeRoleResponse>", "x".repeat(100_000)),
            CredentialRefusal::Unavailable,
        ),
    ];
    let service = token_service(cases.iter().map(|(status, body, _)| (*status, body.clone())).collect()).await;
    for (status, body, expected) in &cases {
        let refused = service.provider.issue(&role_alias(), &device(UNKNOWN_ID, None), NOW).await.unwrap_err();
        let shown: String = body.chars().take(200).collect();
        assert_eq!(refused.refusal(), *expected, "{status} {shown}: {refused}");
    }
    assert_eq!(service.asked.lock().len(), cases.len(), "nobody asked twice");
}

#[tokio::test]
async fn a_token_service_that_is_not_there_is_unavailable() {
    // A port that was free a moment ago, and closed.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = StsSettings {
        endpoint: format!("http://127.0.0.1:{port}"),
        region: "us-east-1".to_owned(),
        access_key_id: "AKIAOURS".to_owned(),
        secret_access_key: "secret".to_owned().into(),
    };
    let provider = CredentialProvider::Sts(Sts::new(&settings, Arc::new(Plain), Arc::new(TestClock::at(NOW))));
    let failed = provider.issue(&role_alias(), &device(UNKNOWN_ID, None), NOW).await.unwrap_err();
    assert!(matches!(failed, CredentialError::Failed(_)), "{failed}");
    assert_eq!(failed.refusal().status(), 503);
}

#[tokio::test]
async fn what_a_token_service_answered_is_told_to_nobody() {
    let given = r#"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIATHEIRS</AccessKeyId>
        <SecretAccessKey>their/secret</SecretAccessKey><SessionToken>their/token</SessionToken>
        <Expiration>soon</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"#;
    let page = format!("<html>{}</html>", "x".repeat(60_000));
    let service = token_service(vec![(200, given.to_owned()), (502, page)]).await;
    for status in ["200", "502"] {
        let failed = service.provider.issue(&role_alias(), &device(UNKNOWN_ID, None), NOW).await.unwrap_err();
        for text in [failed.to_string(), format!("{failed:?}")] {
            assert!(text.contains(status), "{text}");
            assert!(!text.contains("their/") && text.len() < 1_000, "{text}");
        }
    }
}
