//! The decision: was this request signed by the holder of this key?

use gatehouse_domain::time::Timestamp;
use http::{HeaderMap, HeaderName, Method, header};

use super::authorization::{Authorization, Carrier};
use super::canonical::{canonical_request, hex, string_to_sign};
use super::error::SigV4Error;
use super::key::SigningKey;
use super::presigned::{SECURITY_TOKEN, SIGNATURE};

const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// The parts of a request that a signature covers.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// Path and query exactly as on the wire.
    pub target: &'a str,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The SHA-256 of the body.
    pub body_sha256: &'a [u8; 32],
}

/// Whether the holder of `key` signed `request`, as `authorization` says, and did so just now. `key` must be derived for
/// the authorization's access key and scope; with any other, the answer is no.
///
/// # Errors
/// The first reason found against it.
pub fn verify(
    authorization: &Authorization,
    request: &SignedRequest<'_>,
    key: &SigningKey,
    now: Timestamp,
) -> Result<(), SigV4Error> {
    authorization.check_date(now)?;
    check_signed_headers(authorization, request.headers)?;
    check_payload_hash(request)?;
    let is_signed_without = |left_out: &[&str]| {
        let SignedRequest { method, target, headers, body_sha256 } = request;
        let signed_headers = &authorization.signed_headers;
        let canonical = canonical_request(method, target, left_out, headers, signed_headers, body_sha256);
        let signed = string_to_sign(&authorization.stamp, authorization.scope(), &canonical);
        key.verify(&signed, &authorization.signature)
    };
    match authorization.carrier {
        Carrier::Header { .. } => is_signed_without(&[]),
        // The device SDKs append the token after signing; all others sign it. It is compared with the key's in any case.
        Carrier::Query { .. } => {
            is_signed_without(&[SIGNATURE]).or_else(|_| is_signed_without(&[SIGNATURE, SECURITY_TOKEN]))
        }
    }
}

/// What carries meaning must be signed, and what is signed must be there.
fn check_signed_headers(authorization: &Authorization, headers: &HeaderMap) -> Result<(), SigV4Error> {
    let signed = &authorization.signed_headers;
    let stamp = match &authorization.carrier {
        Carrier::Header { stamp } => Some(stamp),
        Carrier::Query { .. } => None,
    };
    let mut needed = headers.keys().filter(|name| must_be_signed(name)).chain([&header::HOST]).chain(stamp);
    if let Some(unsigned) = needed.find(|name| !signed.contains(name)) {
        return Err(SigV4Error::HeaderNotSigned(unsigned.clone()));
    }
    match signed.iter().find(|name| !headers.contains_key(*name)) {
        Some(absent) => Err(SigV4Error::SignedHeaderAbsent(absent.clone())),
        None => Ok(()),
    }
}

/// `Content-Type` and `x-amz-*` when present (AWS: "Create a signed AWS API request", canonical headers), and `x-amzn-*`,
/// where operations of `iot` carry members such as the principal. The trace id is added and changed on the way, and
/// no SDK signs it.
fn must_be_signed(name: &HeaderName) -> bool {
    let name = name.as_str();
    name == "content-type" || (name.starts_with("x-amz") && name != "x-amzn-trace-id")
}

/// A payload hash that the client declares must be that of the body. Bodies that are not signed (`UNSIGNED-PAYLOAD`) or
/// signed in pieces (`STREAMING-…`) are matters of S3, and not accepted.
fn check_payload_hash(request: &SignedRequest<'_>) -> Result<(), SigV4Error> {
    let expected = hex(request.body_sha256);
    let agrees =
        request.headers.get_all(X_AMZ_CONTENT_SHA256).iter().all(|value| value.as_bytes() == expected.as_bytes());
    if agrees { Ok(()) } else { Err(SigV4Error::PayloadHash) }
}
