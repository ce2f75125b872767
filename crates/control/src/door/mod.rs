//! The generic door, written once for every operation. A control call reads top-down in [`Door::handle`] and
//! [`Door::answer`]: claim, body, signature, route, input, permission, run, answer.

mod account;
mod arrival;
mod authenticate;
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
use tokio::sync::Semaphore;

use self::account::Trace;
use self::arrival::Arrived;
use self::authenticate::Claim;
use self::metrics::Metrics;
use self::route::{NoRoute, Route, Routes};
use crate::call::{Call, House};
use crate::error::{Code, Error};
use crate::facts::{Facts, IOT};
use crate::operation::Handler;
use crate::sigv4::{SigningKeyCache, normalised_path};

/// Signing keys kept derived.
const SIGNING_KEYS: usize = 10_000;

/// The control API's door.
pub struct Door {
    house: Arc<House>,
    facts: &'static Facts,
    routes: Routes,
    signing_keys: SigningKeyCache,
    metrics: Metrics,
    room_for_bodies: Arc<Semaphore>,
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
            room_for_bodies: arrival::room_for_bodies(),
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
        let arrived = match self.claim(&parts.headers).await {
            Ok(claim) => arrival::read(parts, body, peer, &self.room_for_bodies).await.map(|arrived| (claim, arrived)),
            Err(error) => Err(error),
        };
        let (claim, arrived) = match arrived {
            Ok(arrived) => arrived,
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
        let identity = self.authenticate(claim, arrived).await?;
        trace.access_key_id = Some(identity.caller.access_key_id.clone());
        trace.scope = Some(identity.scope);

        let (route, labels) = self.route(arrived)?;
        trace.operation = Some(route.name);
        trace.reads_only = ["Get", "List", "Describe", "Test"].iter().any(|verb| route.name.starts_with(verb));
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

/// The status line of an error code.
fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
