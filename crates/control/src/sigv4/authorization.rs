//! What a request says about its own signature, in the `Authorization` header or in its query: who signed, the date it
//! was signed at, and the session token. Reading it proves nothing; [`super::verify`] does.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use gatehouse_domain::limits::SIGV4_CLOCK_SKEW;
use gatehouse_domain::scope::Region;
use gatehouse_domain::time::Timestamp;
use http::{HeaderMap, HeaderName, header};

use super::error::{Fault, Part, SigV4Error};
use super::presigned::Presigned;
use super::stamp::{Day, Stamp};

/// The one algorithm. Its asymmetric sibling (SigV4a) is not offered by the services of this API.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How every credential scope ends.
pub(super) const TERMINATOR: &str = "aws4_request";
/// Bytes of an `Authorization` header. (Ours; that of the SDKs stays under 500.)
const AUTHORIZATION_BYTES: usize = 4096;
/// Bytes of a session token. (Ours; AWS promises no size.)
pub(super) const SECURITY_TOKEN_BYTES: usize = 8192;
/// Characters of an access key id (IAM API reference: `AccessKeyMetadata`).
const ACCESS_KEY_ID_CHARACTERS: usize = 128;

pub(super) const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// What a signing key is made for: a day, a Region and a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CredentialScope {
    /// The UTC day.
    pub day: Day,
    /// The Region. Whether it is served is the door's to say.
    pub region: Region,
    /// The service's signing name.
    pub service: &'static str,
}

impl fmt::Display for CredentialScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{TERMINATOR}", self.day.as_str(), self.region, self.service)
    }
}

/// A request's claim to have been signed by an access key.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization {
    access_key_id: String,
    scope: CredentialScope,
    pub(super) signed_headers: Vec<HeaderName>,
    pub(super) signature: [u8; 32],
    pub(super) stamp: Stamp,
    pub(super) carrier: Carrier,
    session_token: Option<String>,
}

/// Where the claim stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// In the header `Authorization`; the date in this one.
    Header {
        /// `X-Amz-Date` or `Date`.
        stamp: HeaderName,
    },
    /// In the query.
    Query {
        /// How long after its date the signature is good.
        life: Duration,
    },
}

