//! Whatever AWS's own signer signs verifies, and nothing else does.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

const SECRET: &str = "an example secret that opens nothing";
/// 2026-11-23T10:20:30Z.
const SIGNED_AT: Timestamp = Timestamp::from_secs(1_795_429_230);

/// `arrived` with the headers that AWS's signer adds.
fn signed(mut arrived: Arrived, token: Option<String>) -> Arrived {
    let identity = Credentials::new("AKIDEXAMPLE", SECRET, token, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name("iot")
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(SIGNED_AT.as_secs().unsigned_abs()))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let headers: Vec<(&str, &str)> =
        arrived.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    let uri = format!("http://localhost:8080{}", arrived.target);
    let request =
        SignableRequest::new(arrived.method.as_str(), uri, headers.into_iter(), SignableBody::Bytes(&arrived.body));
    let (instructions, _) = sign(request.unwrap(), &params).unwrap().into_parts();
    for (name, value) in instructions.headers() {
        arrived.headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    arrived
}

fn path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        6 => "([a-zA-Z0-9._~:@!$&'()*+,;=-]|%[0-9A-F]{2}|%[0-9a-f]{2}|é|ሴ){1,12}",
        1 => select(vec!["", ".", "..", "%2E%2E", "%2F", "..."]).prop_map(str::to_owned),
    ];
    proptest::collection::vec(segment, 0..6).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn query() -> impl Strategy<Value = String> {
    // Escapes beyond ASCII come as whole characters: the signer, unlike the verifier, replaces what is not UTF-8.
    let piece = "([a-zA-Z0-9._~:/@!$'()*+,;?=-]|%[2-7][0-9A-F]|%[2-7][0-9a-f]|%C3%A9|é|%z){0,8}";
    let pair =
        prop_oneof![(piece, piece).prop_map(|(name, value)| format!("{name}={value}")), piece.prop_map(|name| name)];
    proptest::option::of(proptest::collection::vec(pair, 0..5))
        .prop_map(|pairs| pairs.map_or_else(String::new, |pairs| format!("?{}", pairs.join("&"))))
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let names = vec!["content-type", "accept", "my-header", "x-amz-meta", "x-amzn-principal", "x-amz-content-sha256z"];
    proptest::collection::vec((select(names), "[ -~]{0,20}"), 0..6)
}

fn arrived() -> impl Strategy<Value = Arrived> {
    let method = select(vec![Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE]);
    let body = proptest::collection::vec(any::<u8>(), 0..64);
    let token = proptest::option::of("[a-zA-Z0-9+/=]{1,40}");
    (method, path(), query(), headers(), body, token).prop_map(|(method, path, query, fields, body, token)| {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("localhost:8080"));
        for (name, value) in fields {
            headers.append(name, value.parse().unwrap());
        }
        signed(Arrived { method, target: format!("{path}{query}"), headers, body }, token)
    })
}

/// How many kinds of change there are.
const CHANGES: usize = 15;

