//! An operator on one kept connection. Requests are signed and written out before they are measured, and answers are
//! read no further than needed, so that the client costs little of the machine that it shares with the server.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::BytesMut;
use gatehouse_control::sigv4::Signer;
use gatehouse_domain::scope::Region;
use http::{HeaderMap, HeaderValue, Method, header};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::{Outcome, fleet};

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes signed requests.
pub(crate) struct Pen {
    host: String,
    signer: Signer,
}

impl Pen {
    /// With the first key of `data`.
    pub(crate) fn of(data: &Path, api: SocketAddr) -> Outcome<Self> {
        let text = std::fs::read_to_string(data.join("aws/credentials"))?;
        let value = |key: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('='));
            found.map(str::trim).ok_or_else(|| format!("the credentials lack {key}"))
        };
        let region: Region = "us-east-1".parse()?;
        let signer = Signer::new(value("aws_access_key_id")?, value("aws_secret_access_key")?, region, fleet::now());
        Ok(Self { host: api.to_string(), signer })
    }

    /// A whole request as it goes on the wire; good for fifteen minutes.
    pub(crate) fn write(&self, method: &Method, target: &str, body: &str) -> Outcome<Vec<u8>> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(&self.host)?);
        self.signer.sign(method, target, &mut headers, body.as_bytes());
        let mut text = format!("{method} {target} HTTP/1.1\r\n");
        for (name, value) in &headers {
            text.push_str(&format!("{name}: {}\r\n", value.to_str()?));
        }
        text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        Ok(text.into_bytes())
    }
}

/// A kept connection to the API.
pub(crate) struct Operator {
    tcp: TcpStream,
    buffer: BytesMut,
}

impl Operator {
    /// Connects.
    pub(crate) async fn connect(api: SocketAddr) -> Outcome<Self> {
        let tcp = TcpStream::connect(api).await?;
        tcp.set_nodelay(true)?;
        Ok(Self { tcp, buffer: BytesMut::with_capacity(8192) })
    }

    /// Sends `request` and waits for the end of the answer, which must be a success.
    pub(crate) async fn call(&mut self, request: &[u8]) -> Outcome {
        self.ask(request).await.map(drop)
    }

    /// As [`Self::call`]; answers the body.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Outcome<BytesMut> {
        timeout(PATIENCE, async {
            self.tcp.write_all(request).await?;
            let head = loop {
                if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                    break self.buffer.split_to(at + 4);
                }
                self.more().await?;
            };
            let head = std::str::from_utf8(&head)?;
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            let length = length.ok_or("an answer does not say how long it is")?;
            while self.buffer.len() < length {
                self.more().await?;
            }
            if !head.starts_with("HTTP/1.1 200") {
                let body = String::from_utf8_lossy(self.buffer.get(..length).unwrap_or_default());
                return Err(format!("a call was refused: {head}{body}").into());
            }
            Ok(self.buffer.split_to(length))
        })
        .await?
    }

    async fn more(&mut self) -> Outcome {
        match self.tcp.read_buf(&mut self.buffer).await? {
            0 => Err("the API closed the connection".into()),
            _ => Ok(()),
        }
    }
}
