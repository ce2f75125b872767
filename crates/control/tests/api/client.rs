//! A client that can say anything: it writes its HTTP requests itself, signed or spoilt as a test wants, and holds every
//! answer against what all answers have in common.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use gatehouse_control::access_key::AccessKeyWish;
use gatehouse_control::sigv4::Signer;
use gatehouse_domain::time::{Clock as _, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{ACCOUNT, REGION, Running, TestClock};
use crate::model::may_answer;
use crate::samples::{ALLOW_ALL, CSR, ROLE, TEMPLATE};
use crate::transcript::{Transcript, shorten};

/// What a caller signs with.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret: String,
    pub(crate) session_token: Option<String>,
}

/// The API of a running house, as one caller sees it in one Region.
#[derive(Clone)]
pub(crate) struct Api {
    shared: Arc<Shared>,
    credentials: Credentials,
    account: String,
    region: String,
    is_secure: bool,
}

struct Shared {
    running: Running,
    transcript: Mutex<Transcript>,
    request_ids: Mutex<HashSet<String>>,
}

/// A certificate that a test works with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Certificate {
    pub(crate) id: String,
    pub(crate) arn: String,
}

impl Api {
    pub(crate) fn new(running: Running, credentials: Credentials) -> Self {
        let mut transcript = Transcript::default();
        transcript.learn("access key", &credentials.access_key_id);
        let shared = Shared { running, transcript: Mutex::new(transcript), request_ids: Mutex::default() };
        Self {
            shared: Arc::new(shared),
            credentials,
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            is_secure: false,
        }
    }

    pub(crate) fn running(&self) -> &Running {
        &self.shared.running
    }

