//! Step 5: the connection's life. One task owns the socket and takes turns between what the device sends, what others
//! send to it, and the clock. Every publish, subscription and delivery is asked of the policies in force.

mod deliveries;
mod requests;
mod subscriptions;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use gatehouse_broker::{CloseReason, Delivery, Direct, Interest, Mailbox, SessionGuard};
use gatehouse_control::provisioning::fleet::FleetProvisioning;
use gatehouse_domain::disconnect::DisconnectReason;
use gatehouse_domain::quotas::Pace;
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::session::MessageKey;
use gatehouse_domain::time::Clock;
use gatehouse_mqtt::{Connection, Decoder, Packet, PacketId, ReasonCode};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::authorization::Authorization;
use crate::connect::reason_code;
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::principal::{Ended, Identity};
use crate::provisioning::UnderWay;
use crate::rates::{Place, ScopeRates};
use crate::registry::Registry;
use crate::report::Reporter;
use crate::socket;
use crate::will::Will;
use crate::wire::Wire;

/// How long a socket may take no byte before the device counts as gone.
const WRITE_STALL: Duration = Duration::from_secs(20);
/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 32 * 1024;

/// What sessions share.
pub(crate) struct Shared {
    pub(crate) registry: Arc<Registry>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) reporter: Arc<Reporter>,
    pub(crate) provisioning: Arc<FleetProvisioning>,
}

/// A connected device.
pub(crate) struct Session {
    /// First, and so dropped first: whoever waits until all connections are gone finds their sessions parked.
    pub(crate) guard: SessionGuard,
    pub(crate) shared: Arc<Shared>,
    pub(crate) stream: Wire,
    pub(crate) inbound: BytesMut,
    pub(crate) decoder: Decoder,
    pub(crate) connection: Connection,
    pub(crate) identity: Identity,
    pub(crate) authorization: Authorization,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) will: Option<Box<Will>>,
    /// Bytes to be written.
    pub(crate) outbound: BytesMut,
    /// Whether nothing may come before them: they begin with CONNACK, or with the rest of a packet.
    pub(crate) is_committed: bool,
    /// Taken from the mailbox, to be delivered next.
    pub(crate) pending: VecDeque<Delivery>,
    /// What is pending waits for the client's acknowledgements.
    pub(crate) is_window_full: bool,
    /// Deliveries whose acknowledgement somebody else has to hear of.
    pub(crate) followed: Vec<(PacketId, Followed)>,
    /// Publishes of the device that are being written down: how many receipts are still to come.
    pub(crate) receipts_awaited: usize,
    /// Refusals that wait for their turn behind receipts.
    pub(crate) refusals_in_line: Vec<(PacketId, ReasonCode, String)>,
    /// What the scope is held to.
    pub(crate) rates: Arc<ScopeRates>,
    pub(crate) pace: SessionPace,
    /// Requests of fleet provisioning under way; `None` until there is one.
    pub(crate) provisioning: Option<Box<UnderWay>>,
    pub(crate) _place: Place,
}

/// How far the connection has used up its own rates.
#[derive(Default)]
pub(crate) struct SessionPace {
    pub(crate) publishes: Pace,
    pub(crate) deliveries: Pace,
    bytes: Pace,
    /// Until when nothing more is read.
    reads_at: Option<Instant>,
    /// Until when nothing more is delivered.
    pub(crate) delivers_at: Option<Instant>,
}

impl SessionPace {
    /// The next moment at which something goes on that has to wait now.
    fn resumes_at(&self) -> Option<Instant> {
        match (self.reads_at, self.delivers_at) {
            (Some(reads_at), Some(delivers_at)) => Some(reads_at.min(delivers_at)),
            (reads_at, delivers_at) => reads_at.or(delivers_at),
        }
    }

    /// Forgets what is over.
    fn go_on(&mut self, now: Instant) {
        self.reads_at = self.reads_at.filter(|at| *at > now);
        self.delivers_at = self.delivers_at.filter(|at| *at > now);
    }
}

