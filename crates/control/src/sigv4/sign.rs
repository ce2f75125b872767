//! The signing side, for our own clients: the demo, the benchmarks and the tests.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use gatehouse_domain::scope::Region;
use gatehouse_domain::time::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::authorization::{CredentialScope, TERMINATOR};
use super::canonical::{canonical_request, canonical_s3_request, hex, percent_encode, string_to_sign};
use super::key::SigningKey;
use super::stamp::Stamp;

/// The one service that is signed for in another way: paths are encoded once, and the body's digest is a header.
const S3: &str = "s3";

/// A path as S3 wants it, on the wire and in what is signed: everything is encoded but unreserved characters and `/`.
#[must_use]
pub fn s3_path(path: &str) -> String {
    let mut encoded = Vec::with_capacity(path.len());
    percent_encode(path.as_bytes(), b"/", &mut encoded);
    encoded.into_iter().map(char::from).collect()
}

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

    /// Signs for S3, under the rules of S3.
    #[must_use]
    pub fn for_s3(self, secret_access_key: &str) -> Self {
        self.for_service(S3, secret_access_key)
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
        let mut body_sha256 = [0; 32];
        body_sha256.copy_from_slice(digest(&SHA256, body).as_ref());
        if self.scope.service == S3 {
            insert(HeaderName::from_static("x-amz-content-sha256"), &hex(&body_sha256));
        }
        let mut names: Vec<HeaderName> = headers.keys().cloned().collect();
        names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        let canonical = if self.scope.service == S3 {
            canonical_s3_request(method, target, headers, &names, &body_sha256)
        } else {
            canonical_request(method, target, &[], headers, &names, &body_sha256)
        };
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

    /// The example of AWS ("Authenticating Requests: Using the Authorization Header", GET Object).
    #[test]
    fn requests_to_s3_are_signed_by_its_own_rules() {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let now = Timestamp::from_secs(1_369_353_600);
        let signer = Signer::new("AKIAIOSFODNN7EXAMPLE", secret, "us-east-1".parse().unwrap(), now).for_s3(secret);
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("examplebucket.s3.amazonaws.com"));
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=0-9"));
        signer.sign(&Method::GET, "/test.txt", &mut headers, b"");
        assert_eq!(
            headers[header::AUTHORIZATION],
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
             SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
             Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
    }

    #[test]
    fn a_path_for_s3_is_encoded_once() {
        assert_eq!(s3_path("/bucket/2027/a(1)+b'c!,*.json"), "/bucket/2027/a%281%29%2Bb%27c%21%2C%2A.json");
    }

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
