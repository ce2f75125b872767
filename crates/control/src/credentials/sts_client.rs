//! The HTTP client under the SDK: one connection for each request. Requests are few (fifty a second for a scope at
//! most), and TLS is whatever [`Connect`] brings: this crate knows none.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient as SdkHttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// An answer at most, in bytes.
const ANSWER_BYTES: usize = 64 * 1024;

/// A connection.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to be.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// Connects to where a service is.
pub trait Connect: Send + Sync + 'static {
    /// Connects to `host`, with TLS or without.
    fn connect(&self, host: &str, port: u16, is_secure: bool) -> Connecting;
}

/// Connects without TLS.
pub struct Plain;

impl Connect for Plain {
    fn connect(&self, host: &str, port: u16, is_secure: bool) -> Connecting {
        let address = (host.to_owned(), port);
        Box::pin(async move {
            if is_secure {
                return Err(io::Error::other("https is not served without TLS"));
            }
            let stream = TcpStream::connect(address).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

/// The client as the SDK wants it.
#[derive(Clone)]
pub(super) struct HttpClient(Arc<dyn Connect>);

impl HttpClient {
    pub(super) const fn new(connect: Arc<dyn Connect>) -> Self {
        Self(connect)
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}

impl SdkHttpClient for HttpClient {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for HttpClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(exchange(Arc::clone(&self.0), request))
    }
}

async fn exchange(connect: Arc<dyn Connect>, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let user = |why: &str| ConnectorError::user(why.to_owned().into());
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (mut parts, body) = request.into_parts();
    let body = Bytes::copy_from_slice(body.bytes().ok_or_else(|| user("the request's body is a stream"))?);

    let is_secure = parts.uri.scheme_str() == Some("https");
    let authority = parts.uri.authority().ok_or_else(|| user("the request names no host"))?.clone();
    let port = authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if !parts.headers.contains_key(http::header::HOST) {
        let value = authority.as_str().try_into().map_err(|_| user("the host is no header value"))?;
        parts.headers.insert(http::header::HOST, value);
    }
    // In the form that goes to an origin server (RFC 9112, 3.2.1).
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    parts.uri = target.parse().map_err(|_| user("the request's path cannot be read"))?;

    let io = |error: io::Error| ConnectorError::io(error.into());
    let stream = connect.connect(host, port, is_secure).await.map_err(io)?;
    let failed = |error: hyper::Error| ConnectorError::io(error.into());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let answered = async {
        let answer = sender.send_request(http::Request::from_parts(parts, Full::new(body))).await.map_err(failed)?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_BYTES).collect().await.map_err(ConnectorError::io)?;
        Ok((parts, body.to_bytes()))
    };
    tokio::pin!(answered, connection);
    // Driven here, the connection ends with whoever waits for its answer.
    let mut is_open = true;
    let (parts, body) = loop {
        tokio::select! {
            biased;
            answer = &mut answered => break answer?,
            ended = &mut connection, if is_open => {
                ended.map_err(failed)?;
                is_open = false;
            }
        }
    };
    http::Response::from_parts(parts, SdkBody::from(body))
        .try_into()
        .map_err(|error: aws_smithy_runtime_api::http::HttpError| ConnectorError::other(error.into(), None))
}
