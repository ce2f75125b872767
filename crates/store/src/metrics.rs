//! What the store counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Commits that reached the disk. On SQLite one commit carries many batches.
    pub commits: u64,
    /// Batches written.
    pub batches: u64,
    /// Batches that lost a race.
    pub conflicts: u64,
    /// Reads.
    pub reads: u64,
    /// Reads and commits that failed for another reason than a lost race.
    pub failures: u64,
    /// Connections made to a PostgreSQL server.
    pub connections: u64,
}

/// The counters behind [`Metrics`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) conflicts: AtomicU64,
    pub(crate) reads: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) connections: AtomicU64,
}

/// Counts one more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn snapshot(&self) -> Metrics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Metrics {
            commits: read(&self.commits),
            batches: read(&self.batches),
            conflicts: read(&self.conflicts),
            reads: read(&self.reads),
            failures: read(&self.failures),
            connections: read(&self.connections),
        }
    }
}
