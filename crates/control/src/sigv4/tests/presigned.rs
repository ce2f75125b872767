//! Signatures in the query: what AWS's signer makes verifies, in its time, and nothing else does.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SessionTokenMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;

use super::*;

const SECRET: &str = "an example secret that opens nothing";
const TOKEN: &str = "token/with+signs=";
/// 2026-11-23T10:20:30Z.
const SIGNED_AT: Timestamp = Timestamp::from_secs(1_795_429_230);

/// The target of `GET /mqtt` as AWS's signer presigns it for a day.
fn presigned(token: Option<(&str, SessionTokenMode)>) -> String {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(Duration::from_secs(86_400));
    if let Some((_, mode)) = token {
        settings.session_token_mode = mode;
    }
    let identity = Credentials::new("AKIDEXAMPLE", SECRET, token.map(|(t, _)| t.to_owned()), None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name("iotdata")
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(SIGNED_AT.as_secs().unsigned_abs()))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let uri = "https://localhost/mqtt";
    let request = SignableRequest::new("GET", uri, std::iter::empty(), SignableBody::Bytes(b"")).unwrap();
    let (instructions, _) = sign(request, &params).unwrap().into_parts();
    let mut request = http::Request::get(uri).body(()).unwrap();
    instructions.apply_to_request_http1x(&mut request);
    request.uri().path_and_query().unwrap().to_string()
}

fn outcome(target: &str, now: Timestamp) -> Result<(), SigV4Error> {
    let headers = HeaderMap::from_iter([(http::header::HOST, HeaderValue::from_static("localhost"))]);
    let query = target.split_once('?').map(|(_, query)| query);
    let authorization = Authorization::find(&headers, query, SERVICES)?;
    let body_sha256 = digest(&SHA256, b"").as_ref().try_into().unwrap();
    let request = SignedRequest { method: &Method::GET, target, headers: &headers, body_sha256: &body_sha256 };
    let key = SigningKey::derive(SECRET.as_bytes(), authorization.scope());
    verify(&authorization, &request, &key, now)
}

#[test]
fn what_aws_presigns_verifies_for_as_long_as_it_says() {
    let target = presigned(None);
    let after = |secs: i64| SIGNED_AT.plus_millis(secs * 1000);
    for secs in [-900, 0, 86_400] {
        assert_eq!(outcome(&target, after(secs)), Ok(()), "{secs}");
    }
    assert!(matches!(outcome(&target, after(86_401)), Err(SigV4Error::Expired { life_secs: 86_400, .. })));
    assert!(matches!(outcome(&target, after(-901)), Err(SigV4Error::NotYetCurrent { .. })));
}

#[test]
fn a_session_token_may_be_signed_or_appended_after_signing() {
    for mode in [SessionTokenMode::Include, SessionTokenMode::Exclude] {
        let target = presigned(Some((TOKEN, mode)));
        assert!(target.contains("X-Amz-Security-Token"), "{target}");
        assert_eq!(outcome(&target, SIGNED_AT), Ok(()), "{target}");
    }
}

#[test]
fn any_change_of_the_query_is_seen() {
    let target = presigned(None);
    for (old, new) in [
        ("/mqtt", "/mqttx"),
        ("X-Amz-Expires=86400", "X-Amz-Expires=604800"),
        ("T102030Z", "T102031Z"),
        ("X-Amz-Signature=", "a=b&X-Amz-Signature="),
        ("AKIDEXAMPLE", "AKIDEXAMPLF"),
    ] {
        assert!(target.contains(old), "{target}");
        assert_eq!(outcome(&target.replacen(old, new, 1), SIGNED_AT), Err(SigV4Error::Mismatch), "{new}");
    }
    assert_eq!(outcome(&target.replace("iotdata", "iot"), SIGNED_AT), Err(SigV4Error::Mismatch));
}

#[test]
fn parameters_of_a_signature_are_complete_and_stand_once() {
    let target = presigned(None);
    let incomplete = |target: String| outcome(&target, SIGNED_AT).unwrap_err().to_string();
    let table = [
        (
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "X-Amz-Algorithm=AWS4",
            "X-Amz-Algorithm in the query must be AWS4-HMAC-SHA256",
        ),
        ("X-Amz-Algorithm=", "x=", "X-Amz-Algorithm in the query is missing"),
        ("X-Amz-Date=", "x=", "X-Amz-Date is missing"),
        ("X-Amz-SignedHeaders=host", "x=", "the signature's SignedHeaders is missing"),
        ("X-Amz-Expires=86400", "X-Amz-Expires=0", "X-Amz-Expires in the query must be 1 to 604800 seconds"),
        ("X-Amz-Expires=86400", "X-Amz-Expires=604801", "X-Amz-Expires in the query must be 1 to 604800 seconds"),
        ("X-Amz-Expires=86400", "X-Amz-Expires=%2B1", "X-Amz-Expires in the query must be 1 to 604800 seconds"),
        ("X-Amz-Date=", "X-Amz-Date=x&X-Amz-Date=", "X-Amz-Date is given more than once"),
        ("X-Amz-Date=", "X-Amz%2DDate=x&X-Amz-Date=", "X-Amz-Date is given more than once"),
    ];
    for (old, new, expected) in table {
        assert!(target.contains(old), "{target}");
        assert_eq!(incomplete(target.replacen(old, new, 1)), expected, "{new}");
    }
    assert_eq!(outcome("/mqtt", SIGNED_AT), Err(SigV4Error::NotSigned));
    assert_eq!(outcome("/mqtt?X-Amz-Date=20150830T123600Z", SIGNED_AT), Err(SigV4Error::NotSigned));
}

#[test]
fn a_signature_in_two_places_counts_in_neither() {
    let target = presigned(None);
    let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, HeaderValue::from_static("AWS4-HMAC-SHA256 x"))]);
    let query = target.split_once('?').map(|(_, query)| query);
    let error = Authorization::find(&headers, query, SERVICES).unwrap_err();
    assert_eq!(error.to_string(), "the Authorization header is given more than once");
    // A door that takes no presigned URLs does not look for one.
    assert_eq!(Authorization::find(&HeaderMap::new(), None, SERVICES), Err(SigV4Error::NotSigned));
}
