//! Bulk registration across its operations: what a worker makes of input files, from folders and from an S3-compatible
//! service, good and hostile ones; and that each line is carried out once, whatever happens on the way.

use std::convert::Infallible;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use gatehouse_control::bulk::bucket::Bucket;
use gatehouse_control::bulk::s3::S3;
use gatehouse_control::bulk::worker::Worker;
use gatehouse_control::outgoing::{AccessKey, Plain};
use gatehouse_control::sigv4::{Authorization, SignedRequest, SigningKey, verify};
use gatehouse_domain::limits;
use gatehouse_domain::registration_task::TaskId;
use gatehouse_domain::time::Clock as _;
use http::{HeaderMap, Response};
use http_body::Frame;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use crate::client::Api;
use crate::functions::{self, FUNCTION, FunctionServer};
use crate::harness::{ACCOUNT, LIMITED_ROLE, NOW, OTHER_REGION, REGION, on_both_engines};
use crate::samples::{ALLOW_CONNECT, CSR, ROLE};

on_both_engines!(
    each_line_is_carried_out_or_told_why_not,
    a_role_that_is_known_does_what_it_may,
    lines_about_one_thing_do_not_get_in_each_others_way,
    a_hostile_file_takes_neither_memory_nor_the_task,
    a_key_leads_nowhere_but_into_its_bucket,
    a_file_that_is_empty_or_blank_is_done_at_once,
    an_object_of_a_service_is_read_with_a_signature,
    a_service_that_fails_for_a_moment_is_asked_again,
    what_a_service_refuses_is_the_end_of_the_task,
    whoever_goes_on_after_a_crash_does_nothing_twice,
    a_file_that_changes_on_the_way_is_the_end_of_the_task,
    two_who_work_on_one_task_register_each_line_once,
    a_server_that_stops_hands_the_task_on,
    a_long_task_of_one_scope_does_not_hold_up_anothers,
    slow_lines_of_others_hold_up_nobody,
    a_task_ends_after_thirty_days,
);

/// The bucket that tests read from.
pub(crate) const BUCKET: &str = "fleet-input";

/// A template with everything: a certificate for a request, a thing of any name, a policy.
pub(crate) fn template() -> Value {
    json!({
        "Parameters": { "Name": { "Type": "String" }, "CSR": { "Type": "String", "Default": CSR } },
        "Resources": {
            "thing": { "Type": "AWS::IoT::Thing", "Properties": { "ThingName": { "Ref": "Name" } } },
            "certificate": {
                "Type": "AWS::IoT::Certificate",
                "Properties": { "CertificateSigningRequest": { "Ref": "CSR" } },
            },
            "policy": { "Type": "AWS::IoT::Policy", "Properties": { "PolicyDocument": ALLOW_CONNECT } },
        },
    })
}

/// A folder that is a bucket of an account.
pub(crate) struct Input(TempDir);

impl Input {
    /// The folder, known to the house as [`BUCKET`] of the first account.
    pub(crate) fn of(api: &Api) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bucket = Bucket::of_folder(ACCOUNT.parse().unwrap(), folder.path().to_owned());
        api.running().house.bulk.put(BUCKET.parse().unwrap(), bucket);
        Self(folder)
    }

    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.0.path().join(key)
    }

    pub(crate) fn write(&self, key: &str, content: impl AsRef<[u8]>) {
        std::fs::create_dir_all(self.path(key).parent().unwrap()).unwrap();
        std::fs::write(self.path(key), content).unwrap();
    }
}

/// Lines for things of these numbers.
pub(crate) fn things(numbers: std::ops::Range<u32>) -> String {
    numbers.map(|number| format!("{{\"Name\":\"t{number}\"}}\n")).collect()
}

/// Starts a task with [`template`], untold; answers its id.
pub(crate) async fn start(api: &Api, key: &str) -> String {
    start_as(api, key, ROLE).await
}

async fn start_as(api: &Api, key: &str, role: &str) -> String {
    let body = json!({
        "templateBody": template().to_string(),
        "inputFileBucket": BUCKET,
        "inputFileKey": key,
        "roleArn": role,
    });
    let started = api.post("/thing-registration-tasks").json(body).quietly().ok().await;
    started["taskId"].as_str().unwrap().to_owned()
}

pub(crate) fn worker(api: &Api) -> Worker {
    Worker::new(Arc::clone(&api.running().house))
}

