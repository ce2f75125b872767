//! The opening handshake of a WebSocket (RFC 6455, 4.2), after the signature has been found good.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gatehouse_broker::Mailbox;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, Method, Response, StatusCode, Version, request};
use http_body_util::Full;

use super::answer::{Code, Failure};
use crate::admission::Admitted;

/// Where MQTT over WebSocket is.
pub(super) const PATH: &str = "/mqtt";
/// What every server appends to the client's key (RFC 6455, 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The subprotocols of MQTT over WebSocket; the second is what old SDKs offer.
const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];

/// A connection that becomes a WebSocket.
pub(super) struct Upgrade {
    pub(super) on_upgrade: hyper::upgrade::OnUpgrade,
    pub(super) admitted: Admitted,
    pub(super) mailbox: Arc<Mailbox>,
}

/// Answers the opening handshake in `head`.
pub(super) fn accept(head: &request::Parts) -> Result<Response<Full<Bytes>>, Failure> {
    if head.method != Method::GET {
        let failure = Failure::new(Code::MethodNotAllowed, "MQTT over WebSocket begins with GET");
        return Err(Failure { allow: Some("GET".to_owned()), ..failure });
    }
    let headers = &head.headers;
    if head.version != Version::HTTP_11
        || !tokens(headers, UPGRADE).any(|token| token.eq_ignore_ascii_case("websocket"))
        || !tokens(headers, CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"))
    {
        return Err(no_upgrade());
    }
    if single(headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(Failure::invalid("Sec-WebSocket-Version must be 13"));
    }
    let key = single(headers, &SEC_WEBSOCKET_KEY)
        .filter(|key| STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16))
        .ok_or_else(|| Failure::invalid("Sec-WebSocket-Key must be base64 of 16 bytes"))?;
    // [MQTT-6.0.0-3], [MQTT-6.0.0-4]
    let subprotocol = tokens(headers, SEC_WEBSOCKET_PROTOCOL)
        .find_map(|offered| SUBPROTOCOLS.into_iter().find(|known| *known == offered))
        .ok_or_else(|| Failure::invalid("Sec-WebSocket-Protocol must offer mqtt"))?;
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, http::HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, http::HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_PROTOCOL, http::HeaderValue::from_static(subprotocol));
    if let Ok(accept) = accept_of(key).parse() {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    Ok(response)
}

pub(super) fn no_upgrade() -> Failure {
    Failure::invalid("this path takes WebSocket connections only: ask for an upgrade")
}

fn accept_of(key: &str) -> String {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(key.as_bytes());
    context.update(GUID);
    STANDARD.encode(context.finish())
}

/// The members of a list header.
fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim)
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn head(change: impl FnOnce(&mut request::Parts)) -> request::Parts {
        let request = http::Request::get(PATH)
            .header(UPGRADE, "WebSocket")
            .header(CONNECTION, "keep-alive, Upgrade")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, KEY)
            .header(SEC_WEBSOCKET_PROTOCOL, "soap, mqttv3.1, mqtt");
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        change(&mut parts);
        parts
    }

    #[test]
    fn the_handshake_of_the_rfc_gets_its_answer() {
        let response = accept(&head(|_| {})).unwrap();
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(response.headers()[SEC_WEBSOCKET_PROTOCOL], "mqttv3.1");
    }

    #[test]
    fn what_is_no_handshake_is_refused() {
        type Change = fn(&mut request::Parts);
        let table: [(&str, Change); 10] = [
            ("begins with GET", |head| head.method = Method::POST),
            ("ask for an upgrade", |head| head.version = Version::HTTP_10),
            ("ask for an upgrade", |head| drop(head.headers.remove(UPGRADE))),
            ("ask for an upgrade", |head| drop(head.headers.insert(CONNECTION, "close".parse().unwrap()))),
            ("must be 13", |head| drop(head.headers.insert(SEC_WEBSOCKET_VERSION, "8".parse().unwrap()))),
            ("16 bytes", |head| drop(head.headers.insert(SEC_WEBSOCKET_KEY, "AAAA".parse().unwrap()))),
            ("16 bytes", |head| assert!(head.headers.append(SEC_WEBSOCKET_KEY, KEY.parse().unwrap()))),
            ("16 bytes", |head| drop(head.headers.remove(SEC_WEBSOCKET_KEY))),
            ("offer mqtt", |head| drop(head.headers.remove(SEC_WEBSOCKET_PROTOCOL))),
            ("offer mqtt", |head| drop(head.headers.insert(SEC_WEBSOCKET_PROTOCOL, "MQTT".parse().unwrap()))),
        ];
        for (expected, change) in table {
            let failure = accept(&head(change)).unwrap_err();
            assert!(failure.message.contains(expected), "{}", failure.message);
        }
    }
}
