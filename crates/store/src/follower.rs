//! A reader of the change log that misses nothing, whatever the order in which commits become visible.

use std::collections::BTreeMap;

use gatehouse_domain::time::Timestamp;

use crate::outbox::Entry;
use crate::{Error, LOG_RETENTION_MS, LoggedEvent, Store};

/// How far back the log is looked through for entries that became visible late, in milliseconds. Longer than a commit
/// takes from the reading of its time to its end (waiting for its turn and for answers are bounded), by a margin for
/// clocks of nodes that differ: keep them within a few seconds.
pub const OVERLAP_MS: i64 = 20_000;

/// Young epochs looked through at most in one poll.
const OVERLAP_ENTRIES: u32 = 100_000;

/// Follows the change log of a store.
///
/// Besides what lies behind the highest epoch seen, each poll looks again through the entries of the last
/// [`OVERLAP_MS`] for epochs that it has not seen: a transaction may take its epoch early and commit late. On the embedded
/// engine, where commits are in order, it does not need to.
pub struct ChangeFollower {
    store: Store,
    highest: i64,
    /// Epochs seen, with their times, as long as the look back covers them.
    seen: BTreeMap<i64, Timestamp>,
    polled_at: Timestamp,
}

impl ChangeFollower {
    /// Follows from here on: what is visible now counts as seen.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn start(store: Store, now: Timestamp) -> Result<Self, Error> {
        let mut follower = Self { store, highest: 0, seen: BTreeMap::new(), polled_at: now };
        follower.catch_up(now).await?;
        Ok(follower)
    }

    /// Counts all that is visible as seen; an error changes nothing.
    async fn catch_up(&mut self, now: Timestamp) -> Result<(), Error> {
        let highest = self.store.last_epoch().await?;
        let mut young = Vec::new();
        if !self.store.commits_in_epoch_order() {
            young = self.store.epochs_since(now.plus_millis(-OVERLAP_MS), OVERLAP_ENTRIES).await?;
        }
        self.highest = highest;
        // One that became visible between the two queries is new, and the next poll finds it.
        self.seen = young.into_iter().filter(|(epoch, _)| *epoch <= highest).collect();
        self.polled_at = now;
        Ok(())
    }

    /// The entries that became visible since the last poll: `limit` new ones at most, so poll again at once when there
    /// are as many; late ones come on top. Each entry is returned once.
    ///
    /// # Errors
    /// [`Error::LogPruned`] when the last poll lies so far back that entries may be gone, [`Error::LogUnknown`] when this
    /// release cannot read what an entry says: everything must be looked at again, and the next poll goes on behind what
    /// is visible now. [`Error::Unavailable`] or [`Error::Corrupt`] change nothing.
    pub async fn poll(&mut self, now: Timestamp, limit: u32) -> Result<Vec<LoggedEvent>, Error> {
        if now.millis_since(self.polled_at) > LOG_RETENTION_MS / 2 {
            self.catch_up(now).await?;
            return Err(Error::LogPruned);
        }
        let since = now.plus_millis(-OVERLAP_MS);
        let mut found = self.late(since).await?;
        found.extend(self.store.entries_after(self.highest, limit).await?);
        let Some(found) = found.into_iter().map(Entry::known).collect::<Option<Vec<_>>>() else {
            self.catch_up(now).await?;
            return Err(Error::LogUnknown);
        };
        // Nothing fails from here on, so nothing that counts as seen goes unreported.
        for entry in &found {
            self.highest = self.highest.max(entry.epoch);
            if !self.store.commits_in_epoch_order() {
                self.seen.insert(entry.epoch, entry.at);
            }
        }
        self.seen.retain(|_, at| *at >= since);
        self.polled_at = now;
        Ok(found)
    }

    /// Entries up to the highest epoch seen that have become visible only now.
    async fn late(&self, since: Timestamp) -> Result<Vec<Entry>, Error> {
        if self.store.commits_in_epoch_order() {
            return Ok(Vec::new());
        }
        let mut late: Vec<i64> = self
            .store
            .epochs_since(since, OVERLAP_ENTRIES)
            .await?
            .into_iter()
            .map(|(epoch, _)| epoch)
            .filter(|epoch| *epoch <= self.highest && !self.seen.contains_key(epoch))
            .collect();
        late.sort_unstable();
        let mut found = Vec::with_capacity(late.len());
        for epoch in late {
            found.extend(self.store.entry(epoch).await?);
        }
        Ok(found)
    }
}
