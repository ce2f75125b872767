//! The demo's operator: signed calls of the control API over real HTTP.

use std::net::SocketAddr;

use bytes::Bytes;
use gatehouse_control::random::hex;
use gatehouse_control::sigv4::Signer;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::failure::Failure;

/// Someone with an access key.
pub(super) struct Operator {
    pub(super) api: SocketAddr,
    pub(super) signer: Signer,
}

impl Operator {
    /// Calls an operation; answers its output.
    pub(super) async fn call(&self, method: Method, target: &str, body: Value) -> Result<Value, Failure> {
        let tcp = TcpStream::connect(self.api).await.map_err(failed)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await.map_err(failed)?;
        let connection = tokio::spawn(connection);
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(&self.api.to_string()).map_err(failed)?);
        self.signer.sign(&method, target, &mut headers, &body);
        let mut request = Request::builder().method(method).uri(target).body(Full::new(body)).map_err(failed)?;
        *request.headers_mut() = headers;
        let response = sender.send_request(request).await.map_err(failed)?;
        let status = response.status();
        let answer = response.into_body().collect().await.map_err(failed)?.to_bytes();
        connection.abort();
        let answer: Value = serde_json::from_slice(&answer).map_err(failed)?;
        if status.is_success() {
            Ok(answer)
        } else {
            Err(Failure::other(format!("the API answered {status}: {answer}")))
        }
    }
}

/// Encodes a path segment.
pub(super) fn segment(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{}", hex(&[byte]).to_uppercase()),
        })
        .collect()
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::other(error.to_string())
}