impl Authorization {
    /// Reads the claim from `headers`, or from `query` where that is given. One that stands in both places is refused:
    /// which of the two counts must not be a matter of taste.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn find(headers: &HeaderMap, query: Option<&str>, services: &[&'static str]) -> Result<Self, SigV4Error> {
        match query.map(Presigned::find).transpose()?.flatten() {
            None => Self::parse(headers, services),
            Some(_) if headers.contains_key(header::AUTHORIZATION) => {
                Err(SigV4Error::incomplete(Part::Authorization, Fault::Repeated))
            }
            Some(presigned) => Self::of_query(&presigned, services),
        }
    }

    fn of_query(presigned: &Presigned, services: &[&'static str]) -> Result<Self, SigV4Error> {
        let fields = presigned.fields()?;
        let (access_key_id, scope) = credential(fields.credential, services)?;
        let date = presigned.date.as_deref().ok_or(SigV4Error::incomplete(Part::AmzDate, Fault::Missing))?;
        let malformed = SigV4Error::incomplete(Part::AmzDate, Fault::Malformed("a UTC time such as 20150830T123600Z"));
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            scope,
            signed_headers: signed_headers(fields.signed_headers)?,
            signature: signature(fields.signature)?,
            stamp: Stamp::parse(date).ok_or(malformed)?,
            carrier: Carrier::Query { life: presigned.life()?.unwrap_or(SIGV4_CLOCK_SKEW) },
            session_token: presigned.security_token.clone(),
        })
    }

    /// Reads the claim from `headers`. Only `services` are accepted as the service of the credential.
    ///
    /// # Errors
    /// [`SigV4Error::NotSigned`], [`SigV4Error::Incomplete`] or [`SigV4Error::WrongService`].
    pub fn parse(headers: &HeaderMap, services: &[&'static str]) -> Result<Self, SigV4Error> {
        let text = single(headers, &header::AUTHORIZATION, Part::Authorization, AUTHORIZATION_BYTES)?
            .ok_or(SigV4Error::NotSigned)?;
        let fields = Fields::parse(text)?;
        let (access_key_id, scope) = credential(fields.credential, services)?;
        let (stamp, stamp_header) = stamp(headers)?;
        let session_token = single(headers, &X_AMZ_SECURITY_TOKEN, Part::SecurityToken, SECURITY_TOKEN_BYTES)?;
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            scope,
            signed_headers: signed_headers(fields.signed_headers)?,
            signature: signature(fields.signature)?,
            stamp,
            carrier: Carrier::Header { stamp: stamp_header },
            session_token: session_token.map(str::to_owned),
        })
    }

    /// The access key that is said to have signed.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// What the signing key must be made for.
    #[must_use]
    pub const fn scope(&self) -> &CredentialScope {
        &self.scope
    }

    /// The Region of the credential.
    #[must_use]
    pub const fn region(&self) -> Region {
        self.scope.region
    }

    /// The service of the credential: one of those that [`Self::parse`] was given.
    #[must_use]
    pub const fn service(&self) -> &'static str {
        self.scope.service
    }

    /// When the request says it was signed.
    #[must_use]
    pub const fn signed_at(&self) -> Timestamp {
        self.stamp.at()
    }

    /// `X-Amz-Security-Token`, which temporary credentials carry.
    #[must_use]
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// Whether the request was signed now, give or take [`SIGV4_CLOCK_SKEW`], with a key of that day. A presigned URL is
    /// good for as long as it says. [`super::verify`] asks as well; a door may ask first, to spare a stranger's request the look-up of a key.
    ///
    /// # Errors
    /// [`SigV4Error::WrongDay`], [`SigV4Error::Expired`] or [`SigV4Error::NotYetCurrent`].
    pub fn check_date(&self, now: Timestamp) -> Result<(), SigV4Error> {
        if !self.stamp.is_on(self.scope.day) {
            return Err(SigV4Error::WrongDay);
        }
        let signed = self.stamp.at();
        let skew_ms = i64::try_from(SIGV4_CLOCK_SKEW.as_millis()).unwrap_or(i64::MAX);
        let life_ms = match self.carrier {
            Carrier::Header { .. } => skew_ms,
            Carrier::Query { life } => i64::try_from(life.as_millis()).unwrap_or(i64::MAX),
        };
        let age_ms = now.millis_since(signed);
        if age_ms > life_ms {
            return Err(SigV4Error::Expired { signed, now, life_secs: life_ms / 1000 });
        }
        if age_ms < -skew_ms {
            return Err(SigV4Error::NotYetCurrent { signed, now });
        }
        Ok(())
    }

    /// Whether the session token is the one of the access key, whose SHA-256 is `expected`; a key without a token
    /// must come without one.
    ///
    /// # Errors
    /// [`SigV4Error::UnrecognizedClient`].
    pub fn check_session_token(&self, expected: Option<&[u8; 32]>) -> Result<(), SigV4Error> {
        let matches = match (&self.session_token, expected) {
            (None, None) => true,
            (Some(token), Some(expected)) => {
                verify_slices_are_equal(digest(&SHA256, token.as_bytes()).as_ref(), expected).is_ok()
            }
            _ => false,
        };
        if matches { Ok(()) } else { Err(SigV4Error::UnrecognizedClient) }
    }
}

/// Without signature and token: whoever reads a log must not be able to send the request again.
impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization")
            .field("access_key_id", &self.access_key_id)
            .field("scope", &self.scope)
            .field("signed_headers", &self.signed_headers)
            .field("signed_at", &self.stamp.as_str())
            .finish_non_exhaustive()
    }
}

/// The three fields of the claim, unread.
pub(super) struct Fields<'a> {
    pub(super) credential: &'a str,
    pub(super) signed_headers: &'a str,
    pub(super) signature: &'a str,
}

impl<'a> Fields<'a> {
    fn parse(text: &'a str) -> Result<Self, SigV4Error> {
        let malformed = || {
            let form = "'AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…'";
            SigV4Error::incomplete(Part::Authorization, Fault::Malformed(form))
        };
        let (algorithm, fields) = text.trim_matches(BLANK).split_once(BLANK).ok_or_else(malformed)?;
        if algorithm != ALGORITHM {
            return Err(malformed());
        }
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for field in fields.split(',') {
            let (name, value) = field.trim_matches(BLANK).split_once('=').ok_or_else(malformed)?;
            let (slot, part) = match name {
                "Credential" => (&mut credential, Part::Credential),
                "SignedHeaders" => (&mut signed_headers, Part::SignedHeaders),
                "Signature" => (&mut signature, Part::Signature),
                _ => return Err(malformed()),
            };
            if slot.replace(value).is_some() {
                return Err(SigV4Error::incomplete(part, Fault::Repeated));
            }
        }
        let missing = |part| SigV4Error::incomplete(part, Fault::Missing);
        Ok(Self {
            credential: credential.ok_or_else(|| missing(Part::Credential))?,
            signed_headers: signed_headers.ok_or_else(|| missing(Part::SignedHeaders))?,
            signature: signature.ok_or_else(|| missing(Part::Signature))?,
        })
    }
}

