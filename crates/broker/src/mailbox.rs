//! What waits for one connection: messages, word that its publishes are safe, the wish that it end, the news that its
//! permissions changed; and the wake-up of the one task that owns the connection.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use gatehouse_domain::limits;
use gatehouse_domain::refusal::Refusal;
use gatehouse_mqtt::{PacketId, Qos};
use parking_lot::{Mutex, MutexGuard};

use crate::direct::Direct;
use crate::message::{Delivery, Message};
use crate::persistence::Unavailable;

/// The mailbox of a connection. Anybody puts in; the one task that owns the connection takes out.
///
/// Looking for something to do and leaving the waker happen under one lock, and so do putting something in and taking
/// the waker: no wake-up can fall between. A mailbox with nothing in it holds no allocation.
#[derive(Debug, Default)]
pub struct Mailbox {
    state: Mutex<State>,
    /// Outside the lock, because every operation of the connection asks for it.
    is_stale: AtomicBool,
    /// Whether messages may wait in the store.
    has_stored: AtomicBool,
    /// The memory that this mailbox shares with others.
    room: Arc<QueueRoom>,
}

/// The memory for what waits in many mailboxes together: `limits::OUTBOUND_QUEUES_BYTES`. Counted by weight and by
/// delivery, so a message that waits for many connections counts many times.
#[derive(Debug, Default)]
pub struct QueueRoom {
    used_bytes: AtomicUsize,
}

impl QueueRoom {
    fn take(&self, bytes: usize) -> bool {
        let used = self.used_bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = used.saturating_add(bytes) <= limits::OUTBOUND_QUEUES_BYTES;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Delivery>,
    queued_bytes: usize,
    receipts: Vec<Receipt>,
    close: Option<CloseReason>,
    waker: Option<Waker>,
    /// What `waker` waits for, besides the end.
    interest: Interest,
}

/// What became of a QoS 1 publish of this connection.
pub type Receipt = (PacketId, Result<(), Unavailable>);

/// What a connection waits for, besides its end. Later ones include earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interest {
    /// Nothing: it can write no more at the moment.
    #[default]
    End,
    /// Receipts and permissions: it can take no more messages at the moment.
    Receipts,
    /// Messages as well.
    Messages,
}

/// Why the server ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// Another connection came with the same client id.
    TakenOver,
    /// The holder of the certificate may not be connected any more.
    Refused(Refusal),
    /// The connection took its QoS 1 messages more slowly than they came.
    SlowConsumer,
    /// Somebody deleted the connection.
    Deleted {
        /// The will is not to be published.
        prevent_will: bool,
    },
    /// The server goes down.
    ServerShutdown,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pushed {
    /// It waits for the connection.
    Queued,
    /// The mailbox is full, and QoS 0 promises nothing.
    DroppedQos0,
    /// The mailbox is full, and this message must not be lost silently: the connection ends as slow consumer.
    Overflow,
    /// The connection is at its end.
    Closed,
}

/// What became of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Offered {
    /// It waits for the connection.
    Taken,
    /// The mailbox is full, or the connection at its end: somebody else may have it.
    Declined,
}

impl Mailbox {
    /// An empty mailbox that shares its memory with no other.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty mailbox that shares its memory with all others of `room`.
    #[must_use]
    pub fn within(room: Arc<QueueRoom>) -> Self {
        Self { state: Mutex::default(), is_stale: AtomicBool::new(false), has_stored: AtomicBool::new(false), room }
    }

    /// Puts in a message. Bounded by `limits::OUTBOUND_QUEUE` and `limits::OUTBOUND_QUEUE_BYTES`, and by what all
    /// mailboxes of the room hold.
    pub fn push(&self, delivery: Delivery) -> Pushed {
        let mut state = self.state.lock();
        if state.close.is_some() {
            return Pushed::Closed;
        }
        let weight = delivery.message.weight();
        if state.has_room_for(weight) && self.room.take(weight) {
            state.queued_bytes += weight;
            state.queue.push_back(delivery);
            let waker = state.waker_for(Interest::Messages);
            drop(state);
            wake(waker);
            return Pushed::Queued;
        }
        if delivery.qos == Qos::AtMostOnce {
            return Pushed::DroppedQos0;
        }
        self.end(state, CloseReason::SlowConsumer);
        Pushed::Overflow
    }

