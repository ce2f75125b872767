//! A bucket of an S3-compatible service: a signed GET, with a range and the entity tag of before where the beginning was
//! read already. The bucket stands in the path, which all such services understand.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::registration_task::input::{BucketName, ObjectKey};
use gatehouse_domain::scope::Region;
use gatehouse_domain::time::Timestamp;
use gatehouse_store::InputFileRecord;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HOST, IF_MATCH, LAST_MODIFIED, RANGE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};

use super::bucket::{FileBody, InputError};
use crate::outgoing::{AccessKey, Address, Arriving, Connect, open};
use crate::sigv4::{Signer, s3_path};

/// Characters of an entity tag that are kept.
const VERSION_CHARACTERS: usize = 256;

/// An S3-compatible service.
pub struct S3 {
    endpoint: Address,
    region: Region,
    credentials: Option<AccessKey>,
    connect: Arc<dyn Connect>,
}

/// An object that arrives.
pub(super) struct S3File(Arriving);

impl S3 {
    /// The service at `endpoint`, of which a path behind the host does not count. Requests are signed for `region`, if there
    /// are `credentials`.
    #[must_use]
    pub fn new(endpoint: Address, region: Region, credentials: Option<AccessKey>, connect: Arc<dyn Connect>) -> Self {
        Self { endpoint, region, credentials, connect }
    }

    pub(super) async fn open(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        from: u64,
        known: Option<&InputFileRecord>,
        now: Timestamp,
    ) -> Result<(InputFileRecord, FileBody), InputError> {
        if let Some(known) = known
            && from >= known.length
        {
            return Ok((known.clone(), FileBody::Empty));
        }
        let request = self.request(bucket, key, from, known, now);
        let request = request.map_err(|error| InputError::Unusable(error.to_string()))?;
        let answer = open(&*self.connect, request).await.map_err(|error| InputError::Unreachable(error.to_string()))?;
        let (head, body) = answer.into_parts();
        check_status(head.status, from)?;
        let length = length(&head.headers, from)?;
        let version = version(&head.headers, known);
        Ok((InputFileRecord { length, version }, FileBody::S3(Box::new(S3File(body)))))
    }

    fn request(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        from: u64,
        known: Option<&InputFileRecord>,
        now: Timestamp,
    ) -> Result<Request<Bytes>, http::Error> {
        let (scheme, authority) = self.endpoint.origin();
        let target = s3_path(&format!("/{bucket}/{key}"));
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(authority)?);
        if from > 0 {
            headers.insert(RANGE, HeaderValue::from_str(&format!("bytes={from}-"))?);
        }
        if let Some(known) = known
            && known.version.starts_with('"')
        {
            headers.insert(IF_MATCH, HeaderValue::from_str(&known.version)?);
        }
        if let Some(AccessKey { access_key_id, secret_access_key }) = &self.credentials {
            Signer::new(access_key_id, secret_access_key, self.region, now).for_s3(secret_access_key).sign(
                &Method::GET,
                &target,
                &mut headers,
                b"",
            );
        }
        let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(target).build()?;
        let mut request = Request::builder().method(Method::GET).uri(uri).body(Bytes::new())?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

impl S3File {
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, InputError> {
        self.0.next().await.map_err(|error| InputError::Unreachable(error.to_string()))
    }
}

fn check_status(status: StatusCode, from: u64) -> Result<(), InputError> {
    match status {
        StatusCode::OK if from == 0 => Ok(()),
        StatusCode::PARTIAL_CONTENT if from > 0 => Ok(()),
        StatusCode::OK => Err(InputError::Unusable("it does not know ranges".to_owned())),
        StatusCode::NOT_FOUND => Err(InputError::Missing),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(InputError::Denied),
        StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE => Err(InputError::Changed),
        StatusCode::TOO_MANY_REQUESTS => Err(InputError::Unreachable(status.to_string())),
        status if status.is_server_error() => Err(InputError::Unreachable(status.to_string())),
        status => Err(InputError::Unusable(format!("HTTP status {}", status.as_u16()))),
    }
}

/// The length of the whole object.
fn length(headers: &HeaderMap, from: u64) -> Result<u64, InputError> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let length = if from == 0 {
        text(&CONTENT_LENGTH).and_then(|length| length.parse().ok())
    } else {
        // RFC 9110, 14.4: bytes first-last/length.
        text(&CONTENT_RANGE).and_then(|range| {
            let (part, length) = range.strip_prefix("bytes ")?.split_once('/')?;
            let (first, last) = part.split_once('-')?;
            let (first, last, length): (u64, u64, u64) =
                (first.parse().ok()?, last.parse().ok()?, length.parse().ok()?);
            (first == from && last.checked_add(1) == Some(length)).then_some(length)
        })
    };
    length.ok_or_else(|| InputError::Unusable("it does not say how long the object is".to_owned()))
}

