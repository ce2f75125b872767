//! One HTTPS connection: its requests one after the other, with deadlines, until it ends or is cut.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gatehouse_broker::{CloseReason, Mailbox};
use gatehouse_control::query::Query;
use gatehouse_control::random::uuid;
use gatehouse_domain::endpoint::EndpointType;
use gatehouse_domain::limits;
use gatehouse_domain::refusal::Refusal;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::{HeaderValue, Request, Response, request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;

use super::answer::{self, Code, Failure, Reply};
use super::operations::Call;
use super::route::{self, Route};
use super::upgrade::Upgrade;
use crate::Gateway;
use crate::admission::TurnedAway;
use crate::arrivals::Arrival;
use crate::authorization::Authorization;
use crate::connections::Presence;
use crate::device::Known;
use crate::principal::{Ended, Identity};

/// How long a request under way may take to end when the server stops.
const DRAIN: Duration = Duration::from_secs(4);

/// How long a connection may show no sign of life between two answers.
const STUCK: Duration = Duration::from_secs(120);
/// How long the rest of a refused body is taken.
const LAST_WORD: Duration = Duration::from_secs(2);
/// How much of it, in bytes.
const THROWN_AWAY_BYTES: usize = 1024 * 1024;

/// Whose requests come in.
pub(super) enum Visitor {
    /// An admitted device's.
    Device(Box<Device>),
    /// Those of a device that was turned away, and hears so at its first request.
    TurnedAway(TurnedAway),
    /// Anybody's: each request is signed.
    Signed {
        /// Held, not asked: it hears that the server stops.
        _presence: Presence,
    },
}

/// An admitted device.
pub(super) struct Device {
    pub(super) identity: Identity,
    pub(super) endpoint_type: EndpointType,
    /// Taken out while a request uses it; there is one request at a time.
    pub(super) authorization: Mutex<Option<Box<Authorization>>>,
}

/// What the requests of a connection share.
pub(super) struct Connection {
    pub(super) gateway: Arc<Gateway>,
    visitor: Visitor,
    mailbox: Arc<Mailbox>,
    pub(super) known: Known,
    /// Held until the peer has shown who it is.
    arrival: Mutex<Option<Arrival>>,
    /// Grows whenever a request begins or ends.
    progress: AtomicU64,
    upgrade: Mutex<Option<Upgrade>>,
}

impl Connection {
    pub(super) fn new(
        gateway: Arc<Gateway>,
        visitor: Visitor,
        mailbox: Arc<Mailbox>,
        known: Known,
        arrival: Arrival,
    ) -> Self {
        Self {
            gateway,
            visitor,
            mailbox,
            known,
            arrival: Mutex::new(Some(arrival)),
            progress: AtomicU64::new(0),
            upgrade: Mutex::new(None),
        }
    }

    pub(super) fn take_upgrade(&self) -> Option<Upgrade> {
        self.upgrade.lock().take()
    }

    pub(super) fn into_known(self) -> Known {
        self.known
    }

    /// What a peer hears that has not shown who it is: it holds a place of those on their way, and keeps none by asking
    /// again.
    pub(super) fn unless_in(&self, failure: Failure) -> Failure {
        if self.arrival.lock().is_some() { failure.closing() } else { failure }
    }

    /// The peer has shown who it is, and counts among the arrivals of its address no more.
    pub(super) fn is_in(&self) {
        drop(self.arrival.lock().take());
    }
}

/// Serves requests until the peer goes, is silent for too long, is cut, or the server stops.
pub(super) async fn serve(connection: &Arc<Connection>, stream: TlsStream<TcpStream>) {
    let serving = Arc::clone(connection);
    let service = service_fn(move |request| {
        let connection = Arc::clone(&serving);
        async move { Ok::<_, Infallible>(connection.answer(request).await) }
    });
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        // From one request on, so that this is also how long a connection may be idle.
        .header_read_timeout(limits::HTTPS_IDLE_TIMEOUT)
        .max_headers(limits::HTTPS_HEADERS)
        .max_buf_size(limits::HTTPS_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut http = std::pin::pin!(http);
    let outcome = tokio::select! {
        outcome = http.as_mut() => outcome,
        reason = connection.mailbox.closed() => match reason {
            CloseReason::ServerShutdown => {
                http.as_mut().graceful_shutdown();
                timeout(DRAIN, http).await.unwrap_or(Ok(()))
            }
            // Cut at once, whatever is under way.
            CloseReason::Refused(_)
            | CloseReason::TakenOver
            | CloseReason::SlowConsumer
            | CloseReason::Deleted { .. } => Ok(()),
        },
        () = stands_still(connection) => Ok(()),
    };
    if let Err(error) = outcome {
        tracing::debug!(peer = %connection.known.peer, %error, "an HTTPS connection ended early");
    }
}

/// Ends when the first request has not come in the time that CONNECT would have, or when a peer does not take its
/// answers: idle connections, heads and bodies have their own deadlines, which are shorter.
async fn stands_still(connection: &Connection) {
    let progress = || connection.progress.load(Ordering::Relaxed);
    // Not what it is by now: the first request may have begun before this was asked for the first time.
    let mut before = 0;
    sleep(limits::CONNECT_TIMEOUT).await;
    while progress() != before {
        before = progress();
        sleep(STUCK).await;
    }
}

impl Connection {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.progress.fetch_add(1, Ordering::Relaxed);
        let request_id = uuid().unwrap_or_default();
        let is_chunked = request.headers().contains_key(TRANSFER_ENCODING);
        let route = route::find(request.method().as_str(), request.uri().path());
        let name = match &route {
            Ok(route) => route.operation.name,
            Err(_) if request.uri().path() == super::upgrade::PATH => "Connect",
            Err(_) => "-",
        };
        let (mut head, mut body) = request.into_parts();
        let outcome = if is_chunked && head.headers.contains_key(CONTENT_LENGTH) {
            // Where the request ends is in doubt (RFC 9112, 6.1).
            Err(Failure::invalid("Content-Length and Transfer-Encoding exclude each other").closing())
        } else {
            match &self.visitor {
                Visitor::Device(device) => self.of_device(device, route, &head, &mut body).await,
                Visitor::TurnedAway(turned_away) => {
                    self.gateway.file(turned_away, None, &self.known);
                    Err(self.refused(route.as_ref().ok(), turned_away.refusal).closing())
                }
                Visitor::Signed { .. } => self.of_signer(route, &mut head, &mut body).await,
            }
        };
        self.gateway.metrics.answered(name, answer::result_name(&outcome));
        // Who waits to be asked for the body has not sent it.
        if outcome.is_err() && !head.headers.contains_key(EXPECT) {
            throw_away(&mut body).await;
        }
        self.progress.fetch_add(1, Ordering::Relaxed);
        let mut response = answer::response(&request_id, outcome);
        if is_chunked {
            // A length that came beside it is out of sight by now: nothing behind such a request is trusted.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn of_device(
        &self,
        device: &Device,
        route: Result<Route, Failure>,
        head: &request::Parts,
        body: &mut Incoming,
    ) -> Result<Reply, Failure> {
        self.is_in();
        let Route { operation, labels } = route?;
        if !operation.endpoints.contains(&device.endpoint_type) {
            return Err(operation.wrong_endpoint());
        }
        let run = operation.run.ok_or_else(|| not_implemented(operation.name))?;
        let query = Query::parse(head.uri.query().unwrap_or(""))?;
        let body = self.gateway.bodies.read(body, operation.body_bytes_max).await?;

        let shared = &self.gateway.shared;
        let now = shared.clock.now();
        let Some(mut authorization) = device.authorization.lock().take() else {
            return Err(Failure::new(Code::InternalFailure, "another request is under way"));
        };
        let refreshed = match device.identity.ended(now) {
            Some(Ended::Refused(refusal)) => {
                shared.reporter.cut(device.identity.scope(), &device.identity.principal(), refusal, 1);
                Err(refusal)
            }
            Some(Ended::Lifetime) | None => authorization.refresh(&shared.registry, &self.mailbox, now).await,
        };
        let outcome = match refreshed {
            Ok(()) => {
                let call = Call {
                    gateway: &self.gateway,
                    scope: device.identity.scope(),
                    principal: &device.identity.principal(),
                    peer: self.known.peer,
                    authorization: &mut authorization,
                    now,
                    labels,
                    query,
                    headers: &head.headers,
                    body: body.bytes,
                };
                run(call).await
            }
            Err(refusal) => Err(operation.turned_away(refusal, self.gateway.refusals).closing()),
        };
        *device.authorization.lock() = Some(authorization);
        outcome
    }

    /// A refusal as it is told to whoever asked for `route`.
    fn refused(&self, route: Option<&Route>, refusal: Refusal) -> Failure {
        let style = self.gateway.refusals;
        route.map_or_else(|| Failure::refused(refusal, style), |route| route.operation.turned_away(refusal, style))
    }

    /// The connection is to become a WebSocket once the answer is out.
    pub(super) fn upgrade(&self, upgrade: Upgrade) {
        *self.upgrade.lock() = Some(upgrade);
    }

    /// Files a refusal of somebody of whom nothing is proven.
    pub(super) fn refuse_stranger(&self, refusal: Refusal) -> Failure {
        self.gateway.file(&TurnedAway::stranger(refusal), None, &self.known);
        Failure::refused(refusal, self.gateway.refusals)
    }
}

/// Takes what is left of a body that nobody wants: closing over unread bytes resets the connection, and the reset
/// overtakes the answer on its way to a peer that is busy sending.
async fn throw_away(body: &mut Incoming) {
    let _peer_goes_on = timeout(LAST_WORD, async {
        let mut left_bytes = THROWN_AWAY_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            left_bytes = left_bytes.checked_sub(bytes)?;
        }
        Some(())
    })
    .await;
}

pub(super) fn wrong_endpoint(name: &str) -> Failure {
    Failure::new(
        Code::Forbidden,
        format!("this endpoint does not serve {name}: DescribeEndpoint returns the one that does"),
    )
}

pub(super) fn not_implemented(name: &str) -> Failure {
    Failure::new(
        Code::NotImplemented,
        format!("the operation {name} exists in the AWS IoT data plane and is not implemented by Gatehouse yet"),
    )
}
