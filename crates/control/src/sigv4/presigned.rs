//! A signature that travels in the query (AWS: "Authenticating requests: using query parameters"), as presigned URLs
//! carry it.

use std::time::Duration;

use super::authorization::{ALGORITHM, Fields, SECURITY_TOKEN_BYTES};
use super::canonical::form_decode;
use super::error::{Fault, Part, SigV4Error};

/// Names of the parameters.
pub(super) const SIGNATURE: &str = "X-Amz-Signature";
pub(super) const SECURITY_TOKEN: &str = "X-Amz-Security-Token";
const ALGORITHM_NAME: &str = "X-Amz-Algorithm";
const CREDENTIAL: &str = "X-Amz-Credential";
const DATE: &str = "X-Amz-Date";
const EXPIRES: &str = "X-Amz-Expires";
const SIGNED_HEADERS: &str = "X-Amz-SignedHeaders";

/// How every parameter of a signature begins.
const PREFIX: &str = "X-Amz-";
/// The longest life of a presigned URL, in seconds (AWS: seven days).
const EXPIRES_SECS_MAX: u32 = 7 * 24 * 60 * 60;
/// Bytes of a parameter other than the token. (Ours; those of the SDKs stay under 200.)
const PARAMETER_BYTES: usize = 4096;

/// Whether a query parameter belongs to the signature, and so to no operation.
#[must_use]
pub fn is_signature_parameter(name: &str) -> bool {
    [ALGORITHM_NAME, CREDENTIAL, DATE, EXPIRES, SIGNED_HEADERS, SIGNATURE, SECURITY_TOKEN].contains(&name)
}

/// The parameters of a signature, decoded and otherwise unread.
#[derive(Default)]
pub(super) struct Presigned {
    algorithm: Option<String>,
    credential: Option<String>,
    pub(super) date: Option<String>,
    expires: Option<String>,
    signed_headers: Option<String>,
    signature: Option<String>,
    pub(super) security_token: Option<String>,
}

impl Presigned {
    /// Looks for a signature in a query. A query that has only a token in it is not signed.
    pub(super) fn find(query: &str) -> Result<Option<Self>, SigV4Error> {
        let mut found = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = form_decode(name.as_bytes());
            if !name.starts_with(PREFIX.as_bytes()) {
                continue;
            }
            let (slot, part, limit_bytes) = match name.as_slice() {
                name if name == ALGORITHM_NAME.as_bytes() => (&mut found.algorithm, Part::Algorithm, PARAMETER_BYTES),
                name if name == CREDENTIAL.as_bytes() => (&mut found.credential, Part::Credential, PARAMETER_BYTES),
                name if name == DATE.as_bytes() => (&mut found.date, Part::AmzDate, PARAMETER_BYTES),
                name if name == EXPIRES.as_bytes() => (&mut found.expires, Part::Expires, PARAMETER_BYTES),
                name if name == SIGNED_HEADERS.as_bytes() => {
                    (&mut found.signed_headers, Part::SignedHeaders, PARAMETER_BYTES)
                }
                name if name == SIGNATURE.as_bytes() => (&mut found.signature, Part::Signature, PARAMETER_BYTES),
                name if name == SECURITY_TOKEN.as_bytes() => {
                    (&mut found.security_token, Part::SecurityToken, SECURITY_TOKEN_BYTES)
                }
                _ => continue,
            };
            let value = form_decode(value.as_bytes());
            if value.len() > limit_bytes {
                return Err(SigV4Error::incomplete(part, Fault::TooLong));
            }
            let value =
                String::from_utf8(value).map_err(|_| SigV4Error::incomplete(part, Fault::Malformed("ASCII text")))?;
            if slot.replace(value).is_some() {
                return Err(SigV4Error::incomplete(part, Fault::Repeated));
            }
        }
        let is_signed = found.algorithm.is_some() || found.credential.is_some() || found.signature.is_some();
        Ok(is_signed.then_some(found))
    }

    /// What the header would hold.
    pub(super) fn fields(&self) -> Result<Fields<'_>, SigV4Error> {
        let malformed = SigV4Error::incomplete(Part::Algorithm, Fault::Malformed(ALGORITHM));
        if needed(self.algorithm.as_deref(), Part::Algorithm)? != ALGORITHM {
            return Err(malformed);
        }
        Ok(Fields {
            credential: needed(self.credential.as_deref(), Part::Credential)?,
            signed_headers: needed(self.signed_headers.as_deref(), Part::SignedHeaders)?,
            signature: needed(self.signature.as_deref(), Part::Signature)?,
        })
    }

    /// How long after its date the signature is good, where it says so.
    pub(super) fn life(&self) -> Result<Option<Duration>, SigV4Error> {
        let Some(text) = &self.expires else { return Ok(None) };
        let secs =
            Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).and_then(|t| t.parse().ok());
        match secs {
            Some(secs @ 1..=EXPIRES_SECS_MAX) => Ok(Some(Duration::from_secs(u64::from(secs)))),
            _ => Err(SigV4Error::incomplete(Part::Expires, Fault::Malformed("1 to 604800 seconds"))),
        }
    }
}

fn needed(value: Option<&str>, part: Part) -> Result<&str, SigV4Error> {
    value.ok_or(SigV4Error::incomplete(part, Fault::Missing))
}
