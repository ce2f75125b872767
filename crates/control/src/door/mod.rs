//! The generic door, written once for every operation. A control call reads top-down in [`Door::handle`] and
//! [`Door::answer`]: claim, body, signature, route, input, permission, run, answer.

mod account;
pub(crate) mod authorize;
mod bind;
mod constraint;
mod metrics;
mod route;
mod shown;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatehouse_domain::limits;
use gatehouse_domain::rate_limit::RateLimit;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use serde_json::Value;

use self::account::Trace;
use self::metrics::Metrics;
use self::route::{NoRoute, Route, Routes};
use crate::body::{ArrivedBody, Bodies, BodyRefusal};
use crate::call::{Call, Caller, House};
use crate::error::{Code, Error};
use crate::facts::{Facts, IOT};
use crate::operation::Handler;
use crate::sigv4::{SigV4Error, normalised_path};
use crate::verifier::{Carriers, Claim, Unverified, Verifier};

/// Names under which clients sign for the control API; `execute-api` is what old documentation says.
const SERVICES: [&str; 2] = ["iot", "execute-api"];

/// The control API's door.
pub struct Door {
    house: Arc<House>,
    facts: &'static Facts,
    routes: Routes,
    verifier: Verifier,
    metrics: Metrics,
    bodies: Bodies,
    line_limit: Mutex<RateLimit>,
}

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address.
    pub ip: IpAddr,
    /// Whether it came in through TLS.
    pub is_secure: bool,
}

/// A request whose body is complete.
struct Arrived {
    parts: http::request::Parts,
    body: ArrivedBody,
    peer: Peer,
}

impl Door {
    /// The door to `house`, with its metrics in `registry`.
    #[must_use]
    pub fn new(house: Arc<House>, registry: &mut Registry) -> Self {
        let verifier = Verifier::new(
            house.store.clone(),
            house.sealer.clone(),
            Arc::clone(&house.clock),
            house.regions.clone(),
            &SERVICES,
            Carriers::Header,
        );
        Self {
            house,
            facts: &IOT,
            routes: Routes::new(&IOT, crate::operations::all()),
            verifier,
            metrics: Metrics::new(registry),
            bodies: Bodies::new(limits::API_BODIES_BYTES),
            line_limit: account::line_limit(),
        }
    }

    /// Answers one request from `peer`. A call that has begun is run to its end and accounted for, even when its caller
    /// goes away.
    pub async fn handle<B>(self: &Arc<Self>, request: Request<B>, peer: Peer) -> Response<Full<Bytes>>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let started = Instant::now();
        let request_id = crate::random::uuid().unwrap_or_default();
        let (parts, body) = request.into_parts();
        // Who signs nothing, or with an unknown key, gets no memory for a body.
        let arrived = async {
            let claim = self.verifier.claim(&parts).await?;
            Ok::<_, Error>((claim, self.bodies.read(body, limits::API_BODY_BYTES).await?))
        };
        let (claim, arrived) = match arrived.await {
            Ok((claim, body)) => (claim, Arrived { parts, body, peer }),
            Err(error) => {
                let outcome = Err(error);
                self.account_for(&Trace::default(), &outcome, &request_id, peer, started.elapsed());
                return shown::response(&request_id, &outcome);
            }
        };
        let door = Arc::clone(self);
        let answered = tokio::spawn(async move {
            let mut trace = Trace::default();
            let outcome = door.answer(claim, &arrived, &mut trace).await;
            door.account_for(&trace, &outcome, &request_id, peer, started.elapsed());
            shown::response(&request_id, &outcome)
        });
        answered.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a call did not come to its end");
            shown::response("", &Err(Error::Internal(error.to_string())))
        })
    }

    async fn answer(&self, claim: Claim, arrived: &Arrived, trace: &mut Trace) -> Result<Value, Error> {
        let signer = self.verifier.verify(claim, &arrived.parts, &arrived.body.bytes).await?;
        trace.access_key_id = Some(signer.access_key_id().to_owned());
        trace.scope = Some(signer.scope());

        let (route, labels) = self.route(arrived)?;
        trace.operation = Some(route.name);
        trace.reads_only = ["Get", "List", "Describe", "Test"].iter().any(|verb| route.name.starts_with(verb));
        let handler = route.handler.ok_or_else(|| not_implemented(route.name))?;

        let input = match &route.facts.input {
            Some(shape) => {
                let query = arrived.parts.uri.query().unwrap_or("");
                let parts = bind::Parts { labels, query, headers: &arrived.parts.headers, body: &arrived.body.bytes };
                let input = bind::bind(self.facts, shape, parts)?;
                constraint::check(self.facts, shape, &input)?;
                input
            }
            None => Value::Null,
        };

        let call = Call {
            scope: signer.scope(),
            caller: Caller {
                access_key_id: signer.access_key_id().to_owned(),
                policy: signer.policy().cloned(),
                device: signer.device().cloned(),
                source_ip: arrived.peer.ip,
                is_secure: arrived.peer.is_secure,
                host: host(&arrived.parts),
            },
            now: self.house.clock.now(),
            operation: route.name,
            house: Arc::clone(&self.house),
            has_committed: AtomicBool::new(false),
        };
        let resource = (handler.resource)(&call, &input)?;
        trace.resource = Some(resource.clone());
        authorize::authorize(&call, &format!("iot:{}", route.name), &resource)?;

        let outcome = run(&handler, &call, &input).await;
        trace.reads_only &= !call.has_committed.load(Ordering::Relaxed);
        let output = outcome?;
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
                format!("no operation of service iot is at {} {}", parts.method, clipped(parts.uri.path())),
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
}

impl From<Unverified> for Error {
    fn from(unverified: Unverified) -> Self {
        match unverified {
            Unverified::Signature(error) => Self::refused(code(&error), error.to_string()),
            Unverified::Store(error) => Self::Store(error),
            Unverified::Internal(text) => Self::Internal(text),
        }
    }
}

fn code(error: &SigV4Error) -> Code {
    match error.aws_name() {
        "MissingAuthenticationTokenException" => Code::MissingAuthenticationTokenException,
        "IncompleteSignatureException" => Code::IncompleteSignatureException,
        "UnrecognizedClientException" => Code::UnrecognizedClientException,
        _ => Code::InvalidSignatureException,
    }
}

impl From<BodyRefusal> for Error {
    fn from(refusal: BodyRefusal) -> Self {
        let code = match refusal {
            BodyRefusal::TooLong { .. } => Code::RequestEntityTooLargeException,
            BodyRefusal::Broken | BodyRefusal::Late => Code::InvalidRequestException,
            BodyRefusal::NoRoom => Code::ServiceUnavailableException,
        };
        Self::refused(code, refusal.to_string())
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

/// As much of a stranger's text as is worth showing.
fn clipped(text: &str) -> String {
    text.chars().take(limits::LOGGED_CHARACTERS).collect()
}

fn not_implemented(name: &str) -> Error {
    Error::refused(
        Code::NotImplementedException,
        format!("the operation {name} exists in the AWS IoT API and is not implemented by Gatehouse yet"),
    )
}

/// The host that the request is for. It is signed, so nobody else has written it.
fn host(parts: &http::request::Parts) -> Option<String> {
    let host = parts.headers.get(http::header::HOST)?.to_str().ok()?;
    let authority: http::uri::Authority = host.parse().ok()?;
    (!host.contains('@')).then(|| authority.as_str().to_owned())
}

/// The status line of an error code.
fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