/// Optional white space of a header value (RFC 9110, 5.6.3).
const BLANK: [char; 2] = [' ', '\t'];

fn credential<'a>(text: &'a str, services: &[&'static str]) -> Result<(&'a str, CredentialScope), SigV4Error> {
    let malformed = || {
        let form = "'<access key id>/<yyyymmdd>/<Region>/<service>/aws4_request'";
        SigV4Error::incomplete(Part::Credential, Fault::Malformed(form))
    };
    let mut elements = text.split('/');
    let mut next = || elements.next().ok_or_else(malformed);
    let (access_key_id, day, region, service, terminator) = (next()?, next()?, next()?, next()?, next()?);
    let is_key_id = (1..=ACCESS_KEY_ID_CHARACTERS).contains(&access_key_id.len())
        && access_key_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if elements.next().is_some() || terminator != TERMINATOR || !is_key_id || service.is_empty() {
        return Err(malformed());
    }
    let day = Day::parse(day).ok_or_else(malformed)?;
    let region = region.parse().map_err(|_| malformed())?;
    let service = services
        .iter()
        .copied()
        .find(|known| *known == service)
        .ok_or_else(|| SigV4Error::WrongService { expected: services.first().copied().unwrap_or_default() })?;
    Ok((access_key_id, CredentialScope { day, region, service }))
}

/// Lower case, ascending, each once: the one form in which the list may stand in what is signed.
fn signed_headers(text: &str) -> Result<Vec<HeaderName>, SigV4Error> {
    let malformed = || {
        let form = "header names in lower case and alphabetical order, each once, with ';' between them";
        SigV4Error::incomplete(Part::SignedHeaders, Fault::Malformed(form))
    };
    let mut names: Vec<HeaderName> = Vec::new();
    for text in text.split(';') {
        let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| malformed())?;
        let ascending = names.last().is_none_or(|last| last.as_str() < name.as_str());
        if name.as_str() != text || !ascending {
            return Err(malformed());
        }
        names.push(name);
    }
    Ok(names)
}

fn signature(text: &str) -> Result<[u8; 32], SigV4Error> {
    let malformed = || SigV4Error::incomplete(Part::Signature, Fault::Malformed("64 lower-case hex digits"));
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(malformed()),
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return Err(malformed());
    }
    let mut bytes = [0; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Ok(bytes)
}

/// `X-Amz-Date`, and only without one, `Date`.
fn stamp(headers: &HeaderMap) -> Result<(Stamp, HeaderName), SigV4Error> {
    const STAMP_BYTES: usize = 64;
    if let Some(text) = single(headers, &X_AMZ_DATE, Part::AmzDate, STAMP_BYTES)? {
        let malformed = SigV4Error::incomplete(Part::AmzDate, Fault::Malformed("a UTC time such as 20150830T123600Z"));
        return Ok((Stamp::parse(text).ok_or(malformed)?, X_AMZ_DATE));
    }
    let text = single(headers, &header::DATE, Part::Date, STAMP_BYTES)?
        .ok_or(SigV4Error::incomplete(Part::AmzDate, Fault::Missing))?;
    let malformed = SigV4Error::incomplete(Part::Date, Fault::Malformed("an HTTP date or like 20150830T123600Z"));
    Ok((Stamp::parse_date_header(text).ok_or(malformed)?, header::DATE))
}

/// The value of a header that may be there once.
fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    part: Part,
    limit_bytes: usize,
) -> Result<Option<&'a str>, SigV4Error> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(SigV4Error::incomplete(part, Fault::Repeated));
    }
    if value.len() > limit_bytes {
        return Err(SigV4Error::incomplete(part, Fault::TooLong));
    }
    match value.to_str() {
        Ok(text) => Ok(Some(text.trim_matches(BLANK))),
        Err(_) => Err(SigV4Error::incomplete(part, Fault::Malformed("ASCII text"))),
    }
}
