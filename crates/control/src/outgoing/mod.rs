//! One HTTP request to an outside service: a connection for it alone, and one answer of bounded length. Requests are few,
//! and TLS is whatever [`Connect`] brings: this crate knows none. Redirects are answers like others.

mod address;

use std::io;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

pub use self::address::{Address, InvalidAddress};

/// What requests to a service are signed with.
pub struct AccessKey {
    /// Our access key there.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Zeroizing<String>,
}

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

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    /// The request cannot be sent anywhere.
    #[error("{0}")]
    Request(&'static str),
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] io::Error),
    /// The connection ended early, or what came is not HTTP.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// The body is longer than was asked for.
    #[error("the answer has more than {0} bytes")]
    TooLong(usize),
}

/// Sends `request`, whose URI names scheme and host, through `connect`. The answer's body has `answer_bytes_max` bytes at
/// most. The connection ends with the future.
///
/// # Errors
/// [`ExchangeError`]. No status is an error.
pub(crate) async fn exchange(
    connect: &dyn Connect,
    request: http::Request<Bytes>,
    answer_bytes_max: usize,
) -> Result<http::Response<Bytes>, ExchangeError> {
    let (parts, mut body) = open(connect, request).await?.into_parts();
    let mut bytes = BytesMut::new();
    while let Some(part) = body.next().await? {
        if bytes.len() + part.len() > answer_bytes_max {
            return Err(ExchangeError::TooLong(answer_bytes_max));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(http::Response::from_parts(parts, bytes.freeze()))
}

/// A body that arrives part by part, as fast as it is asked for. The connection ends with it.
pub(crate) struct Arriving {
    body: Incoming,
    /// `None` once it has ended.
    connection: Option<Connection>,
}

type Connection = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

impl Arriving {
    /// The next part, of a few hundred kilobytes at most; `None` behind the last. Nothing is lost by who stops waiting.
    ///
    /// # Errors
    /// [`ExchangeError`] when the body breaks off.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ExchangeError> {
        loop {
            let frame = self.body.frame();
            let Some(frame) = driven(&mut self.connection, frame).await? else { return Ok(None) };
            // Trailers say nothing that anybody asks for.
            if let Ok(part) = frame?.into_data() {
                return Ok(Some(part));
            }
        }
    }
}

/// Sends `request` as [`exchange`] does, and answers as soon as the answer's head is there.
///
/// # Errors
/// [`ExchangeError`]. No status is an error.
pub(crate) async fn open(
    connect: &dyn Connect,
    request: http::Request<Bytes>,
) -> Result<http::Response<Arriving>, ExchangeError> {
    let (mut parts, body) = request.into_parts();
    let is_secure = parts.uri.scheme_str() == Some("https");
    let authority = parts.uri.authority().ok_or(ExchangeError::Request("the request names no host"))?.clone();
    let port = authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if !parts.headers.contains_key(http::header::HOST) {
        let value = authority.as_str().try_into();
        let value = value.map_err(|_| ExchangeError::Request("the host is no header value"))?;
        parts.headers.insert(http::header::HOST, value);
    }
    // In the form that goes to an origin server (RFC 9112, 3.2.1).
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    parts.uri = target.parse().map_err(|_| ExchangeError::Request("the request's path cannot be read"))?;

    let stream = connect.connect(host, port, is_secure).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut connection: Option<Connection> = Some(Box::pin(connection));
    let answered = sender.send_request(http::Request::from_parts(parts, Full::new(body)));
    let (parts, body) = driven(&mut connection, answered).await??.into_parts();
    Ok(http::Response::from_parts(parts, Arriving { body, connection }))
}

/// Waits for `awaited` while the connection it comes through is driven: here, so that it ends with whoever waits.
async fn driven<T>(connection: &mut Option<Connection>, awaited: impl Future<Output = T>) -> Result<T, ExchangeError> {
    let mut awaited = std::pin::pin!(awaited);
    loop {
        let Some(open) = connection else { return Ok(awaited.await) };
        tokio::select! {
            biased;
            outcome = &mut awaited => return Ok(outcome),
            ended = open => {
                *connection = None;
                ended?;
            }
        }
    }
}
