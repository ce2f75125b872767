//! The signing side, for our own clients: the demo, the benchmarks and the tests.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use gatehouse_domain::scope::Region;
use gatehouse_domain::time::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::authorization::{CredentialScope, TERMINATOR};
use super::canonical::{canonical_request, hex, string_to_sign};
use super::key::SigningKey;
use super::stamp::Stamp;

/// Credentials of one caller for one Region and day.
#[derive(Clone)]
pub struct Signer {
    access_key_id: String,
    session_token: Option<String>,
    scope: CredentialScope,
    stamp: Stamp,
    key: SigningKey,
}

impl Signer {
    /// A signer for service `iot` at `now`. What it signs is accepted for fifteen minutes.
    #[must_use]
    pub fn new(access_key_id: &str, secret_access_key: &str, region: Region, now: Timestamp) -> Self {
        let stamp = Stamp::of(now);
        let scope = CredentialScope { day: stamp.day(), region, service: "iot" };
        let key = SigningKey::derive(secret_access_key.as_bytes(), &scope);
        Self { access_key_id: access_key_id.to_owned(), session_token: None, scope, stamp, key }
    }

    /// Signs for another service, under the same name as [`Authorization::parse`](super::Authorization::parse) is given.
    #[must_use]
    pub fn for_service(mut self, service: &'static str, secret_access_key: &str) -> Self {
        self.scope.service = service;
        self.key = SigningKey::derive(secret_access_key.as_bytes(), &self.scope);
        self
    }

    /// Carries the session token of temporary credentials.
    #[must_use]
    pub fn with_session_token(mut self, token: &str) -> Self {
        self.session_token = Some(token.to_owned());
        self
    }

    /// Adds date and signature to `headers`, of which all are signed; `host` must be among them. `target` is path and
    /// query as they go on the wire.
    pub fn sign(&self, method: &Method, target: &str, headers: &mut HeaderMap, body: &[u8]) {
        // Of an attempt before this one.
        headers.remove(header::AUTHORIZATION);
        let mut insert = |name: HeaderName, text: &str| {
            // Dates, tokens and signatures are printable ASCII.
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.insert(name, value);
            }
        };
        insert(HeaderName::from_static("x-amz-date"), self.stamp.as_str());
        if let Some(token) = &self.session_token {
            insert(HeaderName::from_static("x-amz-security-token"), token);
        }
        let mut names: Vec<HeaderName> = headers.keys().cloned().collect();
        names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        let mut body_sha256 = [0; 32];
        body_sha256.copy_from_slice(digest(&SHA256, body).as_ref());
        let canonical = canonical_request(method, target, &[], headers, &names, &body_sha256);
        let signature = hex(&self.key.sign(&string_to_sign(&self.stamp, &self.scope, &canonical)));
        let signed: Vec<&str> = names.iter().map(HeaderName::as_str).collect();
        let scope = &self.scope;
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{}/{}/{}/{TERMINATOR}, SignedHeaders={}, Signature={signature}",
            self.access_key_id,
            scope.day.as_str(),
            scope.region,
            scope.service,
            signed.join(";"),
        );
        if let Ok(value) = HeaderValue::from_str(&authorization) {
            headers.insert(header::AUTHORIZATION, value);
        }
    }
}

/// Without the token, which is a secret.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("access_key_id", &self.access_key_id)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Authorization, SignedRequest, verify};
    use super::*;

    #[test]
    fn what_is_signed_here_verifies_here() {
        let now = Timestamp::from_secs(1_800_000_000);
        let region: Region = "us-east-1".parse().unwrap();
        let signer = Signer::new("AKIAEXAMPLE", "secret", region, now);
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("localhost:8080"));
        let target = "/things/a%3Ab?x=1";
        signer.sign(&Method::PUT, target, &mut headers, b"{}");

        let authorization = Authorization::parse(&headers, &["iot"]).unwrap();
        let mut body_sha256 = [0; 32];
        body_sha256.copy_from_slice(digest(&SHA256, b"{}").as_ref());
        let request = SignedRequest { method: &Method::PUT, target, headers: &headers, body_sha256: &body_sha256 };
        let key = SigningKey::derive(b"secret", authorization.scope());
        assert_eq!(verify(&authorization, &request, &key, now), Ok(()));
    }
}
