//! The control API's listener: HTTP/1.1, plain on loopback or over TLS. Our own pages lie under `/_gatehouse/`; all
//! else goes to the control door.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatehouse_control::bulk::report::{self, ReportBody};
use gatehouse_control::call::House;
use gatehouse_control::door::{Door, Peer};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::registry::Registry;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Connections to the API at once; more wait in the listen backlog.
const CONNECTIONS: usize = 10_000;
/// From accept to a complete TLS handshake, and for the head of each request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long open requests may take to end when the server stops.
const DRAIN: Duration = Duration::from_secs(5);

/// What an answer carries.
type Body = Either<Full<Bytes>, ReportBody>;

/// What the listener serves.
pub(crate) struct Api {
    pub(crate) door: Arc<Door>,
    pub(crate) house: Arc<House>,
    pub(crate) root_pem: Bytes,
    pub(crate) registry: Registry,
    /// Whether the house is fit to serve.
    pub(crate) is_healthy: Box<dyn Fn() -> bool + Send + Sync>,
}

/// Serves `api` on `listener` until `stop` changes, then lets open requests end.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    api: Arc<Api>,
    mut stop: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let acceptor = tls.map(TlsAcceptor::from);
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let permit = Arc::clone(&permits).acquire_owned().await.ok()?;
            Some((permit, listener.accept().await))
        };
        let next = tokio::select! {
            next = next => next,
            _ = stop.changed() => break,
        };
        let Some((permit, accepted)) = next else { return };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((tcp, peer)) => {
                // On a listener for both families, an IPv4 caller has its own address: in the audit trail and in policies.
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                let connection = connection(tcp, peer, acceptor.clone(), Arc::clone(&api), permit, stop.clone());
                connections.spawn(connection);
            }
            Err(error) => {
                // Out of file descriptors: what is open goes on, and new callers wait.
                tracing::warn!(%error, "the control API cannot accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    let _ended_in_time = tokio::time::timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await;
}

async fn connection(
    tcp: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    api: Arc<Api>,
    _permit: OwnedSemaphorePermit,
    stop: watch::Receiver<bool>,
) {
    let _kept_slow = tcp.set_nodelay(true);
    match acceptor {
        None => requests(tcp, Peer { ip: peer.ip(), is_secure: false }, api, stop).await,
        Some(acceptor) => match tokio::time::timeout(HEAD_TIMEOUT, acceptor.accept(tcp)).await {
            Ok(Ok(stream)) => requests(stream, Peer { ip: peer.ip(), is_secure: true }, api, stop).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "the control API's handshake failed"),
            Err(_) => tracing::debug!(%peer, "the control API's handshake did not end in time"),
        },
    }
}

async fn requests(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    api: Arc<Api>,
    mut stop: watch::Receiver<bool>,
) {
    let service = service_fn(move |request| {
        let api = Arc::clone(&api);
        async move { Ok::<_, Infallible>(api.answer(request, peer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(64)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        _ = stop.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(peer = %peer.ip, %error, "a connection to the control API ended early");
    }
}

impl Api {
    async fn answer(&self, request: Request<Incoming>, peer: Peer) -> Response<Body> {
        let is_get = request.method() == Method::GET;
        if is_get && request.uri().path().starts_with(report::PATH) {
            return report::answer(&self.house, request.uri()).await.map(Either::Right);
        }
        let answer = match request.uri().path() {
            "/root-ca.pem" | "/_gatehouse/root-ca.pem" if is_get => {
                page(StatusCode::OK, "application/x-pem-file", self.root_pem.clone())
            }
            "/_gatehouse/health" if is_get => self.health(),
            "/_gatehouse/metrics" if is_get => self.metrics(),
            path if path.starts_with("/_gatehouse/") => page(
                StatusCode::NOT_FOUND,
                "text/plain",
                "there is no such page: health, metrics, root-ca.pem\n".into(),
            ),
            _ => self.door.handle(request, peer).await,
        };
        answer.map(Either::Left)
    }

    fn health(&self) -> Response<Full<Bytes>> {
        if (self.is_healthy)() {
            page(StatusCode::OK, "application/json", r#"{"status":"ok"}"#.into())
        } else {
            page(
                StatusCode::SERVICE_UNAVAILABLE,
                "application/json",
                r#"{"status":"the registry cannot be read"}"#.into(),
            )
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            Ok(()) => page(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text.into()),
            Err(_) => page(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "the metrics cannot be written\n".into()),
        }
    }
}

fn page(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}