/// What DescribeThingRegistrationTask tells, untold.
pub(crate) async fn describe(api: &Api, task: &str) -> Value {
    api.get(format!("/thing-registration-tasks/{task}")).quietly().ok().await
}

/// Status, successes and failures.
pub(crate) async fn outcome(api: &Api, task: &str) -> (String, u64, u64) {
    let told = describe(api, task).await;
    let count = |name: &str| told[name].as_u64().unwrap();
    (told["status"].as_str().unwrap().to_owned(), count("successCount"), count("failureCount"))
}

fn ended(status: &str, successes: u64, failures: u64) -> (String, u64, u64) {
    (status.to_owned(), successes, failures)
}

/// The links to a report, untold.
pub(crate) async fn links(api: &Api, task: &str, report_type: &str) -> Vec<String> {
    let target = format!("/thing-registration-tasks/{task}/reports?reportType={report_type}");
    let listed = api.get(target).quietly().ok().await;
    serde_json::from_value(listed["resourceLinks"].clone()).unwrap()
}

/// Status, content type and text of what lies behind a link.
pub(crate) async fn fetch(link: &str) -> (u16, String, String) {
    let (address, target) = link.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    // HTTP/1.0: the body comes in one piece, and ends with the connection.
    stream.write_all(format!("GET /{target} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let content_type = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    (status, content_type.to_owned(), body.to_owned())
}

/// The lines of a report.
pub(crate) async fn report(api: &Api, task: &str, report_type: &str) -> Vec<Value> {
    let Some(link) = links(api, task, report_type).await.pop() else { return Vec::new() };
    let (status, _, text) = fetch(&link).await;
    assert_eq!(status, 200, "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How many certificates there are in the scope.
async fn certificates(api: &Api) -> usize {
    let (mut found, mut marker) = (0, String::new());
    loop {
        let page = api.get(format!("/certificates?pageSize=250{marker}")).quietly().ok().await;
        found += page["certificates"].as_array().unwrap().len();
        match page["nextMarker"].as_str() {
            Some(next) => marker = format!("&marker={}", crate::client::encoded(next)),
            None => return found,
        }
    }
}

async fn exists(api: &Api, thing: &str) -> bool {
    api.get(format!("/things/{thing}")).quietly().send().await.status == 200
}

/// Waits until so many lines have an outcome, whether they are counted already or not.
async fn lines_done(api: &Api, task: &str, wanted: usize) {
    let task_id: TaskId = task.parse().unwrap();
    loop {
        let done = api.running().house.store.registration_lines_behind(&task_id, 0).await.unwrap();
        if done.len() >= wanted {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn each_line_is_carried_out_or_told_why_not(api: Api) {
    let input = Input::of(&api);
    let long = format!("{{\"Name\":\"{}\"}}", "x".repeat(256 * 1024));
    let bad_csr = json!({ "Name": "bad-csr", "CSR": "-----BEGIN" }).to_string();
    let lines = [
        "\u{feff}{\"Name\":\"first\"}\r\n",
        "\n",
        "   \t\r\n",
        "{\"Name\":\"second\",\"Unused\":\"x\"}\n",
        "nonsense\n",
        "{\"Name\":\"twice\",\"Name\":\"twice\"}\n",
        "{\"Name\":7}\n",
        "[\"Name\"]\n",
        "{}\n",
        "{\"Name\":\"a/b\"}\n",
        &format!("{bad_csr}\n"),
        &format!("{long}\n"),
        "{\"Name\":\"last\"}",
    ];
    let mut file = lines.concat().into_bytes();
    file.splice(file.len() - 15..file.len() - 15, *b"{\"Name\":\"\xff\"}\n");
    input.write("2027/input.json", file);
    let task = start(&api, "2027/input.json").await;
    worker(&api).work_off().await;

    assert_eq!(outcome(&api, &task).await, ended("Completed", 3, 9));
    for thing in ["first", "second", "last"] {
        assert!(exists(&api, thing).await, "{thing}");
    }
    for thing in ["twice", "bad-csr"] {
        assert!(!exists(&api, thing).await, "{thing}");
    }
    assert_eq!(certificates(&api).await, 3, "a line that was refused leaves nothing behind");

    let results = report(&api, &task, "RESULTS").await;
    let line_ids: Vec<u64> = results.iter().map(|line| line["lineId"].as_u64().unwrap()).collect();
    assert_eq!(line_ids, [1, 4, 14], "lines are counted as editors do");
    let response = &results[0]["response"];
    assert_eq!(response["ResourceArns"]["thing"], api.arn("thing/first"));
    let certificate = response["ResourceArns"]["certificate"].as_str().unwrap();
    let described = api.get(format!("/certificates/{}", certificate.rsplit('/').next().unwrap())).quietly().ok().await;
    assert_eq!(described["certificateDescription"]["certificatePem"], response["certificatePem"]);
    assert!(response["ResourceArns"]["policy"].as_str().unwrap().starts_with(&api.arn("policy/")));

    let errors = report(&api, &task, "ERRORS").await;
    let told: Vec<String> = errors
        .iter()
        .map(|line| format!("{} {} {}", line["lineId"], line["errorCode"], line["errorMessage"]))
        .collect();
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("bulk_errors", told.join("\n"));
    });
}

async fn a_role_that_is_known_does_what_it_may(api: Api) {
    let input = Input::of(&api);
    input.write("allowed/input", "{\"Name\":\"yes\"}\n{\"Name\":\"nothing\"}\n");
    let task = start_as(&api, "allowed/input", LIMITED_ROLE).await;
    worker(&api).work_off().await;
    assert_eq!(outcome(&api, &task).await, ended("Completed", 1, 1));
    let errors = report(&api, &task, "ERRORS").await;
    assert_eq!((&errors[0]["lineId"], &errors[0]["errorCode"]), (&json!(2), &json!("AccessDeniedException")));
    let message = errors[0]["errorMessage"].as_str().unwrap();
    assert!(message.contains("iot:CreateThing") && message.contains(LIMITED_ROLE), "{message}");
    assert_eq!(certificates(&api).await, 1);
}

async fn lines_about_one_thing_do_not_get_in_each_others_way(api: Api) {
    let input = Input::of(&api);
    input.write("input", "{\"Name\":\"same\"}\n".repeat(40));
    let task = start(&api, "input").await;
    worker(&api).work_off().await;
    assert_eq!(outcome(&api, &task).await, ended("Completed", 40, 0));
    assert_eq!(certificates(&api).await, 40);
    let principals = api.get("/things/same/principals?maxResults=250").quietly().ok().await;
    assert_eq!(principals["principals"].as_array().unwrap().len(), 40);
}

async fn a_hostile_file_takes_neither_memory_nor_the_task(api: Api) {
    let input = Input::of(&api);
    // A gigabyte without a line's end, which takes no room on the disk; a line behind it.
    input.write("input", "{\"Name\":\"before\"}\n");
    let file = std::fs::File::options().write(true).open(input.path("input")).unwrap();
    file.set_len(1 << 30).unwrap();
    std::io::Write::write_all(
        &mut std::fs::File::options().append(true).open(input.path("input")).unwrap(),
        b"\n{\"Name\":\"behind\"}\n",
    )
    .unwrap();
    let task = start(&api, "input").await;
    let before = resident_bytes();
    worker(&api).work_off().await;
    let taken = resident_bytes().saturating_sub(before);
    assert!(taken < 512 << 20, "{taken} bytes");
    assert_eq!(outcome(&api, &task).await, ended("Completed", 2, 1));
    let errors = report(&api, &task, "ERRORS").await;
    assert_eq!(errors[0]["lineId"], 2);
    assert!(errors[0]["errorMessage"].as_str().unwrap().contains("262144"));
    assert!(exists(&api, "behind").await);
}

/// What this process has in memory.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

async fn a_key_leads_nowhere_but_into_its_bucket(api: Api) {
    let input = Input::of(&api);
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "{\"Name\":\"stolen\"}").unwrap();
    input.write("folder/file", "{}");
    std::os::unix::fs::symlink(outside.path().join("secret"), input.path("link")).unwrap();
    std::os::unix::fs::symlink(outside.path(), input.path("folder/out")).unwrap();
    for (key, word) in [
        ("nothing", "no such object"),
        ("link", "symbolic link"),
        ("folder/out/secret", "symbolic link"),
        ("folder", "regular file"),
    ] {
        let task = start(&api, key).await;
        worker(&api).work_off().await;
        let told = describe(&api, &task).await;
        assert_eq!((&told["status"], &told["percentageProgress"]), (&json!("Failed"), &json!(0)), "{key}");
        let message = told["message"].as_str().unwrap();
        assert!(message.contains(word) && message.contains(key), "{message}");
        // Where the bucket is, is the operator's to know.
        assert!(!message.contains(&*input.path("").to_string_lossy()), "{message}");
    }
    assert!(!exists(&api, "stolen").await);
}

async fn a_file_that_is_empty_or_blank_is_done_at_once(api: Api) {
    let input = Input::of(&api);
    for (key, content) in [("empty", String::new()), ("blank", "\n \r\n".repeat(100_000))] {
        input.write(key, content);
        let task = start(&api, key).await;
        worker(&api).work_off().await;
        assert_eq!(outcome(&api, &task).await, ended("Completed", 0, 0), "{key}");
        assert_eq!(describe(&api, &task).await["percentageProgress"], 100);
        assert_eq!(links(&api, &task, "RESULTS").await, [""; 0]);
    }
}

/// What a service answers: status, headers, the parts of the body, and what is waited for before each part but the first.
pub(crate) struct Said {
    status: u16,
    headers: Vec<(&'static str, String)>,
    parts: Vec<Bytes>,
    gate: Option<Arc<Semaphore>>,
}

impl Said {
    /// All of an object from some byte on, as S3 answers.
    fn object(heard: &Heard, content: &str, etag: &str) -> Self {
        let from = heard.from().unwrap_or(0);
        let headers = vec![
            ("etag", format!("\"{etag}\"")),
            ("content-length", (content.len() - from).to_string()),
            ("content-range", format!("bytes {from}-{}/{}", content.len() - 1, content.len())),
        ];
        let status = if heard.from().is_some() { 206 } else { 200 };
        Self { status, headers, parts: vec![Bytes::copy_from_slice(&content.as_bytes()[from..])], gate: None }
    }

    /// The first `bytes` of the body at once, the rest when `gate` has a permit.
    fn behind(mut self, bytes: usize, gate: &Arc<Semaphore>) -> Self {
        let rest = self.parts[0].split_off(bytes);
        self.parts.push(rest);
        self.gate = Some(Arc::clone(gate));
        self
    }

    fn nothing(status: u16) -> Self {
        Self { status, headers: Vec::new(), parts: Vec::new(), gate: None }
    }
}

/// A request that a service got.
#[derive(Clone)]
pub(crate) struct Heard {
    target: String,
    headers: HeaderMap,
}

impl Heard {
    /// The first byte asked for.
    fn from(&self) -> Option<usize> {
        let range = self.headers.get("range")?.to_str().unwrap();
        Some(range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap())
    }
}

/// A service that speaks as S3 does.
pub(crate) struct Service {
    heard: Arc<Mutex<Vec<Heard>>>,
    task: AbortHandle,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Parts {
    parts: std::vec::IntoIter<Bytes>,
    /// The wait for the next part.
    wait: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    gate: Option<Arc<Semaphore>>,
}

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(wait) = &mut self.wait {
            std::task::ready!(wait.as_mut().poll(context));
            self.wait = None;
        }
        let part = self.parts.next();
        if let Some(gate) = self.gate.take() {
            self.wait = Some(Box::pin(async move { gate.acquire().await.unwrap().forget() }));
        }
        Poll::Ready(part.map(|part| Ok(Frame::data(part))))
    }
}

impl Service {
    /// A service, known to the house as the place of [`BUCKET`], that answers every GET by `say`.
    pub(crate) async fn of(api: &Api, say: impl Fn(&Heard) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let credentials =
            AccessKey { access_key_id: "AKIAOURS".to_owned(), secret_access_key: "secret".to_owned().into() };
        let s3 = S3::new(endpoint, "eu-west-1".parse().unwrap(), Some(credentials), Arc::new(Plain));
        api.running().house.bulk.put(BUCKET.parse().unwrap(), Bucket::of_s3(ACCOUNT.parse().unwrap(), s3));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (say, ears) = (Arc::new(say), Arc::clone(&heard));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (say, ears) = (Arc::clone(&say), Arc::clone(&ears));
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    assert_eq!(request.method(), "GET");
                    let heard = Heard { target: request.uri().to_string(), headers: request.headers().clone() };
                    ears.lock().push(heard.clone());
                    let Said { status, headers, parts, gate } = say(&heard);
                    let mut answer = Response::builder().status(status);
                    for (name, value) in headers {
                        answer = answer.header(name, value);
                    }
                    let body = Parts { parts: parts.into_iter(), wait: None, gate };
                    std::future::ready(Ok::<_, Infallible>(answer.body(body).unwrap()))
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { heard, task: task.abort_handle() }
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().clone()
    }
}

async fn an_object_of_a_service_is_read_with_a_signature(api: Api) {
    let content = things(0..3);
    let service = Service::of(&api, move |heard| Said::object(heard, &content, "first")).await;
    let task = start(&api, "2027/input.json").await;
    worker(&api).work_off().await;
    assert_eq!(outcome(&api, &task).await, ended("Completed", 3, 0));
    let [Heard { target, headers }] = &service.heard()[..] else { panic!("one request is enough") };
    assert_eq!(target, "/fleet-input/2027/input.json");
    assert!(!headers.contains_key("range"));
    let authorization = Authorization::parse(headers, &["s3"]).unwrap();
    let shown = headers["authorization"].to_str().unwrap();
    assert!(shown.contains("Credential=AKIAOURS/20270115/eu-west-1/s3/"), "{shown}");
    let mut body_sha256 = [0; 32];
    body_sha256.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"").as_ref());
    let request = SignedRequest { method: &http::Method::GET, target, headers, body_sha256: &body_sha256 };
    let key = SigningKey::derive(b"secret", authorization.scope());
    assert_eq!(verify(&authorization, &request, &key, NOW), Ok(()));
    drop(service);
}

async fn a_service_that_fails_for_a_moment_is_asked_again(api: Api) {
    let content = things(0..9);
    let gate = Arc::new(Semaphore::new(0));
    let (turn, closed) = (Mutex::new(0), Arc::clone(&gate));
    let service = Service::of(&api, move |heard| {
        let mut turn = turn.lock();
        *turn += 1;
        match *turn {
            1 => Said::nothing(503),
            // Breaks off in the middle of a line.
            2 => {
                let mut said = Said::object(heard, &content, "first").behind(40, &closed);
                said.parts.pop();
                said
            }
            _ => Said::object(heard, &content, "first"),
        }
    })
    .await;
    let task = start(&api, "input").await;
    let working = worker(&api);
    let working = tokio::spawn(async move { working.work_off().await });
    lines_done(&api, &task, 2).await;
    gate.add_permits(1);
    working.await.unwrap();
    assert_eq!(outcome(&api, &task).await, ended("Completed", 9, 0));
    let heard = service.heard();
    assert_eq!(heard.len(), 3);
    let again = &heard[2];
    assert_eq!((again.from(), &again.headers["if-match"]), (Some(40), &"\"first\"".parse().unwrap()));
    assert_eq!(certificates(&api).await, 9);
}

async fn what_a_service_refuses_is_the_end_of_the_task(api: Api) {
    for (status, word) in [(404, "no such object"), (403, "not allowed"), (301, "301"), (416, "changed")] {
        let service = Service::of(&api, move |_| Said::nothing(status)).await;
        let task = start(&api, "input").await;
        worker(&api).work_off().await;
        let told = describe(&api, &task).await;
        assert_eq!(told["status"], "Failed");
        assert!(told["message"].as_str().unwrap().contains(word), "{told}");
        assert_eq!(service.heard().len(), 1);
    }
    let _service = Service::of(&api, |_| Said { parts: vec![Bytes::from_static(b"{}")], ..Said::nothing(200) }).await;
    let task = start(&api, "input").await;
    worker(&api).work_off().await;
    assert!(describe(&api, &task).await["message"].as_str().unwrap().contains("how long"));
}

async fn whoever_goes_on_after_a_crash_does_nothing_twice(api: Api) {
    let content = things(0..200);
    let gate = Arc::new(Semaphore::new(0));
    let (text, closed) = (content.clone(), Arc::clone(&gate));
    let service = Service::of(&api, move |heard| match heard.headers.get("if-match") {
        None => Said::object(heard, &text, "first").behind(1_500, &closed),
        Some(_) => Said::object(heard, &text, "first"),
    })
    .await;
    let task = start(&api, "input").await;
    let first = worker(&api);
    let crashing = tokio::spawn(async move { first.work_off().await });
    lines_done(&api, &task, 50).await;
    crashing.abort();
    assert!(crashing.await.unwrap_err().is_cancelled());
    let before = certificates(&api).await;
    assert!((50..200).contains(&before), "{before}");

    // Whoever crashed cannot give back its turn.
    worker(&api).work_off().await;
    assert_eq!(outcome(&api, &task).await.0, "InProgress");
    api.clock().advance_ms(60_000);
    worker(&api).work_off().await;
    assert_eq!(outcome(&api, &task).await, ended("Completed", 200, 0));
    assert_eq!(certificates(&api).await, 200, "each line has one certificate");
    let results = report(&api, &task, "RESULTS").await;
    let line_ids: Vec<u64> = results.iter().map(|line| line["lineId"].as_u64().unwrap()).collect();
    assert!(line_ids.into_iter().eq(1..=200));
    drop(service);
}

async fn a_file_that_changes_on_the_way_is_the_end_of_the_task(api: Api) {
    let content = things(0..200);
    let gate = Arc::new(Semaphore::new(0));
    let closed = Arc::clone(&gate);
    let service = Service::of(&api, move |heard| match heard.headers.get("if-match") {
        None => Said::object(heard, &content, "first").behind(1_500, &closed),
        // As S3 answers when the entity tag is another.
        Some(_) => Said::nothing(412),
    })
    .await;
    let task = start(&api, "input").await;
    let first = worker(&api);
    let crashing = tokio::spawn(async move { first.work_off().await });
    lines_done(&api, &task, 50).await;
    crashing.abort();
    drop(crashing.await);
    api.clock().advance_ms(60_000);
    worker(&api).work_off().await;
    let told = describe(&api, &task).await;
    assert_eq!(told["status"], "Failed");
    assert!(told["message"].as_str().unwrap().contains("has changed"), "{told}");
    assert!(certificates(&api).await >= 50, "what was done stays");
    drop(service);

    // The same of a file in a folder, between two turns.
    let input = Input::of(&api);
    input.write("input", things(0..3));
    let task = start(&api, "input").await;
    let house = &api.running().house;
    let record = house.store.registration_task(&task.parse().unwrap()).await.unwrap().unwrap();
    let found = gatehouse_store::InputFileRecord { length: 7, version: "another".to_owned() };
    let mut batch = gatehouse_store::Batch::new();
    batch.note_registration_input(&record.task_id, &record.turn, &found);
    house.store.commit(batch, NOW).await.unwrap();
    worker(&api).work_off().await;
    assert_eq!(outcome(&api, &task).await, ended("Failed", 0, 0));
}

async fn two_who_work_on_one_task_register_each_line_once(api: Api) {
    let content = things(0..150);
    let gate = Arc::new(Semaphore::new(0));
    let (text, closed) = (content.clone(), Arc::clone(&gate));
    let service = Service::of(&api, move |heard| match heard.headers.get("if-match") {
        None => Said::object(heard, &text, "first").behind(600, &closed),
        Some(_) => Said::object(heard, &text, "first"),
    })
    .await;
    let task = start(&api, "input").await;
    let slow = worker(&api);
    let slow = tokio::spawn(async move { slow.work_off().await });
    lines_done(&api, &task, 20).await;
    // Its turn is over, and it does not know yet.
    api.clock().advance_ms(60_000);
    let other = worker(&api);
    let other = tokio::spawn(async move { other.work_off().await });
    gate.add_permits(9);
    slow.await.unwrap();
    other.await.unwrap();
    // Whoever took the turn last has brought it to its end, or leaves it to the next.
    api.clock().advance_ms(60_000);
    worker(&api).work_off().await;
    assert_eq!(outcome(&api, &task).await, ended("Completed", 150, 0));
    assert_eq!(certificates(&api).await, 150);
    drop(service);
}

async fn a_server_that_stops_hands_the_task_on(api: Api) {
    let content = things(0..100);
    let gate = Arc::new(Semaphore::new(0));
    let (text, closed) = (content.clone(), Arc::clone(&gate));
    let service = Service::of(&api, move |heard| match heard.headers.get("if-match") {
        None => Said::object(heard, &text, "first").behind(600, &closed),
        Some(_) => Said::object(heard, &text, "first"),
    })
    .await;
    let task = start(&api, "input").await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let serving = tokio::spawn(worker(&api).run(stopped));
    lines_done(&api, &task, 20).await;
    stop.send_replace(true);
    serving.await.unwrap();
    let (status, done, _) = outcome(&api, &task).await;
    assert_eq!(status, "InProgress");
    assert_eq!(usize::try_from(done), Ok(certificates(&api).await), "all that was under way is counted");
    // The next need not wait.
    worker(&api).work_off().await;
    assert_eq!(outcome(&api, &task).await, ended("Completed", 100, 0));
    assert_eq!(certificates(&api).await, 100);
    drop(service);
}

async fn a_long_task_of_one_scope_does_not_hold_up_anothers(api: Api) {
    let input = Input::of(&api);
    // Larger than the short one in every way.
    input.write("long", things(0..3_000));
    input.write("short", things(0..40));
    let long = start(&api, "long").await;
    let other = api.in_region(OTHER_REGION);
    let short = start(&other, "short").await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let serving = tokio::spawn(worker(&api).run(stopped));
    loop {
        let (status, ..) = outcome(&other, &short).await;
        if status == "Completed" {
            break;
        }
        assert_eq!(outcome(&api, &long).await.0, "InProgress", "the short one comes first");
        tokio::task::yield_now().await;
    }
    let (status, done, _) = outcome(&api, &long).await;
    assert!(status == "InProgress" && done < 3_000, "{status} {done}");
    stop.send_replace(true);
    serving.await.unwrap();
}

async fn slow_lines_of_others_hold_up_nobody(api: Api) {
    let functions = FunctionServer::new(|_| functions::Said::Nothing).await;
    let input = Input::of(&api);
    input.write("input", things(0..200));
    let mut slow = Vec::new();
    for (region, function) in [(REGION, FUNCTION.to_owned()), (OTHER_REGION, FUNCTION.replace(REGION, OTHER_REGION))] {
        let api = api.in_region(region);
        let limit = std::time::Duration::from_secs(600);
        api.running().house.functions.put(function.parse().unwrap(), functions.function().within(limit));
        let provider = json!({
            "lambdaFunctionArn": function,
            "accountDefaultForOperations": ["CreateCertificateFromCsr"],
        });
        api.post("/certificate-providers/slow").json(provider).quietly().ok().await;
        slow.push((api.clone(), start(&api, "input").await));
    }
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let serving = tokio::spawn(worker(&api).run(stopped));
    // All that they may have under way waits for the function.
    while functions.heard().len() < 64 {
        tokio::task::yield_now().await;
    }
    let other = api.of_account("210987654321").await;
    let bucket = Bucket::of_folder("210987654321".parse().unwrap(), input.path(""));
    other.running().house.bulk.put("other-input".parse().unwrap(), bucket);
    let body = json!({
        "templateBody": template().to_string(),
        "inputFileBucket": "other-input",
        "inputFileKey": "input",
        "roleArn": "arn:aws:iam::210987654321:role/r",
    });
    let started = other.post("/thing-registration-tasks").json(body).quietly().ok().await;
    let task = started["taskId"].as_str().unwrap();
    while outcome(&other, task).await.0 == "InProgress" {
        tokio::task::yield_now().await;
    }
    assert_eq!(outcome(&other, task).await, ended("Completed", 200, 0));
    for (api, task) in slow {
        assert_eq!(outcome(&api, &task).await, ended("InProgress", 0, 0));
    }
    serving.abort();
}

async fn a_task_ends_after_thirty_days(api: Api) {
    let input = Input::of(&api);
    input.write("input", things(0..1));
    let task = start(&api, "input").await;
    api.clock().advance_ms(limits::REGISTRATION_TASK_MS + 1);
    worker(&api).work_off().await;
    let told = describe(&api, &task).await;
    assert_eq!(told["status"], "Failed");
    assert!(told["message"].as_str().unwrap().contains("30 days"), "{told}");
    // It is kept for as long again.
    let store = &api.running().house.store;
    for (later, is_kept) in [(limits::REGISTRATION_TASK_MS, true), (1, false)] {
        api.clock().advance_ms(later);
        store.prune_registration_tasks(api.clock().now().plus_millis(-limits::REGISTRATION_TASK_MS)).await.unwrap();
        let found = store.registration_task(&task.parse().unwrap()).await.unwrap();
        assert_eq!(found.is_some(), is_kept, "{later}");
    }
}
