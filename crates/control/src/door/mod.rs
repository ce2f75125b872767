//! The generic door, written once for every operation. A control call reads top-down in [`Door::answer`]: body,
//! signature, route, input, permission, run, answer.

mod authenticate;
mod authorize;
mod bind;
mod constraint;
mod metrics;
mod route;
mod shown;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatehouse_domain::limits;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use prometheus_client::registry::Registry;
use serde_json::Value;

use self::metrics::Metrics;
use self::route::{NoRoute, Route, Routes};
use crate::call::{Call, House};
use crate::error::{Code, Error};
use crate::facts::{Facts, IOT};
use crate::operation::Handler;
use crate::sigv4::{SigningKeyCache, normalised_path};

/// From the head of a request to the end of its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Signing keys kept derived.
const SIGNING_KEYS: usize = 10_000;

/// The control API's door.
pub struct Door {
    house: Arc<House>,
    facts: &'static Facts,
    routes: Routes,
    signing_keys: SigningKeyCache,
    metrics: Metrics,
}

/// A request whose body is complete.
struct Arrived {
    parts: http::request::Parts,
    body: Bytes,
    source_ip: IpAddr,
    is_secure: bool,
}

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address.
    pub ip: IpAddr,
    /// Whether it came in through TLS.
    pub is_secure: bool,
}

/// What is known of a call when it ends, for its log line.
#[derive(Default)]
struct Trace {
    operation: Option<&'static str>,
    access_key_id: Option<String>,
    scope: Option<gatehouse_domain::scope::Scope>,
}

impl Door {
    /// The door to `house`, with its metrics in `registry`.
    #[must_use]
    pub fn new(house: Arc<House>, registry: &mut Registry) -> Self {
        Self {
            house,
            facts: &IOT,
            routes: Routes::new(&IOT, crate::operations::all()),
            signing_keys: SigningKeyCache::new(SIGNING_KEYS),
            metrics: Metrics::new(registry),
        }
    }

    /// Answers one request from `peer`.
    pub async fn handle<B>(&self, request: Request<B>, peer: Peer) -> Response<Full<Bytes>>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let started = Instant::now();
        let request_id = crate::random::uuid().unwrap_or_default();
        let mut trace = Trace::default();
        let outcome = match read(request, peer).await {
            Ok(arrived) => self.answer(&arrived, &mut trace).await,
            Err(error) => Err(error),
        };
        let response = shown::response(&request_id, &outcome);
        self.account_for(&trace, &outcome, &request_id, peer.ip, started.elapsed());
        response
    }

    async fn answer(&self, arrived: &Arrived, trace: &mut Trace) -> Result<Value, Error> {
        let identity = self.authenticate(arrived).await?;
        trace.access_key_id = Some(identity.caller.access_key_id.clone());
        trace.scope = Some(identity.scope);

        let (route, labels) = self.route(arrived)?;
        trace.operation = Some(route.name);
        let handler = route.handler.ok_or_else(|| not_implemented(route.name))?;

        let input = match &route.facts.input {
            Some(shape) => {
                let query = arrived.parts.uri.query().unwrap_or("");
                let parts = bind::Parts { labels, query, headers: &arrived.parts.headers, body: &arrived.body };
                let input = bind::bind(self.facts, shape, parts)?;
                constraint::check(self.facts, shape, &input)?;
                input
            }
            None => Value::Null,
        };

        let call = Call {
            scope: identity.scope,
            caller: identity.caller,
            now: self.house.clock.now(),
            operation: route.name,
            house: Arc::clone(&self.house),
        };
        authorize::authorize(&call, route.name, &(handler.resource)(&call, &input)?)?;

        let output = run(&handler, &call, &input).await?;
        self.check_output(route, &output);
        Ok(output)
    }

    fn route(&self, arrived: &Arrived) -> Result<(&Route, route::Labels), Error> {
        let parts = &arrived.parts;
        // The form of the path that was signed: any other could be led to another operation.
        let path = normalised_path(parts.uri.path());
        self.routes.find(parts.method.as_str(), &path).map_err(|reason| match reason {
            NoRoute::Unknown => Error::refused(
                Code::UnknownOperationException,
                format!("no operation of service iot is at {} {}", parts.method, parts.uri.path()),
            ),
            NoRoute::Encoding => Error::invalid("the path is not percent-encoded UTF-8"),
        })
    }

    /// In development, holds every answer against the model, so that a wrong member name cannot stay unseen.
    fn check_output(&self, route: &Route, output: &Value) {
        if cfg!(debug_assertions)
            && let Some(shape) = &route.facts.output
        {
            let checked = constraint::check(self.facts, shape, output);
            debug_assert!(checked.is_ok(), "{} answers against the model: {checked:?}", route.name);
        }
    }

    fn account_for(
        &self,
        trace: &Trace,
        outcome: &Result<Value, Error>,
        request_id: &str,
        source_ip: IpAddr,
        elapsed: Duration,
    ) {
        let operation = trace.operation.unwrap_or("-");
        let result = shown::result_name(outcome);
        self.metrics.count(operation, result, elapsed);
        let access_key_id = trace.access_key_id.as_deref().unwrap_or("-");
        let scope = trace.scope.map(|scope| scope.to_string()).unwrap_or_default();
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        match outcome {
            Ok(_) => {
                tracing::debug!(operation, result, request_id, access_key_id, scope, %source_ip, elapsed_us, "api call");
            }
            Err(Error::Refused(refused)) => {
                let message = refused.message.as_ref();
                tracing::info!(operation, result, request_id, access_key_id, scope, %source_ip, elapsed_us, message, "api call refused");
            }
            Err(error) => {
                tracing::error!(operation, result, request_id, access_key_id, scope, %source_ip, elapsed_us, %error, "api call failed");
            }
        }
    }
}