/// The request with one thing changed that the signature covers.
fn changed(mut arrived: Arrived, what: usize, at: &Index) -> Arrived {
    let (path, query) = match arrived.target.split_once('?') {
        Some((path, query)) => (path.to_owned(), format!("?{query}")),
        None => (arrived.target.clone(), String::new()),
    };
    match what {
        0 => arrived.method = if arrived.method == Method::PUT { Method::POST } else { Method::PUT },
        1 => arrived.target = format!("{path}x{query}"),
        2 => arrived.target = format!("{path}/x{query}"),
        3 => {
            arrived.target =
                format!("{}added", if query.is_empty() { format!("{path}?") } else { format!("{path}{query}&") })
        }
        4 => arrived.body.push(0),
        5 if arrived.body.is_empty() => arrived.body.push(7),
        5 => {
            let place = at.index(arrived.body.len());
            arrived.body[place] ^= 1;
        }
        6 => {
            let names: Vec<HeaderName> =
                arrived.headers.keys().filter(|name| *name != "authorization").cloned().collect();
            let mut value = arrived.headers[&names[at.index(names.len())]].as_bytes().to_vec();
            value.push(b'x');
            arrived.headers.insert(&names[at.index(names.len())], HeaderValue::from_bytes(&value).unwrap());
        }
        7 => {
            let names: Vec<HeaderName> =
                arrived.headers.keys().filter(|name| *name != "authorization").cloned().collect();
            arrived.headers.remove(&names[at.index(names.len())]);
        }
        8 => {
            let names: Vec<HeaderName> = arrived.headers.keys().cloned().collect();
            arrived.headers.append(&names[at.index(names.len())], HeaderValue::from_static("x"));
        }
        9 => arrived = arrived.with_header("x-amz-added", "x"),
        10 => arrived = arrived.with_header("x-amz-date", "20261123T102031Z"),
        11 => {
            let mut text = arrived.headers["authorization"].as_bytes().to_vec();
            let digit = text.len() - 1 - at.index(64);
            text[digit] = if text[digit] == b'0' { b'1' } else { b'0' };
            arrived.headers.insert("authorization", HeaderValue::from_bytes(&text).unwrap());
        }
        12 => arrived = arrived.authorized("/eu-central-1/", "/eu-central-2/"),
        13 => arrived = arrived.authorized("/20261123/", "/20261124/"),
        _ => arrived = arrived.authorized("/iot/", "/iotdata/"),
    }
    arrived
}

/// A query parameter, decoded.
type Pair = (Vec<u8>, Vec<u8>);

/// What an operation would see of path and query, worked out without the code under test.
fn meaning(target: &str) -> (Vec<String>, Vec<Pair>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut segments: Vec<String> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment.to_owned()),
        }
    }
    let decode = |text: &str| {
        let bytes = text.as_bytes();
        let mut out = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let escape = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
            let escaped =
                escape.filter(|e| e.bytes().all(|b| b.is_ascii_hexdigit())).map(|e| u8::from_str_radix(e, 16).unwrap());
            out.push(escaped.unwrap_or(if bytes[at] == b'+' { b' ' } else { bytes[at] }));
            at += if escaped.is_some() { 3 } else { 1 };
        }
        out
    };
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    pairs.sort();
    (segments, pairs)
}

proptest! {
    #[test]
    fn what_the_aws_signer_signs_verifies(arrived in arrived()) {
        prop_assert_eq!(arrived.verify(SECRET, Some(SIGNED_AT)), Ok(()));
    }

    #[test]
    fn any_single_change_is_noticed(arrived in arrived(), what in 0..CHANGES, at: Index) {
        let changed = changed(arrived, what, &at);
        prop_assert!(changed.verify(SECRET, Some(SIGNED_AT)).is_err(), "{:?}", changed);
    }

    #[test]
    fn a_target_that_verifies_means_what_was_signed(arrived in arrived(), at: Index, byte in "[ -~]", insert: bool) {
        let mut target: Vec<char> = arrived.target.chars().collect();
        let place = at.index(target.len());
        if insert { target.insert(place, byte.chars().next().unwrap()) } else { target[place] = byte.chars().next().unwrap() }
        let target: String = target.into_iter().collect();
        let same = meaning(&target) == meaning(&arrived.target);
        let changed = Arrived { target, ..arrived };
        let outcome = changed.verify(SECRET, None);
        prop_assert!(same || outcome == Err(SigV4Error::Mismatch), "{:?}", changed);
    }

    #[test]
    fn reading_never_panics(authorization in "(AWS4-HMAC-SHA256 )?[ -~]{0,200}", date in "[ -~]{0,40}", target in ".{0,60}") {
        let arrived = Arrived { method: Method::GET, target, headers: HeaderMap::new(), body: Vec::new() }
            .with_header("authorization", &authorization)
            .with_header("date", &date);
        prop_assert!(arrived.verify(SECRET, None).is_err());
    }
}
