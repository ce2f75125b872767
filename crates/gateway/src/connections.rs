//! Who is connected, by certificate or access key: the index that revocation walks.
//!
//! Invariant: a device enters the index *before* its record is read for admission. Either that read sees a change, or
//! the walk that follows the change sees the device: none slips between.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gatehouse_broker::{CloseReason, Mailbox};
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::scope::{AccountId, Scope};
use parking_lot::Mutex;

use crate::principal::Principal;

/// Independent parts of the index, so that connections on different cores seldom meet.
const SHARDS: usize = 64;

type Shard = HashMap<Principal, Vec<(Scope, Arc<Mailbox>)>>;

/// The live connections.
pub(crate) struct Connections {
    shards: Vec<Mutex<Shard>>,
    /// Access keys stand apart: their changes are announced by account, and so must be walked.
    access_keys: Mutex<Shard>,
    /// Connections of nobody yet, by the address of their mailbox: they only hear that the server stops.
    visitors: Mutex<HashMap<usize, Arc<Mailbox>>>,
    hasher: RandomState,
    count: AtomicUsize,
    is_closing: AtomicBool,
}

/// A place in the index; dropping it leaves.
pub(crate) struct Presence {
    connections: Arc<Connections>,
    /// `None` for a visitor.
    of: Option<(Scope, Principal)>,
    mailbox: Arc<Mailbox>,
}

impl Connections {
    pub(crate) fn new() -> Arc<Self> {
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::new())).collect();
        Arc::new(Self {
            shards,
            access_keys: Mutex::default(),
            visitors: Mutex::default(),
            hasher: RandomState::new(),
            count: AtomicUsize::new(0),
            is_closing: AtomicBool::new(false),
        })
    }

    /// Enters a connection of `principal` in `scope`, reachable through `mailbox`.
    pub(crate) fn enter(self: &Arc<Self>, scope: Scope, principal: Principal, mailbox: &Arc<Mailbox>) -> Presence {
        if let Some(shard) = self.shard(&principal) {
            shard.lock().entry(principal.clone()).or_default().push((scope, Arc::clone(mailbox)));
        }
        self.present(Some((scope, principal)), mailbox)
    }

    /// Enters a connection that acts in nobody's name, or in another's with each request.
    pub(crate) fn visit(self: &Arc<Self>, mailbox: &Arc<Mailbox>) -> Presence {
        self.visitors.lock().insert(address(mailbox), Arc::clone(mailbox));
        self.present(None, mailbox)
    }

    fn present(self: &Arc<Self>, of: Option<(Scope, Principal)>, mailbox: &Arc<Mailbox>) -> Presence {
        self.count.fetch_add(1, Ordering::Relaxed);
        // Looked at after entering: either this sees the flag, or the walk sees the entry.
        if self.is_closing.load(Ordering::Acquire) {
            mailbox.close(CloseReason::ServerShutdown);
        }
        Presence { connections: Arc::clone(self), of, mailbox: Arc::clone(mailbox) }
    }

    /// How many are connected.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Every principal that is connected, with its scope.
    pub(crate) fn principals(&self) -> Vec<(Scope, Principal)> {
        let mut all = Vec::new();
        for shard in self.shards.iter().chain([&self.access_keys]) {
            all.extend(in_use(&shard.lock()));
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The access keys of `account` that are connected, with their scopes.
    pub(crate) fn access_keys_of(&self, account: AccountId) -> Vec<(Scope, Principal)> {
        let mut all: Vec<_> = in_use(&self.access_keys.lock()).filter(|(scope, _)| scope.account == account).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Ends the connections of `principal` in `scope`, and no others. Answers how many were not at their end already.
    pub(crate) fn cut(&self, scope: Scope, principal: &Principal, refusal: Refusal) -> usize {
        self.each(scope, principal, |mailbox| mailbox.close(CloseReason::Refused(refusal)))
    }

    /// Makes the connections of `principal` in `scope` look up their permissions again before their next operation.
    pub(crate) fn mark_stale(&self, scope: Scope, principal: &Principal) -> usize {
        self.each(scope, principal, |mailbox| {
            mailbox.mark_stale();
            true
        })
    }

    /// Ends every connection, and those that come from here on: the server stops.
    pub(crate) fn close_all(&self) {
        self.is_closing.store(true, Ordering::Release);
        for shard in self.shards.iter().chain([&self.access_keys]) {
            for (_, mailbox) in shard.lock().values().flatten() {
                mailbox.close(CloseReason::ServerShutdown);
            }
        }
        for mailbox in self.visitors.lock().values() {
            mailbox.close(CloseReason::ServerShutdown);
        }
    }

    /// Answers how many `act` said yes for.
    fn each(&self, scope: Scope, principal: &Principal, act: impl Fn(&Mailbox) -> bool) -> usize {
        let Some(shard) = self.shard(principal) else { return 0 };
        let shard = shard.lock();
        let of_scope = shard.get(principal).into_iter().flatten().filter(|(s, _)| *s == scope);
        of_scope.filter(|(_, mailbox)| act(mailbox)).count()
    }

    fn shard(&self, principal: &Principal) -> Option<&Mutex<Shard>> {
        let Principal::Certificate(certificate_id) = principal else { return Some(&self.access_keys) };
        // Hashed with a secret: whoever chooses certificates must not choose shards.
        let shards = u64::try_from(self.shards.len()).ok()?;
        let hash = self.hasher.hash_one(certificate_id).checked_rem(shards)?;
        self.shards.get(usize::try_from(hash).ok()?)
    }
}

fn in_use(shard: &Shard) -> impl Iterator<Item = (Scope, Principal)> {
    shard.iter().flat_map(|(principal, entries)| entries.iter().map(|(scope, _)| (*scope, principal.clone())))
}

/// Differs for all that are alive.
fn address(mailbox: &Arc<Mailbox>) -> usize {
    Arc::as_ptr(mailbox).addr()
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.connections.count.fetch_sub(1, Ordering::Relaxed);
        let Some((scope, principal)) = self.of.take() else {
            self.connections.visitors.lock().remove(&address(&self.mailbox));
            return;
        };
        let Some(shard) = self.connections.shard(&principal) else { return };
        if let Entry::Occupied(mut entry) = shard.lock().entry(principal) {
            let is_mine = |(s, mailbox): &(Scope, Arc<Mailbox>)| *s == scope && Arc::ptr_eq(mailbox, &self.mailbox);
            if let Some(at) = entry.get().iter().position(is_mine) {
                entry.get_mut().swap_remove(at);
            }
            if entry.get().is_empty() {
                entry.remove();
            }
        }
    }
}