    pub(crate) fn clock(&self) -> &TestClock {
        &self.shared.running.clock
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The same house, called with another key of the same account.
    pub(crate) fn with_key(&self, credentials: Credentials) -> Self {
        self.shared.transcript.lock().learn("access key", &credentials.access_key_id);
        Self { credentials, ..self.clone() }
    }

    /// The same house, called by another account.
    pub(crate) async fn of_account(&self, account: &str) -> Self {
        let credentials = self.running().account(account).await;
        Self { account: account.to_owned(), ..self.with_key(credentials) }
    }

    /// The same account in another Region.
    pub(crate) fn in_region(&self, region: &str) -> Self {
        Self { region: region.to_owned(), ..self.clone() }
    }

    /// The same caller, through TLS.
    pub(crate) fn over_tls(&self) -> Self {
        Self { is_secure: true, ..self.clone() }
    }

    /// The ARN of a resource of this account and Region, e.g. of `policy/p`.
    pub(crate) fn arn(&self, resource: &str) -> String {
        format!("arn:aws:iot:{}:{}:{resource}", self.region, self.account)
    }

    pub(crate) fn get(&self, target: impl Into<String>) -> Ask {
        self.ask("GET", target)
    }

    pub(crate) fn put(&self, target: impl Into<String>) -> Ask {
        self.ask("PUT", target)
    }

    pub(crate) fn post(&self, target: impl Into<String>) -> Ask {
        self.ask("POST", target)
    }

    pub(crate) fn patch(&self, target: impl Into<String>) -> Ask {
        self.ask("PATCH", target)
    }

    pub(crate) fn delete(&self, target: impl Into<String>) -> Ask {
        self.ask("DELETE", target)
    }

    pub(crate) fn ask(&self, method: &str, target: impl Into<String>) -> Ask {
        Ask {
            api: self.clone(),
            method: method.to_owned(),
            target: target.into(),
            headers: HeaderMap::new(),
            body: Vec::new(),
            is_told: true,
        }
    }

    /// Compares the conversation so far with the snapshot `name`.
    pub(crate) fn snapshot(&self, name: &str) {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../snapshots");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let told = self.shared.transcript.lock().told();
        settings.bind(|| insta::assert_snapshot!(name, told));
    }

    /// Makes a policy that allows everything, untold.
    pub(crate) async fn policy(&self, name: &str) -> String {
        let body = json!({ "policyDocument": ALLOW_ALL });
        let made = self.post(format!("/policies/{}", encoded(name))).json(body).quietly().ok().await;
        made["policyArn"].as_str().unwrap().to_owned()
    }

    /// Makes an ACTIVE certificate, untold.
    pub(crate) async fn certificate(&self) -> Certificate {
        let body = json!({ "certificateSigningRequest": CSR });
        let made = self.post("/certificates?setAsActive=true").json(body).quietly().ok().await;
        Certificate {
            id: made["certificateId"].as_str().unwrap().to_owned(),
            arn: made["certificateArn"].as_str().unwrap().to_owned(),
        }
    }

    /// Makes a thing without attributes, untold.
    pub(crate) async fn thing(&self, name: &str) {
        self.post(format!("/things/{}", encoded(name))).quietly().ok().await;
    }

    /// A thing group in `parent`.
    pub(crate) async fn group(&self, name: &str, parent: Option<&str>) {
        let body = parent.map_or_else(|| json!({}), |parent| json!({ "parentGroupName": parent }));
        self.post(format!("/thing-groups/{name}")).json(body).quietly().ok().await;
    }

    /// Puts a thing into a group.
    pub(crate) async fn enter(&self, thing: &str, group: &str) {
        let body = json!({ "thingName": thing, "thingGroupName": group });
        self.put("/thing-groups/addThingToThingGroup").json(body).quietly().ok().await;
    }

    pub(crate) async fn attach_to_group(&self, policy: &str, group: &str) {
        let target = json!({ "target": self.arn(&format!("thinggroup/{group}")) });
        self.put(format!("/target-policies/{policy}")).json(target).quietly().ok().await;
    }

    /// Makes a thing type without properties, untold.
    pub(crate) async fn thing_type(&self, name: &str) {
        self.post(format!("/thing-types/{}", encoded(name))).quietly().ok().await;
    }

    /// Deprecates a thing type, untold.
    pub(crate) async fn deprecate(&self, name: &str) {
        self.post(format!("/thing-types/{}/deprecate", encoded(name))).quietly().ok().await;
    }

    /// Makes a billing group without properties, untold.
    pub(crate) async fn billing_group(&self, name: &str) {
        self.post(format!("/billing-groups/{}", encoded(name))).quietly().ok().await;
    }

    /// Puts a thing into a billing group, untold.
    pub(crate) async fn add_to_billing_group(&self, thing: &str, group: &str) {
        let body = json!({ "billingGroupName": group, "thingName": thing });
        self.put("/billing-groups/addThingToBillingGroup").json(body).quietly().ok().await;
    }

    /// The billing group that DescribeThing tells, untold; null when there is none.
    pub(crate) async fn billing_group_of(&self, thing: &str) -> Value {
        let described = self.get(format!("/things/{}", encoded(thing))).quietly().ok().await;
        described.get("billingGroupName").cloned().unwrap_or_default()
    }

    /// A key of the same account that may do what `statements` say.
    pub(crate) async fn limited(&self, statements: Value) -> Self {
        let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        let account = self.account.parse().unwrap();
        let wish = AccessKeyWish { account, policy: Some(policy), expires_at: None };
        self.with_key(self.running().access_key(wish).await)
    }

    /// Makes a provisioning template of a type, untold.
    pub(crate) async fn template(&self, name: &str, of_type: &str) {
        let role = ROLE.replace(ACCOUNT, &self.account);
        let body = json!({
            "templateName": name,
            "templateBody": TEMPLATE,
            "provisioningRoleArn": role,
            "type": of_type,
        });
        self.post("/provisioning-templates").json(body).quietly().ok().await;
    }

    /// Attaches a policy, untold.
    pub(crate) async fn attach(&self, policy: &str, certificate: &Certificate) {
        let body = json!({ "target": certificate.arn });
        self.put(format!("/target-policies/{}", encoded(policy))).json(body).quietly().ok().await;
    }

    /// Attaches a certificate to a thing, untold.
    pub(crate) async fn attach_to_thing(&self, thing: &str, certificate: &Certificate, exclusive: bool) {
        let of_type = if exclusive { "EXCLUSIVE_THING" } else { "NON_EXCLUSIVE_THING" };
        let target = format!("/things/{}/principals?thingPrincipalType={of_type}", encoded(thing));
        self.put(target).header("x-amzn-principal", &certificate.arn).quietly().ok().await;
    }

    /// What DescribeCertificate tells, untold.
    pub(crate) async fn describe(&self, certificate: &Certificate) -> Value {
        let described = self.get(format!("/certificates/{}", certificate.id)).quietly().ok().await;
        described["certificateDescription"].clone()
    }

    /// Sends `bytes` as they are and reads one answer.
    pub(crate) async fn exchange(&self, bytes: &[u8]) -> Answer {
        let running = self.running();
        let address = if self.is_secure { running.secure_address } else { running.address };
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        Answer::read(&answer)
    }

    /// What every answer of the door has, whatever it says.
    fn check(&self, method: &str, target: &str, answer: &Answer) {
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let request_id = answer.header("x-amzn-requestid").unwrap();
        let groups: Vec<usize> = request_id.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{request_id}");
        assert!(self.shared.request_ids.lock().insert(request_id.to_owned()), "the request id came twice");
        assert!(answer.body.is_object());
        if answer.status == 200 {
            assert_eq!(answer.error, None);
            return;
        }
        // AWS writes a colon behind the name.
        assert!(answer.header("x-amzn-errortype").unwrap().ends_with(':'));
        let error = answer.error.as_deref().unwrap();
        assert!(!answer.message().is_empty());
        let path = target.split('?').next().unwrap();
        assert!(may_answer(method, path, error), "by the model, {method} {path} never answers {error}");
        let extra: Vec<&str> =
            answer.body.as_object().unwrap().keys().map(String::as_str).filter(|name| *name != "message").collect();
        let expected: &[&str] =
            if error == "ResourceAlreadyExistsException" { &["resourceArn", "resourceId"] } else { &[] };
        assert_eq!(extra, expected, "members of {error}");
    }
}

/// A request in the making.
pub(crate) struct Ask {
    api: Api,
    method: String,
    target: String,
    headers: HeaderMap,
    body: Vec<u8>,
    is_told: bool,
}

impl Ask {
    pub(crate) fn header(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        self.headers.append(HeaderName::from_static(name), value);
        self
    }

