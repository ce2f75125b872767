//! HTTP and WebSocket on a connection that has shaken hands, byte by byte.

use gatehouse_control::access_key::{AccessKeyWish, NewAccessKey, make};
use gatehouse_control::sigv4::Signer;
use gatehouse_domain::event::Event;
use gatehouse_domain::time::{Clock as _, Timestamp};
use http::{HeaderMap, HeaderValue, Method, header};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::call::patiently;
use super::{Call, Client, Gate, home, host};

/// What came back.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Client {
    /// Sends a request and reads its answer; `None` when the gate has closed instead.
    pub(crate) async fn ask(&mut self, method: &str, target: &str, headers: &str, body: &str) -> Option<Response> {
        let host = host(home());
        let length = body.len();
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
        let _seen_when_read = self.write(request.as_bytes()).await;
        self.response().await
    }

    /// The next answer.
    pub(crate) async fn response(&mut self) -> Option<Response> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match patiently(self.stream.read_u8()).await {
                Ok(byte) => head.push(byte),
                Err(_) => return None,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        let mut body = vec![0; length];
        patiently(self.stream.read_exact(&mut body)).await.unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some(Response { status, head, body: String::from_utf8(body).unwrap() })
    }

    /// POST to a topic; answers the status, or 0 when the gate has closed.
    pub(crate) async fn post(&mut self, topic: &str) -> u16 {
        self.ask("POST", &format!("/topics/{topic}"), "", "x").await.map_or(0, |response| response.status)
    }

    /// Whether the gate has closed, or does soon.
    pub(crate) async fn is_closed(&mut self) -> bool {
        !matches!(patiently(self.stream.read(&mut [0; 1])).await, Ok(1..))
    }

    /// Sends one frame with these bytes, masked with zeroes.
    pub(crate) async fn send_frame(&mut self, payload: &[u8]) {
        let length = u8::try_from(payload.len()).unwrap();
        assert!(length < 126);
        let frame = [&[0x82, 0x80 | length, 0, 0, 0, 0], payload].concat();
        self.stream.write_all(&frame).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The payload of the next frame; `None` at the end.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let opcode = patiently(self.stream.read_u8()).await.ok()? & 0x0f;
        let length = patiently(self.stream.read_u8()).await.ok()?;
        assert!(length < 126);
        let mut payload = vec![0; usize::from(length)];
        patiently(self.stream.read_exact(&mut payload)).await.ok()?;
        Some((opcode, payload))
    }
}

impl Gate {
    /// A call over HTTPS with the device's certificate.
    pub(crate) fn https_call(&self, device: &super::Device) -> Call {
        Call { address: self.https, ..self.call(device) }
    }

    /// A connection to the port where requests are signed, without a certificate.
    pub(crate) async fn signed(&self) -> Client {
        let device = super::Device::with_key(super::Key::P256);
        Call { address: self.alpn, key: None, ..self.call(&device) }.tls().await.unwrap()
    }

    /// An access key of the account at home.
    pub(crate) async fn access_key(&self, policy: Option<&str>, expires_at: Option<Timestamp>) -> NewAccessKey {
        let wish = AccessKeyWish { account: home().account, policy: policy.map(str::to_owned), expires_at };
        let key = make(&self.sealer, wish, self.clock.now()).unwrap();
        self.registrar
            .write(|batch| {
                batch.insert_access_key(&key.record);
                batch.announce(Event::AccessKeys { account: home().account });
            })
            .await;
        key
    }

    pub(crate) async fn delete_key(&self, key: &NewAccessKey) {
        self.registrar
            .write(|batch| {
                batch.delete_access_key(&key.record);
                batch.announce(Event::AccessKeys { account: home().account });
            })
            .await;
    }

    /// The header fields of a request that `key` signs.
    pub(crate) fn signature(&self, key: &NewAccessKey, method: &Method, target: &str, body: &str) -> String {
        let token = key.session_token.as_ref().map(|token| token.as_str());
        self.signature_of((&key.record.access_key_id, &key.secret, token), method, target, body)
    }

    /// The same, by an id, a secret and a session token.
    pub(crate) fn signature_of(
        &self,
        (access_key_id, secret, token): (&str, &str, Option<&str>),
        method: &Method,
        target: &str,
        body: &str,
    ) -> String {
        let signer = Signer::new(access_key_id, secret, home().region, self.clock.now());
        let mut signer = signer.for_service("iotdevicegateway", secret);
        if let Some(token) = token {
            signer = signer.with_session_token(token);
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(&host(home())).unwrap());
        signer.sign(method, target, &mut headers, body.as_bytes());
        headers.remove(header::HOST);
        headers.iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap())).collect()
    }

    /// A WebSocket of `key`, behind CONNACK.
    pub(crate) async fn websocket(&self, key: &NewAccessKey, client_id: &str) -> Client {
        self.websocket_on(self.signed().await, key, client_id).await
    }

    /// The same on a connection that has shaken hands.
    pub(crate) async fn websocket_on(&self, mut client: Client, key: &NewAccessKey, client_id: &str) -> Client {
        let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n";
        let signature = self.signature(key, &Method::GET, "/mqtt", "");
        let response = client.ask("GET", "/mqtt", &format!("{upgrade}{signature}"), "").await.unwrap();
        assert_eq!(response.status, 101, "{response:?}");
        let mut out = bytes::BytesMut::new();
        let connect = gatehouse_mqtt::packet::Connect {
            keep_alive_secs: 1200,
            ..gatehouse_mqtt::packet::Connect::new(gatehouse_mqtt::Version::V311, super::text(client_id))
        };
        let packet = gatehouse_mqtt::Packet::Connect(Box::new(connect));
        gatehouse_mqtt::encode(&packet, gatehouse_mqtt::Version::V311, &mut out).unwrap();
        client.send_frame(&out).await;
        assert_eq!(client.frame().await, Some((2, vec![0x20, 2, 0, 0])));
        client
    }
}
