//! MQTT over WebSocket: the frames of one connection as a stream of bytes. Packets may share a frame and span several
//! ([MQTT-6.0.0-2]); only binary frames carry them ([MQTT-6.0.0-1]).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use futures_core::Stream;
use futures_sink::Sink;
use gatehouse_domain::limits;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_websockets::proto::CloseCode;
use tokio_websockets::{Limits, Message, ServerBuilder, WebSocketStream};

use super::upgrade::Upgrade;
use crate::Gateway;
use crate::connect::Arriving;
use crate::device::Known;
use crate::session::Session;
use crate::wire::Wire;

/// Bytes in one frame to a client.
const FRAME_BYTES: usize = 32 * 1024;

/// A WebSocket over TLS, behind its opening handshake.
pub(crate) struct WebSocket {
    frames: WebSocketStream<TokioIo<Upgraded>>,
    /// The rest of a frame that was larger than its reader's buffer.
    unread: Bytes,
    has_said_goodbye: bool,
}

impl Gateway {
    /// Brings a WebSocket to a session, on the road of every MQTT connection.
    pub(super) async fn websocket(&self, upgrade: Upgrade, known: Known) -> Option<Box<Session>> {
        let Upgrade { on_upgrade, admitted, mailbox } = upgrade;
        let upgraded = timeout(limits::CONNECT_TIMEOUT, on_upgrade).await.ok()?.ok()?;
        let websocket = WebSocket::new(TokioIo::new(upgraded));
        let mut arriving = Arriving::new(Wire::WebSocket(Box::new(websocket)));
        match arriving.read_connect().await {
            Ok(connect) => self.let_in(arriving, &connect, admitted, mailbox, known).await,
            Err(reason) => {
                self.without_connect(arriving, reason, Ok(admitted), &known).await;
                None
            }
        }
    }
}

impl WebSocket {
    fn new(stream: TokioIo<Upgraded>) -> Self {
        let limits = Limits::default().max_payload_len(Some(limits::WEBSOCKET_MESSAGE_BYTES));
        Self {
            frames: ServerBuilder::new().limits(limits).serve(stream),
            unread: Bytes::new(),
            has_said_goodbye: false,
        }
    }
}

impl AsyncRead for WebSocket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.unread.has_remaining() {
                let count = this.unread.len().min(into.remaining());
                into.put_slice(&this.unread.split_to(count));
                return Poll::Ready(Ok(()));
            }
            // An idle connection holds no buffer.
            this.unread = Bytes::new();
            // First what is owed: whoever sends pings and takes no pongs is not read on, lest they pile up.
            ready!(Pin::new(&mut this.frames).poll_flush(context)).map_err(io::Error::other)?;
            match ready!(Pin::new(&mut this.frames).poll_next(context)) {
                None => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                Some(Ok(message)) if message.is_binary() => {
                    this.unread = BytesMut::from(message.into_payload()).freeze();
                }
                Some(Ok(message)) if message.is_text() => {
                    let close = Message::close(Some(CloseCode::UNSUPPORTED_DATA), "MQTT travels in binary frames");
                    let _already_closed = Pin::new(&mut this.frames).start_send(close);
                    return Poll::Ready(Err(io::Error::other("a text frame came")));
                }
                // Pings, pongs and the peer's close are answered beneath.
                Some(Ok(_)) => {}
            }
        }
    }
}

impl AsyncWrite for WebSocket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let frames = &mut self.get_mut().frames;
        ready!(Pin::new(&mut *frames).poll_ready(context)).map_err(io::Error::other)?;
        let count = bytes.len().min(FRAME_BYTES);
        let frame = BytesMut::from(bytes.get(..count).unwrap_or_default());
        Pin::new(frames).start_send(Message::binary(frame)).map_err(io::Error::other)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().frames).poll_flush(context).map_err(io::Error::other)
    }

    /// Says goodbye, and does not wait for the peer to say so too: whoever is cut is cut at once.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.has_said_goodbye {
            this.has_said_goodbye = true;
            // The peer, or a broken frame, may have been first.
            let _already_closed =
                Pin::new(&mut this.frames).start_send(Message::close(Some(CloseCode::NORMAL_CLOSURE), ""));
        }
        ready!(Pin::new(&mut this.frames).poll_flush(context)).map_err(io::Error::other)?;
        Pin::new(this.frames.get_mut()).poll_shutdown(context)
    }
}