    pub(crate) fn json(self, body: Value) -> Self {
        self.body(body.to_string())
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self
    }

    /// Keeps the exchange out of the transcript; what is random in it is named all the same.
    pub(crate) fn quietly(mut self) -> Self {
        self.is_told = false;
        self
    }

    /// Method and target.
    pub(crate) fn what(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// Sends it and expects success.
    pub(crate) async fn ok(self) -> Value {
        let what = self.what();
        let answer = self.send().await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.body);
        answer.body
    }

    /// Sends it and expects to be refused; answers the body.
    pub(crate) async fn refused(self, status: u16, error: &str) -> Value {
        let what = self.what();
        let answer = self.send().await;
        assert_eq!((answer.status, answer.error.as_deref()), (status, Some(error)), "{what}: {}", answer.body);
        answer.body
    }

    /// Sends it and expects `InvalidRequestException`; answers the message.
    pub(crate) async fn invalid(self) -> String {
        self.refused(400, "InvalidRequestException").await["message"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn send(self) -> Answer {
        self.signed().send().await
    }

    /// Signs it with the caller's credentials, now.
    pub(crate) fn signed(self) -> Signed {
        let now = self.api.clock().now();
        self.signed_at(now)
    }

    /// Signs it with a clock that shows `at`.
    pub(crate) fn signed_at(self, at: Timestamp) -> Signed {
        let credentials = self.api.credentials.clone();
        let region = self.api.region.parse().unwrap();
        let mut signer = Signer::new(&credentials.access_key_id, &credentials.secret, region, at);
        if let Some(token) = &credentials.session_token {
            signer = signer.with_session_token(token);
        }
        let mut signed = self.unsigned();
        let method: Method = signed.ask.method.parse().unwrap();
        signer.sign(&method, &signed.ask.target, &mut signed.ask.headers, &signed.ask.body);
        signed
    }

    /// Leaves it without a signature.
    pub(crate) fn unsigned(mut self) -> Signed {
        let host = self.api.running().address.to_string();
        self.headers.insert(http::header::HOST, HeaderValue::from_str(&host).unwrap());
        Signed { ask: self }
    }
}

/// A request as it goes on the wire. What is changed from here on, the signature does not know of.
pub(crate) struct Signed {
    ask: Ask,
}

impl Signed {
    pub(crate) fn headers(&mut self) -> &mut HeaderMap {
        &mut self.ask.headers
    }

    pub(crate) fn set_body(&mut self, body: &str) {
        self.ask.body = body.as_bytes().to_vec();
    }

    pub(crate) fn set_method(&mut self, method: &str) {
        self.ask.method = method.to_owned();
    }

    pub(crate) fn set_target(&mut self, target: &str) {
        self.ask.target = target.to_owned();
    }

    /// Rewrites the `Authorization` header.
    pub(crate) fn authorization(&mut self, rewrite: impl FnOnce(&str) -> String) {
        let text = self.ask.headers[http::header::AUTHORIZATION].to_str().unwrap().to_owned();
        self.ask.headers.insert(http::header::AUTHORIZATION, HeaderValue::from_str(&rewrite(&text)).unwrap());
    }

    /// The request without its body: head, framing headers as given, empty line.
    pub(crate) fn head(&self, framing: &str) -> Vec<u8> {
        let mut bytes =
            format!("{} {} HTTP/1.1\r\nConnection: close\r\n{framing}", self.ask.method, self.ask.target).into_bytes();
        for (name, value) in &self.ask.headers {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    pub(crate) async fn send(self) -> Answer {
        let framing = match (self.ask.method.as_str(), self.ask.body.len()) {
            ("GET" | "DELETE", 0) => String::new(),
            (_, length) => format!("Content-Length: {length}\r\n"),
        };
        let mut bytes = self.head(&framing);
        bytes.extend_from_slice(&self.ask.body);
        self.send_bytes(&bytes).await
    }

    /// Sends `bytes` in the place of this request.
    pub(crate) async fn send_bytes(self, bytes: &[u8]) -> Answer {
        let Ask { api, method, target, is_told, .. } = &self.ask;
        let answer = api.exchange(bytes).await;
        api.check(method, target, &answer);
        let mut transcript = api.shared.transcript.lock();
        if *is_told {
            transcript.note(&self.told(), answer.status, answer.error.as_deref(), &answer.body);
        } else {
            transcript.learn_from(&answer.body);
        }
        answer
    }

    /// The request as the transcript shows it.
    fn told(&self) -> String {
        let Ask { method, target, headers, body, .. } = &self.ask;
        let mut told = format!("{method} {target}");
        for (name, value) in headers.iter().filter(|(name, _)| name.as_str().starts_with("x-amzn-")) {
            write!(told, "\n{name}: {}", String::from_utf8_lossy(value.as_bytes())).unwrap();
        }
        if !body.is_empty() {
            let body = serde_json::from_slice(body)
                .map_or_else(|_| String::from_utf8_lossy(body).into_owned(), |body| shorten(&body).to_string());
            write!(told, "\n{body}").unwrap();
        }
        told
    }

    /// Sends it and expects to be refused; answers the message.
    pub(crate) async fn refused(self, status: u16, error: &str) -> String {
        let answer = self.send().await;
        assert_eq!((answer.status, answer.error.as_deref()), (status, Some(error)), "{}", answer.body);
        answer.message().to_owned()
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The name in `x-amzn-ErrorType`, up to its colon.
    pub(crate) error: Option<String>,
    headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: BTreeMap<String, String> = lines
            .map(|line| {
                let (name, value) = line.split_once(": ").unwrap();
                (name.to_lowercase(), value.to_owned())
            })
            .collect();
        let error = headers.get("x-amzn-errortype").map(|text| text.split(':').next().unwrap().to_owned());
        let body = if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() };
        Self { status, error, headers, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

/// Percent-encodes all but unreserved characters, as AWS's clients do.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").unwrap();
        }
    }
    out
}
