//! The broker as its callers see it.

mod memory;
mod sessions;
mod shared;
mod simulation;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::quotas::Quotas;
use gatehouse_domain::scope::{AccountId, Scope};
use gatehouse_domain::topic::TopicFilter;
use gatehouse_mqtt::Qos;

use crate::fake::{Disk, Now};
use crate::{
    Broker, CloseReason, Connected, Connecting, ConnectionInfo, Delivery, Mailbox, Message, Published, SessionGuard,
    SubscribeOutcome, SubscriptionOptions,
};

const QOS0: SubscriptionOptions = SubscriptionOptions::new(Qos::AtMostOnce);
const QOS1: SubscriptionOptions = SubscriptionOptions::new(Qos::AtLeastOnce);

/// A broker on a disk that outlives it.
struct House {
    broker: Broker,
    disk: Arc<Disk>,
    clock: Arc<Now>,
}

impl House {
    async fn open() -> Self {
        Self::on(Arc::default(), Now::new()).await
    }

    async fn with(quotas: Quotas) -> Self {
        Self::limited(Arc::default(), Now::new(), quotas).await
    }

    async fn on(disk: Arc<Disk>, clock: Arc<Now>) -> Self {
        Self::limited(disk, clock, Quotas::UNLIMITED).await
    }

    async fn limited(disk: Arc<Disk>, clock: Arc<Now>, quotas: Quotas) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let random = Box::new(|| Some(u128::from(IDS.fetch_add(1, Ordering::Relaxed)).to_be_bytes()));
        let broker =
            Broker::open(Arc::new(Arc::clone(&disk)), Arc::clone(&clock) as _, random, Arc::new(quotas)).await.unwrap();
        Self { broker, disk, clock }
    }

    /// The process dies and another one takes over the disk.
    async fn restart(self) -> Self {
        Self::on(self.disk, self.clock).await
    }

    /// Waits until nobody remembers clients that are gone.
    async fn be_forgotten(&self) {
        self.clock.pass_secs(3_600);
        self.broker.sweep().await;
    }

    async fn connect(&self, scope_number: u64, client_id: &str) -> SessionGuard {
        self.join(scope_number, client_id, true, 0).await.guard
    }

    async fn join(&self, scope_number: u64, client_id: &str, clean_start: bool, expiry_secs: u32) -> Connected {
        let connecting = connecting(client_id, clean_start, expiry_secs);
        self.broker.connect(scope(scope_number), connecting).await.unwrap()
    }
}

fn connecting(client_id: &str, clean_start: bool, expiry_secs: u32) -> Connecting {
    Connecting {
        client_id: ClientId::parse(client_id).unwrap(),
        protocol_level: 5,
        clean_start,
        expiry_secs,
        mailbox: Arc::new(Mailbox::new()),
        info: Arc::new(info()),
    }
}

pub(crate) fn info() -> ConnectionInfo {
    ConnectionInfo {
        connected_at: gatehouse_domain::time::Timestamp::from_secs(0),
        session_identifier: "".into(),
        principal: "".into(),
        thing_name: None,
        keep_alive_secs: 30,
        clean_start: true,
        session_expiry_secs: 0,
        source: ([192, 0, 2, 1], 1).into(),
        target: None,
    }
}

fn scope(number: u64) -> Scope {
    Scope::new(AccountId::from_number(number), "us-east-1".parse().unwrap())
}

fn filter(text: &str) -> TopicFilter {
    TopicFilter::parse(text).unwrap()
}

async fn subscribe(guard: &SessionGuard, text: &str, options: SubscriptionOptions) -> SubscribeOutcome {
    guard.subscribe(vec![(filter(text), options)]).await.unwrap().pop().unwrap()
}

async fn unsubscribe(guard: &SessionGuard, text: &str) -> bool {
    guard.unsubscribe(&[filter(text)]).await.unwrap().pop().unwrap()
}

/// Publishes as a client does, and answers how far the message came once it is settled.
async fn publish(guard: &SessionGuard, message: &Arc<Message>) -> crate::Fanout {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let receipt = || -> crate::Done { Box::new(move |outcome| answer.send(outcome).unwrap()) };
    match guard.publish(message, false, receipt) {
        Published::Settled(fanout) => fanout,
        Published::Pending(fanout) => {
            answered.await.unwrap().unwrap();
            fanout
        }
    }
}

/// What waits in the mailbox.
fn take(guard: &SessionGuard) -> Vec<(String, Qos)> {
    let mut taken = Vec::new();
    let _close = guard.mailbox().take(&mut taken, usize::MAX);
    taken.into_iter().map(|delivery| (delivery.message.topic.to_string(), delivery.qos)).collect()
}

/// What waits in the store, all of it.
async fn fetch(guard: &mut SessionGuard) -> Vec<Delivery> {
    let mut all = Vec::new();
    loop {
        let some = guard.fetch().await.unwrap();
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

fn payloads(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|delivery| String::from_utf8_lossy(&delivery.message.payload).into_owned()).collect()
}

fn with_payload(topic: &str, payload: &str) -> Arc<Message> {
    let payload = Bytes::copy_from_slice(payload.as_bytes());
    Arc::new(Message { payload, ..Message::clone(&crate::message::tests::message(topic)) })
}