/// What tells the object from another under its key: the entity tag, or else when it was changed last. A service that says
/// neither with a part of it gets the benefit of the doubt.
fn version(headers: &HeaderMap, known: Option<&InputFileRecord>) -> String {
    let said = headers.get(ETAG).or_else(|| headers.get(LAST_MODIFIED));
    match (said, known) {
        (Some(value), _) => {
            let shown = |octet: &u8| if (b' '..=b'~').contains(octet) { char::from(*octet) } else { '?' };
            value.as_bytes().iter().map(shown).take(VERSION_CHARACTERS).collect()
        }
        (None, Some(known)) => known.version.clone(),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_length_is_the_whole_objects() {
        let unknown = || Err(InputError::Unusable("it does not say how long the object is".to_owned()));
        for (from, name, value, expected) in [
            (0, CONTENT_LENGTH, "7", Ok(7)),
            (0, CONTENT_LENGTH, "x", unknown()),
            (0, CONTENT_RANGE, "bytes 0-6/7", unknown()),
            (3, CONTENT_RANGE, "bytes 3-6/7", Ok(7)),
            (3, CONTENT_RANGE, "bytes 2-6/7", unknown()),
            (3, CONTENT_RANGE, "bytes 3-5/7", unknown()),
            (3, CONTENT_RANGE, "bytes 3-6/*", unknown()),
            (3, CONTENT_RANGE, "bytes 3-18446744073709551615/0", unknown()),
            (3, CONTENT_LENGTH, "4", unknown()),
        ] {
            assert_eq!(length(&headers(&[(name, value)]), from), expected, "{from} {value}");
        }
    }

    #[test]
    fn a_status_says_whether_trying_again_helps() {
        for (status, from, expected) in [
            (200, 0, Ok(())),
            (206, 5, Ok(())),
            (404, 0, Err(InputError::Missing)),
            (403, 0, Err(InputError::Denied)),
            (412, 5, Err(InputError::Changed)),
            (416, 5, Err(InputError::Changed)),
        ] {
            assert_eq!(check_status(StatusCode::from_u16(status).unwrap(), from), expected, "{status}");
        }
        for (status, from, is_passing) in [
            (200, 5, false),
            (206, 0, false),
            (204, 0, false),
            (301, 0, false),
            (400, 0, false),
            (429, 0, true),
            (500, 0, true),
            (503, 5, true),
        ] {
            let refused = check_status(StatusCode::from_u16(status).unwrap(), from).unwrap_err();
            assert_eq!(refused.is_passing(), is_passing, "{status}: {refused}");
        }
    }

    #[test]
    fn an_object_is_told_from_another_by_what_the_service_says() {
        let known = InputFileRecord { length: 1, version: "\"k\"".to_owned() };
        for (given, before, expected) in [
            (headers(&[(ETAG, "\"e\""), (LAST_MODIFIED, "then")]), None, "\"e\""),
            (headers(&[(LAST_MODIFIED, "then")]), None, "then"),
            (headers(&[]), None, ""),
            (headers(&[]), Some(&known), "\"k\""),
            (headers(&[(ETAG, "\"e\"")]), Some(&known), "\"e\""),
        ] {
            assert_eq!(version(&given, before), expected);
        }
    }
}
