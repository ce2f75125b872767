//! Functions: called over HTTP as the configuration says, and held to time, size and number. The server here is what the
//! tests of operations that call functions use, too.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatehouse_control::functions::function::Function;
use gatehouse_control::functions::{FunctionError, Functions};
use gatehouse_control::outgoing::{AccessKey, Plain};
use gatehouse_control::sigv4::{Authorization, SignedRequest, SigningKey, verify};
use gatehouse_domain::function::FunctionArn;
use gatehouse_domain::limits;
use gatehouse_domain::scope::Scope;
use http::{HeaderMap, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use crate::harness::{ACCOUNT, NOW, OTHER_REGION, REGION, TestClock};

/// An ARN of the account that tests speak for.
pub(crate) const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:sign";

/// What a function does with a call: answers, with this status, header and body, or never does.
pub(crate) enum Said {
    Json(Value),
    Raw(u16, Option<&'static str>, String),
    /// When the semaphore has a permit.
    Later(Arc<Semaphore>, Value),
    Nothing,
}

/// A request that a function got.
#[derive(Clone)]
pub(crate) struct Heard {
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Heard {
    pub(crate) fn event(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A server that answers every call by `say`.
pub(crate) struct FunctionServer {
    pub(crate) address: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    task: AbortHandle,
}

impl Drop for FunctionServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FunctionServer {
    pub(crate) async fn new(say: impl Fn(&Heard) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (say, ears) = (Arc::new(say), Arc::clone(&heard));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (say, ears) = (Arc::clone(&say), Arc::clone(&ears));
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let (say, ears) = (Arc::clone(&say), Arc::clone(&ears));
                    async move {
                        assert_eq!(request.method(), "POST");
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let heard = Heard { target: parts.uri.to_string(), headers: parts.headers, body };
                        ears.lock().push(heard.clone());
                        Ok::<_, Infallible>(answer(say(&heard)).await)
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, heard, task: task.abort_handle() }
    }

    /// The function, called at a URL.
    pub(crate) fn function(&self) -> Function {
        function_at(&self.address)
    }

    /// What was heard so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().clone()
    }
}

async fn answer(said: Said) -> Response<Full<Bytes>> {
    let (status, error, body) = match said {
        Said::Json(body) => (200, None, body.to_string()),
        Said::Raw(status, error, body) => (status, error, body),
        Said::Later(gate, body) => {
            gate.acquire().await.unwrap().forget();
            (200, None, body.to_string())
        }
        Said::Nothing => std::future::pending().await,
    };
    let mut answer = Response::builder().status(status);
    if let Some(error) = error {
        answer = answer.header("x-amz-function-error", error);
    }
    answer.body(Full::new(Bytes::from(body))).unwrap()
}

pub(crate) fn function_at(url: &str) -> Function {
    Function::at_url(url.parse().unwrap(), Arc::new(Plain))
}

/// A URL at which nobody listens: a port that was free a moment ago, and closed.
pub(crate) fn nowhere() -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("http://127.0.0.1:{port}/")
}

pub(crate) fn scope() -> Scope {
    Scope::new(ACCOUNT.parse().unwrap(), REGION.parse().unwrap())
}

fn arn() -> FunctionArn {
    FUNCTION.parse().unwrap()
}

/// Functions of which one is known.
fn functions(function: Function) -> Functions {
    let functions = Functions::new(Arc::new(TestClock::at(NOW)));
    functions.put(arn(), function);
    functions
}

async fn invoke(functions: &Functions) -> Result<Value, FunctionError> {
    functions.invoke(scope(), &arn(), &json!({ "n": 7 })).await
}

#[tokio::test]
async fn the_event_is_posted_and_the_answer_read() {
    let server = FunctionServer::new(|heard| Said::Json(json!({ "heard": heard.event() }))).await;
    let functions = functions(function_at(&format!("{}/hooks/sign?x=1", server.address)));
    assert_eq!(invoke(&functions).await, Ok(json!({ "heard": { "n": 7 } })));
    let heard = &server.heard()[0];
    assert_eq!(heard.target, "/hooks/sign?x=1");
    assert_eq!(heard.headers["content-type"], "application/json");
    assert_eq!(format!("http://{}", heard.headers["host"].to_str().unwrap()), server.address);
    assert!(!heard.headers.contains_key("authorization"));
}

#[tokio::test]
async fn lambdas_invoke_is_asked_for_the_arn_with_a_signature() {
    let server = FunctionServer::new(|_| Said::Json(json!(1))).await;
    let arn: FunctionArn = format!("{FUNCTION}:$LATEST").parse().unwrap();
    let functions = functions(server.function());
    let credentials =
        || AccessKey { access_key_id: "AKIAOURS".to_owned(), secret_access_key: "secret".to_owned().into() };
    for credentials in [None, Some(credentials())] {
        let endpoint = server.address.parse().unwrap();
        functions.put(arn.clone(), Function::at_endpoint(endpoint, credentials, Arc::new(Plain)));
        assert_eq!(functions.invoke(scope(), &arn, &json!({ "n": 7 })).await, Ok(json!(1)));
    }
    let heard = server.heard();
    for heard in &heard {
        let path = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Asign/invocations";
        assert_eq!(heard.target, format!("{path}?Qualifier=%24LATEST"));
        assert_eq!(heard.headers["x-amz-invocation-type"], "RequestResponse");
        assert_eq!(heard.event(), json!({ "n": 7 }));
    }
    assert!(!heard[0].headers.contains_key("authorization"));

    let Heard { target, headers, body } = &heard[1];
    let authorization = Authorization::parse(headers, &["lambda"]).unwrap();
    assert!(headers["authorization"].to_str().unwrap().contains("Credential=AKIAOURS/20270115/us-east-1/lambda/"));
    let mut body_sha256 = [0; 32];
    body_sha256.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body).as_ref());
    let request = SignedRequest { method: &http::Method::POST, target, headers, body_sha256: &body_sha256 };
    let key = SigningKey::derive(b"secret", authorization.scope());
    assert_eq!(verify(&authorization, &request, &key, NOW), Ok(()));
}

#[tokio::test]
async fn only_what_is_configured_for_the_scope_is_called() {
    let server = FunctionServer::new(|_| Said::Json(json!(1))).await;
    let functions = functions(server.function());
    let unknown = format!("{FUNCTION}:1").parse().unwrap();
    assert_eq!(functions.invoke(scope(), &unknown, &Value::Null).await, Err(FunctionError::NotConfigured));
    for other in [
        Scope::new("210987654321".parse().unwrap(), scope().region),
        Scope::new(scope().account, OTHER_REGION.parse().unwrap()),
    ] {
        assert_eq!(functions.invoke(other, &arn(), &Value::Null).await, Err(FunctionError::Elsewhere));
    }
    assert_eq!(server.heard().len(), 0);
    assert_eq!(invoke(&functions).await, Ok(json!(1)));
}

#[tokio::test]
async fn an_answer_is_json_of_bounded_length_from_a_function_that_succeeded() {
    let fits = "x".repeat(limits::FUNCTION_ANSWER_BYTES - 2);
    let cases = [
        (Said::Raw(200, None, format!("\"{fits}\"")), Ok(json!(fits))),
        (Said::Raw(200, None, format!("\"{fits}x\"")), Err(FunctionError::TooLarge)),
        (Said::Raw(200, None, "x".repeat(10_000_000)), Err(FunctionError::TooLarge)),
        (Said::Raw(200, None, "no JSON".to_owned()), Err(FunctionError::NotJson)),
        (Said::Raw(500, None, "{}".to_owned()), Err(FunctionError::Failed { status: 500, error: None })),
        (
            Said::Raw(200, Some("Unhandled"), r#"{"errorMessage":"hush"}"#.to_owned()),
            Err(FunctionError::Failed { status: 200, error: Some("Unhandled".to_owned()) }),
        ),
    ];
    for (said, expected) in cases {
        let said = Mutex::new(Some(said));
        let server = FunctionServer::new(move |_| said.lock().take().unwrap()).await;
        assert_eq!(invoke(&functions(server.function())).await, expected);
        assert_eq!(server.heard().len(), 1, "nobody asks twice");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = FunctionServer::new(|_| Said::Json(json!(1))).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let head = format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", other.address);
    let answered = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
        stream
    });
    let failed = invoke(&functions(function_at(&url))).await;
    assert_eq!(failed, Err(FunctionError::Failed { status: 307, error: None }));
    drop(answered.await.unwrap());
    assert_eq!(other.heard().len(), 0);
}

#[tokio::test]
async fn a_function_that_is_not_there_is_unreachable() {
    let failed = invoke(&functions(function_at(&nowhere()))).await;
    assert!(matches!(failed, Err(FunctionError::Unreachable(_))), "{failed:?}");
    // One that hangs up without an answer, too.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            drop(listener.accept().await.unwrap());
        }
    });
    let failed = invoke(&functions(function_at(&url))).await;
    assert!(matches!(failed, Err(FunctionError::Unreachable(_))), "{failed:?}");
}

