//! Who is connected, by certificate: the index that revocation walks.
//!
//! Invariant: a device enters the index *before* its record is read for admission. Either that read sees a change, or
//! the walk that follows the change sees the device: none slips between.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gatehouse_broker::{CloseReason, Mailbox};
use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::scope::Scope;
use parking_lot::Mutex;

/// Independent parts of the index, so that connections on different cores seldom meet.
const SHARDS: usize = 64;

type Shard = HashMap<CertificateId, Vec<(Scope, Arc<Mailbox>)>>;

/// The live connections.
pub(crate) struct Connections {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    count: AtomicUsize,
    is_closing: AtomicBool,
}

/// A place in the index; dropping it leaves.
pub(crate) struct Presence {
    connections: Arc<Connections>,
    scope: Scope,
    certificate_id: CertificateId,
    mailbox: Arc<Mailbox>,
}

impl Connections {
    pub(crate) fn new() -> Arc<Self> {
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::new())).collect();
        Arc::new(Self {
            shards,
            hasher: RandomState::new(),
            count: AtomicUsize::new(0),
            is_closing: AtomicBool::new(false),
        })
    }

    /// Enters a connection of `certificate_id` in `scope`, reachable through `mailbox`.
    pub(crate) fn enter(
        self: &Arc<Self>,
        scope: Scope,
        certificate_id: CertificateId,
        mailbox: &Arc<Mailbox>,
    ) -> Presence {
        self.count.fetch_add(1, Ordering::Relaxed);
        if let Some(shard) = self.shard(certificate_id) {
            shard.lock().entry(certificate_id).or_default().push((scope, Arc::clone(mailbox)));
        }
        // Looked at after entering: either this sees the flag, or the walk sees the entry.
        if self.is_closing.load(Ordering::Acquire) {
            mailbox.close(CloseReason::ServerShutdown);
        }
        Presence { connections: Arc::clone(self), scope, certificate_id, mailbox: Arc::clone(mailbox) }
    }

    /// How many are connected.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Every certificate that is connected, with its scope.
    pub(crate) fn certificates(&self) -> Vec<(Scope, CertificateId)> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            all.extend(shard.iter().flat_map(|(id, entries)| entries.iter().map(|(scope, _)| (*scope, *id))));
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Ends the connections of `certificate_id` in `scope`, and no others. Answers how many were not at their end already.
    pub(crate) fn cut(&self, scope: Scope, certificate_id: CertificateId, refusal: Refusal) -> usize {
        self.each(scope, certificate_id, |mailbox| mailbox.close(CloseReason::Refused(refusal)))
    }

    /// Makes the connections of `certificate_id` in `scope` look up their permissions again before their next operation.
    pub(crate) fn mark_stale(&self, scope: Scope, certificate_id: CertificateId) -> usize {
        self.each(scope, certificate_id, |mailbox| {
            mailbox.mark_stale();
            true
        })
    }

    /// Ends every connection, and those that come from here on: the server stops.
    pub(crate) fn close_all(&self) {
        self.is_closing.store(true, Ordering::Release);
        for shard in &self.shards {
            for (_, mailbox) in shard.lock().values().flatten() {
                mailbox.close(CloseReason::ServerShutdown);
            }
        }
    }

    /// Answers how many `act` said yes for.
    fn each(&self, scope: Scope, certificate_id: CertificateId, act: impl Fn(&Mailbox) -> bool) -> usize {
        let Some(shard) = self.shard(certificate_id) else { return 0 };
        let shard = shard.lock();
        let of_scope = shard.get(&certificate_id).into_iter().flatten().filter(|(s, _)| *s == scope);
        of_scope.filter(|(_, mailbox)| act(mailbox)).count()
    }

    fn shard(&self, certificate_id: CertificateId) -> Option<&Mutex<Shard>> {
        // Hashed with a secret: whoever chooses certificates must not choose shards.
        let shards = u64::try_from(self.shards.len()).ok()?;
        let hash = self.hasher.hash_one(certificate_id).checked_rem(shards)?;
        self.shards.get(usize::try_from(hash).ok()?)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.connections.count.fetch_sub(1, Ordering::Relaxed);
        let Some(shard) = self.connections.shard(self.certificate_id) else { return };
        if let Entry::Occupied(mut entry) = shard.lock().entry(self.certificate_id) {
            let is_mine =
                |(scope, mailbox): &(Scope, Arc<Mailbox>)| *scope == self.scope && Arc::ptr_eq(mailbox, &self.mailbox);
            if let Some(at) = entry.get().iter().position(is_mine) {
                entry.get_mut().swap_remove(at);
            }
            if entry.get().is_empty() {
                entry.remove();
            }
        }
    }
}
