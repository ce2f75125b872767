//! Tests of the verifier as a whole.

mod presigned;
mod properties;
mod refusals;
mod vectors;

use aws_lc_rs::digest::{SHA256, digest};
use gatehouse_domain::time::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::*;

const SERVICES: &[&str] = &["iot", "iotdata", "iot-jobs-data", "service"];

/// A request as it arrived.
#[derive(Clone, Debug)]
struct Arrived {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Arrived {
    /// Reads a request that stands as text.
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap();
        let (line, fields) = head.split_once('\n').unwrap();
        let (method, target) = line.strip_suffix(" HTTP/1.1").unwrap().split_once(' ').unwrap();
        let mut headers = HeaderMap::new();
        for field in fields.lines() {
            let (name, value) = field.split_once(':').unwrap();
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        Self { method: method.parse().unwrap(), target: target.to_owned(), headers, body: body.as_bytes().to_vec() }
    }

    fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, HeaderValue::from_str(value).unwrap());
        self
    }

    fn and_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(name, HeaderValue::from_str(value).unwrap());
        self
    }

    fn without_header(mut self, name: &'static str) -> Self {
        self.headers.remove(name);
        self
    }

    /// With `old` in the Authorization header replaced by `new`.
    fn authorized(self, old: &str, new: &str) -> Self {
        let text = self.headers.get("authorization").unwrap().to_str().unwrap().to_owned();
        assert!(text.contains(old), "{text}");
        self.with_header("authorization", &text.replace(old, new))
    }

    fn authorization(&self) -> Result<Authorization, SigV4Error> {
        Authorization::parse(&self.headers, SERVICES)
    }

    /// Whether it is accepted from the holder of `secret` at `now`; `None` means when it was signed.
    fn verify(&self, secret: &str, now: Option<Timestamp>) -> Result<(), SigV4Error> {
        let authorization = self.authorization()?;
        let body_sha256 = digest(&SHA256, &self.body).as_ref().try_into().unwrap();
        let request = SignedRequest {
            method: &self.method,
            target: &self.target,
            headers: &self.headers,
            body_sha256: &body_sha256,
        };
        let key = SigningKey::derive(secret.as_bytes(), authorization.scope());
        verify(&authorization, &request, &key, now.unwrap_or(authorization.signed_at()))
    }
}