    /// Puts in a message that somebody else can have when there is no room.
    pub(crate) fn offer(&self, delivery: Delivery) -> Offered {
        let weight = delivery.message.weight();
        let mut state = self.state.lock();
        if state.close.is_some() || !state.has_room_for(weight) || !self.room.take(weight) {
            return Offered::Declined;
        }
        state.queued_bytes += weight;
        state.queue.push_back(delivery);
        let waker = state.waker_for(Interest::Messages);
        drop(state);
        wake(waker);
        Offered::Taken
    }

    /// Puts in a message whose sender waits for what becomes of it. One that does not fit is gone at once, which is what
    /// its sender learns: it was asked for delivery now.
    pub fn push_direct(&self, message: Arc<Message>, qos: Qos, direct: Direct) {
        let _declined = self.offer(Delivery { message, qos, retain: false, key: None, direct: Some(direct) });
    }

    /// Asks the connection to end. The first reason stays. Messages still waiting are dropped, so that nothing reaches a
    /// client that was cut off; a server that goes down still lets them out. Answers whether `reason` is the one.
    pub fn close(&self, reason: CloseReason) -> bool {
        let state = self.state.lock();
        if state.close.is_some() {
            return false;
        }
        self.end(state, reason);
        true
    }

    /// Sets the reason; wakes and drops what must be once the lock is free.
    fn end(&self, mut state: MutexGuard<'_, State>, reason: CloseReason) {
        state.close = Some(reason);
        let mut undelivered = VecDeque::new();
        if reason != CloseReason::ServerShutdown {
            self.room.give_back(std::mem::take(&mut state.queued_bytes));
            undelivered = std::mem::take(&mut state.queue);
        }
        let waker = state.waker.take();
        drop(state);
        wake(waker);
        drop(undelivered);
    }

    /// Tells the connection that its permissions may have changed.
    pub fn mark_stale(&self) {
        // Set before the lock: whoever looked too early has left a waker by the time the lock is had.
        self.is_stale.store(true, Ordering::Release);
        self.wake_for(Interest::Receipts);
    }

    /// Tells the connection that messages wait in the store.
    pub fn mark_stored(&self) {
        self.has_stored.store(true, Ordering::Release);
        self.wake_for(Interest::Messages);
    }

    /// May messages wait in the store that were put there since the last call? Read them *after* a yes: what comes
    /// during that reading sets the mark anew.
    #[must_use = "the mark is gone with this call: the store must be read"]
    pub fn take_stored(&self) -> bool {
        self.has_stored.load(Ordering::Acquire) && self.has_stored.swap(false, Ordering::AcqRel)
    }

    /// Tells what became of a publish. Not bounded here: a client has no more publishes under way than its window.
    pub fn put_receipt(&self, receipt: Receipt) {
        let mut state = self.state.lock();
        state.receipts.push(receipt);
        let waker = state.waker_for(Interest::Receipts);
        drop(state);
        wake(waker);
    }

    /// What became of publishes since the last call, oldest first.
    #[must_use = "each of them is to be answered"]
    pub fn take_receipts(&self) -> Vec<Receipt> {
        std::mem::take(&mut self.state.lock().receipts)
    }

    fn wake_for(&self, what: Interest) {
        let waker = self.state.lock().waker_for(what);
        wake(waker);
    }

    /// Did permissions change since the last call? Ask before every operation that needs them, and read them again
    /// *after* a yes: a change during that reading sets the mark anew.
    #[must_use = "the mark is gone with this call: permissions must be read again"]
    pub fn take_stale(&self) -> bool {
        self.is_stale.load(Ordering::Acquire) && self.is_stale.swap(false, Ordering::AcqRel)
    }

