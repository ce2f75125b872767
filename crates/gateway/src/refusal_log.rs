//! Keeps refusals in the store, for `gatehouse explain`: off the hot path, bounded, and without holding anybody up. When
//! more come than can be written, some are not kept; the log line and the metric are.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_store::{RefusalRecord, Store};
use tokio::sync::{Mutex, mpsc};

/// Refusals waiting to be written.
const WAITING: usize = 10_000;
/// Refusals written at once.
const AT_ONCE: usize = 500;
/// Between two writes, so that a storm of refusals costs a few commits a second.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a stopping server takes for those that are not written yet.
const FLUSHED_WITHIN: Duration = Duration::from_secs(2);

/// Where refusals are handed in.
#[derive(Clone)]
pub(crate) struct RefusalLog(mpsc::Sender<RefusalRecord>);

impl RefusalLog {
    /// The log and its writer.
    pub(crate) fn new(store: Store) -> (Self, Writer) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), Writer { waiting: Arc::new(Mutex::new(receiver)), store })
    }

    /// Hands in a refusal; never waits.
    pub(crate) fn keep(&self, record: RefusalRecord) {
        let _full_or_stopped = self.0.try_send(record);
    }
}

/// Writes what is handed in.
#[derive(Clone)]
pub(crate) struct Writer {
    waiting: Arc<Mutex<mpsc::Receiver<RefusalRecord>>>,
    store: Store,
}

impl Writer {
    /// Runs until dropped.
    pub(crate) async fn run(self) {
        let mut waiting = self.waiting.lock().await;
        let mut records = Vec::with_capacity(AT_ONCE);
        while waiting.recv_many(&mut records, AT_ONCE).await > 0 {
            self.write(std::mem::take(&mut records)).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Writes what waits when the server stops, once [`Writer::run`] is dropped; for a short while at most.
    pub(crate) async fn flush(&self) {
        let _in_time = tokio::time::timeout(FLUSHED_WITHIN, async {
            let mut waiting = self.waiting.lock().await;
            let mut records = Vec::with_capacity(AT_ONCE);
            while !waiting.is_empty() && waiting.recv_many(&mut records, AT_ONCE).await > 0 {
                self.write(std::mem::take(&mut records)).await;
            }
        })
        .await;
    }

    async fn write(&self, records: Vec<RefusalRecord>) {
        if let Err(error) = self.store.record_refusals(records).await {
            tracing::warn!(%error, "refusals cannot be kept");
        }
    }
}