/// Who has to hear that a delivery was acknowledged.
pub(crate) enum Followed {
    /// The store, which has the message still.
    Stored(MessageKey),
    /// The sender of a direct message.
    Direct(Direct),
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

impl End {
    /// In AWS's words.
    const fn disconnect_reason(&self) -> DisconnectReason {
        match self {
            Self::Disconnected { .. } => DisconnectReason::ClientInitiated,
            Self::Lost => DisconnectReason::ConnectionLost,
            Self::Silent => DisconnectReason::KeepAliveTimeout,
            Self::Refused(Refusal::RegistryUnavailable)
            | Self::Closed(CloseReason::Refused(Refusal::RegistryUnavailable))
            | Self::Broke { reason: ReasonCode::UnspecifiedError, .. } => DisconnectReason::ServerError,
            Self::Broke { reason: ReasonCode::MaximumConnectTime, .. } => DisconnectReason::WebSocketTtl,
            Self::Broke { reason: ReasonCode::NotAuthorized, .. }
            | Self::Refused(_)
            | Self::Closed(CloseReason::Refused(_)) => DisconnectReason::AuthError,
            Self::Broke { .. } => DisconnectReason::ClientError,
            Self::Closed(CloseReason::TakenOver) => DisconnectReason::DuplicateClientId,
            Self::Closed(CloseReason::Deleted { .. }) => DisconnectReason::ApiInitiated,
            Self::Closed(CloseReason::SlowConsumer) => DisconnectReason::Throttled,
            Self::Closed(CloseReason::ServerShutdown) => DisconnectReason::ServerInitiated,
        }
    }
}

impl Session {
    /// Runs until the end, and answers why it came. Boxed, so that the session is not in memory twice.
    pub(crate) async fn run(mut self: Box<Self>) -> End {
        let end = match self.live().await {
            Ok(never) => match never {},
            // Whoever judges the connections may have cut this one meanwhile, and has counted it then.
            Err(End::Refused(refusal)) if !self.mailbox.close(CloseReason::Refused(refusal)) => {
                End::Closed(CloseReason::Refused(refusal))
            }
            Err(end) => end,
        };
        let reason = end.disconnect_reason();
        // Whose connection was cut asks for nothing any more; who is merely gone has asked.
        if let Some(under_way) = self.provisioning.take()
            && reason != DisconnectReason::AuthError
        {
            under_way.go_on();
        }
        self.guard.set_reason(reason);
        self.guard.set_expiry(self.connection.session_expiry_secs());
        if let End::Refused(refusal) = &end {
            self.shared.reporter.cut(self.identity.scope(), &self.identity.principal(), *refusal, 1);
        }
        Box::pin(self.part(&end)).await;
        end
    }

    async fn part(&mut self, end: &End) {
        // The will does not wait for the device to take its leave.
        self.publish_will(end).await;
        self.lifecycle.disconnected(end.disconnect_reason(), self.shared.clock.now());
        self.say_goodbye(end).await;
    }

    async fn live(&mut self) -> Result<std::convert::Infallible, End> {
        let mut heard_at = Instant::now();
        let mut alarm = Box::pin(sleep_until(self.alarm_at(heard_at)));
        loop {
            // What works is boxed: a device that waits, as most do at any time, holds no memory for it.
            if Box::pin(self.handle_inbound()).await? {
                heard_at = Instant::now();
            }
            self.flush().await?;
            if let Some(at) = self.pace.resumes_at()
                && at < alarm.deadline()
            {
                alarm.as_mut().reset(at);
            }
            match self.next(alarm.as_mut()).await? {
                Next::Bytes => {}
                Next::Mail => Box::pin(self.take_mail()).await?,
                Next::Deliver => Box::pin(self.deliver_pending()).await?,
                Next::Alarm => {
                    self.pace.go_on(Instant::now());
                    self.is_in_time()?;
                    let is_late = Instant::now() >= heard_at + self.connection.keep_alive_deadline();
                    if is_late && !self.has_spoken().await? {
                        return Err(End::Silent);
                    }
                    alarm.as_mut().reset(self.alarm_at(heard_at));
                }
            }
        }
    }

