//! What a device's bytes travel on. MQTT runs over each kind unchanged.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::https::WebSocket;

/// A device's connection.
#[expect(clippy::large_enum_variant, reason = "nearly all are the large variant, which a box would make larger")]
pub(crate) enum Wire {
    /// TLS.
    Tls(TlsStream<TcpStream>),
    /// WebSocket over TLS. Boxed: it is rarer, and larger.
    WebSocket(Box<WebSocket>),
}

impl Wire {
    /// Our own address, where it is known.
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tls(stream) => stream.get_ref().0.local_addr().ok(),
            Self::WebSocket(_) => None,
        }
    }

    /// Reads and throws away what the peer still sends after the last word, to its end.
    pub(crate) async fn drain(&mut self, scratch: &mut [u8]) -> io::Result<()> {
        match self {
            // Past TLS: it has said its last word too.
            Self::Tls(stream) => while stream.get_mut().0.read(scratch).await? > 0 {},
            Self::WebSocket(stream) => while stream.read(scratch).await? > 0 {},
        }
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_read(context, into),
            Self::WebSocket(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::WebSocket(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
            Self::WebSocket(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Self::WebSocket(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