/// Runs an operation, again when its commit loses a race, a bounded number of times.
async fn run(handler: &Handler, call: &Call, input: &Value) -> Result<Value, Error> {
    for attempt in 0..limits::COMMIT_ATTEMPTS {
        match (handler.run)(call, input).await {
            Err(Error::Store(gatehouse_store::Error::Conflict)) => {
                tracing::debug!(operation = handler.name, attempt, "commit lost a race");
                // The rivals have committed; a breath keeps many of them from meeting again at once.
                tokio::time::sleep(Duration::from_millis(u64::from(attempt))).await;
            }
            outcome => return outcome,
        }
    }
    Err(Error::refused(
        Code::ServiceUnavailableException,
        "too many concurrent changes of the same resource: try again",
    ))
}

async fn read<B>(request: Request<B>, peer: Peer) -> Result<Arrived, Error>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    refuse_long(&parts.headers)?;
    let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, limits::API_BODY_BYTES).collect())
        .await
        .map_err(|_| Error::invalid("the body did not arrive in time"))?
        .map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                too_long()
            } else {
                Error::invalid("the body could not be read to its end")
            }
        })?;
    Ok(Arrived { parts, body: body.to_bytes(), source_ip: peer.ip, is_secure: peer.is_secure })
}

/// A body that says it is too long is refused before a byte of it is read.
fn refuse_long(headers: &HeaderMap) -> Result<(), Error> {
    let declared = headers.get(http::header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    match declared.map(usize::try_from) {
        Some(Ok(length)) if length <= limits::API_BODY_BYTES => Ok(()),
        None => Ok(()),
        Some(_) => Err(too_long()),
    }
}

fn too_long() -> Error {
    Error::refused(
        Code::RequestEntityTooLargeException,
        format!("the body has more than {} bytes", limits::API_BODY_BYTES),
    )
}

fn not_implemented(name: &str) -> Error {
    Error::refused(
        Code::NotImplementedException,
        format!("the operation {name} exists in the AWS IoT API and is not implemented by Gatehouse yet"),
    )
}

/// The status line of an error code.
fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