#[tokio::test]
async fn the_time_limit_holds_from_the_first_byte_to_the_last() {
    let limit = Duration::from_millis(50);
    let late = Err(FunctionError::Timeout(limit));
    let silent = FunctionServer::new(|_| Said::Nothing).await;
    assert_eq!(invoke(&functions(silent.function().within(limit))).await, late);

    // The head comes, and the body does not; and a byte now and then does not win time.
    for piece in ["", " "] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let trickle = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n".to_owned();
            while tokio::io::AsyncWriteExt::write_all(&mut stream, text.as_bytes()).await.is_ok() {
                text = piece.to_owned();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        assert_eq!(invoke(&functions(function_at(&url).within(limit))).await, late, "{piece:?}");
        trickle.abort();
    }
}

#[tokio::test]
async fn slow_functions_of_one_scope_do_not_keep_others_waiting() {
    let gate = Arc::new(Semaphore::new(0));
    let (entered, is_open) = (Arc::new(Semaphore::new(0)), Arc::clone(&gate));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let counted = Arc::clone(&entered);
    let task = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (is_open, counted) = (Arc::clone(&is_open), Arc::clone(&counted));
            let service = service_fn(move |_: http::Request<hyper::body::Incoming>| {
                let (is_open, counted) = (Arc::clone(&is_open), Arc::clone(&counted));
                async move {
                    counted.add_permits(1);
                    is_open.acquire().await.unwrap().forget();
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"1"))))
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    let functions = Arc::new(functions(function_at(&url).within(Duration::from_secs(60))));
    let quick = FunctionServer::new(|_| Said::Json(json!(2))).await;
    let other: FunctionArn = "arn:aws:lambda:us-east-1:210987654321:function:sign".parse().unwrap();
    functions.put(other.clone(), quick.function());

    let calls: Vec<_> = (0..limits::FUNCTION_CALLS_PER_SCOPE)
        .map(|_| {
            let functions = Arc::clone(&functions);
            tokio::spawn(async move { invoke(&functions).await })
        })
        .collect();
    let all = u32::try_from(limits::FUNCTION_CALLS_PER_SCOPE).unwrap();
    entered.acquire_many(all).await.unwrap().forget();
    assert_eq!(invoke(&functions).await, Err(FunctionError::Busy));
    assert_eq!(functions.invoke(other.scope(), &other, &Value::Null).await, Ok(json!(2)));

    // A caller who goes away leaves the place, and so does whoever got an answer.
    let mut calls = calls.into_iter();
    let gone = calls.next().unwrap();
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    gate.add_permits(limits::FUNCTION_CALLS_PER_SCOPE + 1);
    assert_eq!(invoke(&functions).await, Ok(json!(1)));
    for call in calls {
        assert_eq!(call.await.unwrap(), Ok(json!(1)));
    }
    task.abort();
}
