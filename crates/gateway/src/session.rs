//! Step 5: the connection's life. One task owns the socket and takes turns between what the device sends, what others
//! send to it, and the clock. Every publish, subscription and delivery is asked of the policies in force.

mod deliveries;
mod requests;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use gatehouse_broker::{CloseReason, Delivery, Mailbox, SessionGuard};
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::time::Clock;
use gatehouse_mqtt::{Connection, Decoder, Packet, ReasonCode};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_rustls::server::TlsStream;

use crate::admission::DeviceIdentity;
use crate::authorization::Authorization;
use crate::connect::reason_code;
use crate::metrics::Metrics;
use crate::registry::Registry;
use crate::socket;
use crate::will::Will;

/// How long a socket may take no byte before the device counts as gone.
const WRITE_STALL: Duration = Duration::from_secs(20);
/// How long a last word may take.
const LAST_WORD: Duration = Duration::from_secs(2);
/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 32 * 1024;

/// What sessions share.
pub(crate) struct Shared {
    pub(crate) registry: Arc<Registry>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
}

/// A connected device.
pub(crate) struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) stream: TlsStream<TcpStream>,
    pub(crate) inbound: BytesMut,
    pub(crate) decoder: Decoder,
    pub(crate) connection: Connection,
    pub(crate) identity: DeviceIdentity,
    pub(crate) authorization: Authorization,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) guard: SessionGuard,
    pub(crate) will: Option<Box<Will>>,
    /// Bytes to be written.
    pub(crate) outbound: BytesMut,
    /// Taken from the mailbox, waiting for room in the client's window.
    pub(crate) pending: VecDeque<Delivery>,
}

/// Why a session ends.
#[derive(Debug)]
pub(crate) enum End {
    /// The device said DISCONNECT; with the will when it asked for it.
    Disconnected {
        /// `DisconnectWithWill` was its reason.
        with_will: bool,
    },
    /// The socket is gone.
    Lost,
    /// Nothing was heard for one and a half keep-alives.
    Silent,
    /// Somebody else ended it.
    Closed(CloseReason),
    /// The device broke a rule.
    Broke {
        /// For MQTT 5's DISCONNECT.
        reason: ReasonCode,
        /// For the log and the reason string.
        text: String,
    },
    /// The registry has turned against it.
    Refused(Refusal),
}

impl Session {
    /// Runs until the end, and answers why it came.
    pub(crate) async fn run(mut self) -> End {
        let end = match self.live().await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        self.say_goodbye(&end).await;
        self.publish_will(&end);
        end
    }

    async fn live(&mut self) -> Result<std::convert::Infallible, End> {
        let mut deadline = Instant::now() + self.connection.keep_alive_deadline();
        let mut alarm = Box::pin(sleep_until(deadline));
        loop {
            self.handle_inbound().await?;
            self.flush().await?;
            match self.next(alarm.as_mut()).await? {
                Next::Bytes => deadline = Instant::now() + self.connection.keep_alive_deadline(),
                Next::Mail => self.take_mail().await?,
                Next::Alarm => {
                    if Instant::now() >= deadline {
                        return Err(End::Silent);
                    }
                    if self.shared.clock.now().as_secs() > self.identity.not_after().as_secs() {
                        return Err(End::Refused(Refusal::Expired));
                    }
                    alarm.as_mut().reset(deadline);
                }
            }
        }
    }

    /// Waits for the next thing to do.
    async fn next(&mut self, alarm: Pin<&mut Sleep>) -> Result<Next, End> {
        // What waits for the client's window keeps more from being taken out of the mailbox.
        let takes_mail = self.pending.is_empty();
        tokio::select! {
            biased;
            () = self.mailbox.wait(), if takes_mail => Ok(Next::Mail),
            reason = self.mailbox.closed(), if !takes_mail => Err(End::Closed(reason)),
            read = socket::read(&mut self.stream, &mut self.inbound) => match read {
                Ok(0) | Err(_) => Err(End::Lost),
                Ok(_) => Ok(Next::Bytes),
            },
            () = alarm => Ok(Next::Alarm),
        }
    }