    /// Waits until there is something of `interest` to do, or the end has come. Comes back at once while any of it is
    /// left in the mailbox. May be dropped at any time; one task at a time may wait.
    pub async fn wait(&self, interest: Interest) {
        poll_fn(|context| self.poll_wait(interest, context)).await;
    }

    /// [`wait`](Self::wait) for those who poll.
    pub fn poll_wait(&self, interest: Interest, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        let has_messages = || !state.queue.is_empty() || self.has_stored.load(Ordering::Acquire);
        let has_receipts = || !state.receipts.is_empty() || self.is_stale.load(Ordering::Acquire);
        if state.close.is_some()
            || (interest >= Interest::Receipts && has_receipts())
            || (interest >= Interest::Messages && has_messages())
        {
            return Poll::Ready(());
        }
        state.leave_waker(context.waker(), interest);
        Poll::Pending
    }

    /// Waits for a reason to end and nothing else: for a connection that can write no more at the moment, but must
    /// still be cut in time. Same rules as [`wait`](Self::wait).
    pub async fn closed(&self) -> CloseReason {
        poll_fn(|context| {
            let mut state = self.state.lock();
            if let Some(reason) = state.close {
                return Poll::Ready(reason);
            }
            state.leave_waker(context.waker(), Interest::End);
            Poll::Pending
        })
        .await
    }

    /// Moves up to `max` messages to the end of `into`, oldest first, and tells whether the connection is to end. A
    /// connection that is to end gets no messages, unless the server goes down in good order.
    #[must_use = "a connection that was asked to end must end"]
    pub fn take(&self, into: &mut Vec<Delivery>, max: usize) -> Option<CloseReason> {
        let mut state = self.state.lock();
        let count = max.min(state.queue.len());
        let before = into.len();
        into.extend(state.queue.drain(..count));
        let left_bytes = if state.queue.is_empty() {
            state.queue = VecDeque::new();
            0
        } else {
            let taken: usize = into.iter().skip(before).map(|delivery| delivery.message.weight()).sum();
            state.queued_bytes.saturating_sub(taken)
        };
        self.room.give_back(state.queued_bytes.saturating_sub(left_bytes));
        state.queued_bytes = left_bytes;
        state.close
    }

    /// The reason to end, when there is one.
    #[must_use]
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.state.lock().close
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.room.give_back(self.state.get_mut().queued_bytes);
    }
}

impl State {
    fn has_room_for(&self, weight: usize) -> bool {
        self.queue.len() < limits::OUTBOUND_QUEUE
            && self.queued_bytes.saturating_add(weight) <= limits::OUTBOUND_QUEUE_BYTES
    }

    /// The waker, when it waits for `what`.
    fn waker_for(&mut self, what: Interest) -> Option<Waker> {
        if self.interest >= what { self.waker.take() } else { None }
    }

    fn leave_waker(&mut self, waker: &Waker, interest: Interest) {
        // A task may poll `wait` and `closed` in turns: the widest wish stays until the next wake-up.
        self.interest = if self.waker.is_none() { interest } else { interest.max(self.interest) };
        match &mut self.waker {
            Some(left) if left.will_wake(waker) => {}
            left => *left = Some(waker.clone()),
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl CloseReason {
    /// The metric label and log field: kebab-case, stable.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::TakenOver => "taken-over",
            Self::Refused(refusal) => refusal.label(),
            Self::SlowConsumer => "slow-consumer",
            Self::Deleted { .. } => "deleted",
            Self::ServerShutdown => "server-shutdown",
        }
    }
}

impl fmt::Display for CloseReason {
    /// The sentence a client may see (MQTT 5 reason string).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TakenOver => f.write_str("another connection took over the client id"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::SlowConsumer => f.write_str("too many messages wait to be taken: read and acknowledge faster"),
            Self::Deleted { .. } => f.write_str("an administrator ended the connection"),
            Self::ServerShutdown => f.write_str("the server is shutting down: connect again"),
        }
    }
}
