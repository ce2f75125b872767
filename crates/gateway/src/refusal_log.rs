//! Keeps refusals in the store, for `gatehouse explain`: off the hot path, bounded, and without holding anybody up. When
//! more come than can be written, some are not kept; the log line and the metric are.

use std::time::Duration;

use gatehouse_store::{RefusalRecord, Store};
use tokio::sync::mpsc;

/// Refusals waiting to be written.
const WAITING: usize = 10_000;
/// Refusals written at once.
const AT_ONCE: usize = 500;
/// Between two writes, so that a storm of refusals costs a few commits a second.
const PAUSE: Duration = Duration::from_millis(250);

/// Where refusals are handed in.
#[derive(Clone)]
pub(crate) struct RefusalLog(mpsc::Sender<RefusalRecord>);

impl RefusalLog {
    /// The log, and what its writer reads.
    pub(crate) fn new() -> (Self, mpsc::Receiver<RefusalRecord>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), receiver)
    }

    /// Hands in a refusal; never waits.
    pub(crate) fn keep(&self, record: RefusalRecord) {
        let _full_or_stopped = self.0.try_send(record);
    }
}

/// Writes what is handed in; runs until dropped.
pub(crate) async fn write(mut waiting: mpsc::Receiver<RefusalRecord>, store: Store) {
    let mut records = Vec::with_capacity(AT_ONCE);
    while waiting.recv_many(&mut records, AT_ONCE).await > 0 {
        if let Err(error) = store.record_refusals(std::mem::take(&mut records)).await {
            tracing::warn!(%error, "refusals cannot be kept");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