    /// Handles every complete packet that has arrived.
    async fn handle_inbound(&mut self) -> Result<(), End> {
        // A client of MQTT 3.1.1 does not know the window: what it sends too much waits here, unread.
        while !self.connection.is_receive_window_full() {
            let packet = self
                .decoder
                .decode(&mut self.inbound)
                .map_err(|error| End::Broke { reason: error.reason(), text: error.to_string() })?;
            let Some(packet) = packet else { break };
            let received = self
                .connection
                .receive(packet)
                .map_err(|error| End::Broke { reason: error.reason, text: error.text.to_owned() })?;
            self.handle(received).await?;
            if self.outbound.len() >= WRITE_BYTES {
                self.flush().await?;
            }
        }
        if self.inbound.is_empty() {
            // An idle device holds no buffer.
            self.inbound = BytesMut::new();
        }
        Ok(())
    }

    /// Looks the permissions up again if what they stand on has changed.
    async fn refresh(&mut self) -> Result<(), End> {
        self.authorization.refresh(&self.shared.registry, &self.mailbox).await.map_err(End::Refused)
    }

    /// Appends a packet to what is to be written.
    fn push(&mut self, packet: &Packet) {
        if let Err(error) = self.connection.encode(packet, &mut self.outbound) {
            tracing::debug!(%error, "a packet cannot be told to this client");
        }
    }

    /// Writes what is to be written. A device that takes nothing for [`WRITE_STALL`] counts as gone, and an order to
    /// close is obeyed in the middle of it.
    async fn flush(&mut self) -> Result<(), End> {
        while !self.outbound.is_empty() {
            let written = tokio::select! {
                biased;
                reason = self.mailbox.closed() => return Err(End::Closed(reason)),
                written = timeout(WRITE_STALL, write_some(&mut self.stream, &self.outbound)) => written,
            };
            match written {
                Ok(Ok(count)) if count > 0 => self.outbound.advance(count),
                Ok(_) => return Err(End::Lost),
                Err(_) => return Err(End::Closed(CloseReason::SlowConsumer)),
            }
        }
        self.outbound = BytesMut::new();
        Ok(())
    }

    /// Tells the device why the connection ends, where MQTT has a word for it, and closes.
    async fn say_goodbye(&mut self, end: &End) {
        let (reason, text) = match end {
            End::Disconnected { .. } | End::Lost => return self.shut_down().await,
            End::Silent => {
                (ReasonCode::KeepAliveTimeout, "nothing was heard for one and a half keep-alives".to_owned())
            }
            End::Broke { reason, text } => (*reason, text.clone()),
            End::Refused(refusal) => (reason_code(*refusal), refusal.to_string()),
            End::Closed(reason) => last_word(*reason),
        };
        // Half a message must not be followed by another packet: what was begun is given up with the connection.
        if self.outbound.is_empty()
            && let Some(packet) = self.connection.disconnect(reason, &text)
        {
            self.push(&packet);
            let _peer_gone = timeout(LAST_WORD, async {
                self.stream.write_all(&self.outbound).await?;
                self.stream.flush().await
            })
            .await;
        }
        self.shut_down().await;
    }

    async fn shut_down(&mut self) {
        let _peer_gone = timeout(LAST_WORD, self.stream.shutdown()).await;
    }
}

enum Next {
    Bytes,
    Mail,
    Alarm,
}

/// Writes at least one byte, and sees it to the socket.
async fn write_some(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<usize> {
    let count = stream.write(bytes).await?;
    stream.flush().await?;
    Ok(count)
}

fn last_word(reason: CloseReason) -> (ReasonCode, String) {
    match reason {
        CloseReason::TakenOver => (ReasonCode::SessionTakenOver, "another connection uses this client id".to_owned()),
        CloseReason::Refused(refusal) => (reason_code(refusal), refusal.to_string()),
        CloseReason::ServerShutdown => (ReasonCode::ServerShuttingDown, "the server stops".to_owned()),
        CloseReason::SlowConsumer => {
            (ReasonCode::QuotaExceeded, "messages arrive faster than this connection takes them".to_owned())
        }
    }
}