    /// When to look at the clock: at the end of the keep-alive or of what the session stands on, whichever comes first.
    /// Packets do not move the alarm; it finds out that it rang too early.
    fn alarm_at(&self, heard_at: Instant) -> Instant {
        let left_ms = self.identity.ends_at().millis_since(self.shared.clock.now());
        let validity = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0).max(100));
        let keep_alive_end = heard_at + self.connection.keep_alive_deadline();
        Instant::now().checked_add(validity).map_or(keep_alive_end, |end| end.min(keep_alive_end))
    }

    /// Whether the session may go on by the clock.
    fn is_in_time(&self) -> Result<(), End> {
        match self.identity.ended(self.shared.clock.now()) {
            None => Ok(()),
            Some(Ended::Refused(refusal)) => Err(End::Refused(refusal)),
            Some(Ended::Lifetime) => Err(End::Broke {
                reason: ReasonCode::MaximumConnectTime,
                text: "a WebSocket may be open for 24 hours: connect again".to_owned(),
            }),
        }
    }

    /// Whether something has arrived that nobody has read yet: a server that was busy must not blame the device.
    async fn has_spoken(&mut self) -> Result<bool, End> {
        match timeout(Duration::ZERO, socket::read(&mut self.stream, &mut self.inbound)).await {
            Err(_nothing) => Ok(false),
            Ok(Ok(0) | Err(_)) => Err(End::Lost),
            Ok(Ok(_)) => Ok(true),
        }
    }

    /// Waits for the next thing to do.
    async fn next(&mut self, alarm: Pin<&mut Sleep>) -> Result<Next, End> {
        // What is pending keeps more from being taken out of the mailbox.
        let interest = if self.pending.is_empty() { Interest::Messages } else { Interest::Receipts };
        let delivers = !self.pending.is_empty() && !self.is_window_full && self.pace.delivers_at.is_none();
        let reads = self.pace.reads_at.is_none();
        // In no fixed order: neither a flood of messages nor a flood of requests may keep the other waiting.
        tokio::select! {
            () = self.mailbox.wait(interest) => Ok(Next::Mail),
            () = std::future::ready(()), if delivers => Ok(Next::Deliver),
            read = socket::read(&mut self.stream, &mut self.inbound), if reads => match read {
                Ok(0) | Err(_) => Err(End::Lost),
                Ok(count) => {
                    self.count_bytes(count);
                    Ok(Next::Bytes)
                }
            },
            () = alarm => Ok(Next::Alarm),
        }
    }

    /// Bytes beyond the rate are taken later: TCP makes the device wait.
    fn count_bytes(&mut self, count: usize) {
        let rate = self.rates.quotas.connection_byte_rate;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let wait_ms = self.pace.bytes.spend(self.shared.clock.now(), rate, count);
        if wait_ms > 0 {
            self.pace.reads_at = Some(Instant::now() + Duration::from_millis(wait_ms));
        }
    }

    /// Handles every complete packet that has arrived; answers whether there was one.
    async fn handle_inbound(&mut self) -> Result<bool, End> {
        let mut heard = false;
        loop {
            // Whoever has been cut is not listened to any more, whatever has arrived already.
            if let Some(reason) = self.mailbox.close_reason() {
                return Err(End::Closed(reason));
            }
            let packet = self
                .decoder
                .decode(&mut self.inbound)
                .map_err(|error| End::Broke { reason: error.reason(), text: error.to_string() })?;
            let Some(packet) = packet else { break };
            heard = true;
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
        Ok(heard)
    }

    /// Looks the permissions up again if what they stand on has changed.
    pub(crate) async fn refresh(&mut self) -> Result<(), End> {
        let now = self.shared.clock.now();
        self.authorization.refresh(&self.shared.registry, &self.mailbox, now).await.map_err(End::Refused)
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
            let count = unless_closed(&self.mailbox, self.stream.write(&self.outbound)).await?;
            if count == 0 {
                return Err(End::Lost);
            }
            self.outbound.advance(count);
            self.is_committed = !self.outbound.is_empty();
        }
        unless_closed(&self.mailbox, self.stream.flush()).await?;
        self.outbound = BytesMut::new();
        Ok(())
    }

    /// Tells the device why the connection ends, where MQTT has a word for it, and closes.
    async fn say_goodbye(&mut self, end: &End) {
        match end {
            End::Lost => return socket::close(&mut self.stream).await,
            // What is left is the rest of what was begun, and is finished: nothing stands against the device.
            End::Closed(CloseReason::ServerShutdown) => self.deliver_rest().await,
            // The order to close may have come in the middle of a packet, or before CONNACK.
            End::Closed(_) | End::Refused(_) if self.is_committed => return socket::close(&mut self.stream).await,
            // Whoever is cut is owed nothing.
            End::Closed(_) | End::Refused(_) => self.outbound.clear(),
            End::Disconnected { .. } | End::Silent | End::Broke { .. } => {}
        }
        let last_word = match end {
            End::Lost | End::Disconnected { .. } => None,
            End::Closed(reason) => Some(last_word(*reason)),
            End::Silent => {
                Some((ReasonCode::KeepAliveTimeout, "nothing was heard for one and a half keep-alives".to_owned()))
            }
            End::Broke { reason, text } => Some((*reason, text.clone())),
            End::Refused(refusal) => Some((reason_code(*refusal), refusal.to_string())),
        };
        if let Some((reason, text)) = last_word
            && let Some(packet) = self.connection.disconnect(reason, &text)
        {
            self.push(&packet);
        }
        if self.outbound.is_empty() {
            return socket::close(&mut self.stream).await;
        }
        socket::close_with(&mut self.stream, &self.outbound).await;
        // Who says nothing, or does not listen, is not waited for.
        if !matches!(end, End::Silent | End::Closed(CloseReason::SlowConsumer)) {
            socket::outlast(&mut self.stream).await;
        }
    }
}

enum Next {
    Bytes,
    Mail,
    Deliver,
    Alarm,
}

/// Waits for a write, unless the connection is to be closed or its socket stalls.
async fn unless_closed<T>(mailbox: &Mailbox, write: impl Future<Output = std::io::Result<T>>) -> Result<T, End> {
    tokio::select! {
        biased;
        reason = mailbox.closed() => Err(End::Closed(reason)),
        written = timeout(WRITE_STALL, write) => match written {
            Ok(Ok(written)) => Ok(written),
            Ok(Err(_)) => Err(End::Lost),
            Err(_) => Err(End::Closed(CloseReason::SlowConsumer)),
        },
    }
}

fn last_word(reason: CloseReason) -> (ReasonCode, String) {
    let code = match reason {
        CloseReason::TakenOver => ReasonCode::SessionTakenOver,
        CloseReason::Refused(refusal) => reason_code(refusal),
        CloseReason::Deleted { .. } => ReasonCode::AdministrativeAction,
        CloseReason::ServerShutdown => ReasonCode::ServerShuttingDown,
        CloseReason::SlowConsumer => ReasonCode::QuotaExceeded,
    };
    (code, reason.to_string())
}
