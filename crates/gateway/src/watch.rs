//! Step 6: when something changes. Each commit's events arrive here before the API answers; changes made by other
//! processes arrive through the change log, which is read regularly. What an event makes old is forgotten at once;
//! certificates and access keys that are connected are judged again, and cut when they no longer pass. Registry events that
//! wait are published (`registry_events`).

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use gatehouse_domain::admission::stays;
use gatehouse_domain::event::Event;
use gatehouse_domain::limits;
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::{Clock, Timestamp};
use gatehouse_store::ChangeFollower;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::connections::Connections;
use crate::principal::Principal;
use crate::registry::Registry;
use crate::report::Reporter;

/// Between attempts to judge while the registry cannot be read.
const RETRY: Duration = Duration::from_millis(100);

/// Principals judged at once.
const JUDGED_AT_ONCE: usize = 64;
/// Entries of the change log read at once.
const EVENTS_AT_ONCE: u32 = 1_000;

/// Watches the registry on behalf of the live connections.
pub(crate) struct Watch {
    registry: Arc<Registry>,
    connections: Arc<Connections>,
    clock: Arc<dyn Clock>,
    reporter: Arc<Reporter>,
    /// Connected principals to be judged again. Bounded by what is connected.
    to_judge: Mutex<HashSet<(Scope, Principal)>>,
    judging: Notify,
    /// Told when a message of a registry event was written down.
    messages_written: Arc<Notify>,
    /// When the change log was last read to its end, in epoch milliseconds.
    followed_at: AtomicI64,
}

impl Watch {
    pub(crate) fn new(
        registry: Arc<Registry>,
        connections: Arc<Connections>,
        clock: Arc<dyn Clock>,
        reporter: Arc<Reporter>,
    ) -> Arc<Self> {
        let now = clock.now().as_millis();
        Arc::new(Self {
            registry,
            connections,
            clock,
            reporter,
            to_judge: Mutex::new(HashSet::new()),
            judging: Notify::new(),
            messages_written: Arc::new(Notify::new()),
            followed_at: AtomicI64::new(now),
        })
    }

    /// Is told when a message of a registry event was written down; once, however many there are.
    pub(crate) fn messages_written(&self) -> Arc<Notify> {
        Arc::clone(&self.messages_written)
    }

    /// Takes in a change. Does not wait for anything.
    pub(crate) fn notice(&self, event: &Event) {
        self.registry.forget(event);
        match event {
            Event::Certificate { scope, certificate_id } => {
                self.doubt(*scope, Principal::Certificate(*certificate_id));
            }
            Event::CertificatePolicies { scope, certificate_id }
            | Event::CertificateThings { scope, certificate_id } => {
                self.connections.mark_stale(*scope, &Principal::Certificate(*certificate_id));
            }
            // The event does not say which key.
            Event::AccessKeys { account } => {
                for (scope, principal) in self.connections.access_keys_of(*account) {
                    self.doubt(scope, principal);
                }
            }
            Event::Outbox { .. } => self.messages_written.notify_one(),
            Event::Policy { .. }
            | Event::Thing { .. }
            | Event::ThingGroup { .. }
            | Event::DomainConfiguration { .. }
            | Event::ProvisioningTemplate { .. } => {}
        }
    }

    /// Has a principal judged again. Marked at once, so that nothing is done on old rights until the judge has come round
    /// to it.
    fn doubt(&self, scope: Scope, principal: Principal) {
        if self.connections.mark_stale(scope, &principal) > 0 {
            self.to_judge.lock().insert((scope, principal));
            self.judging.notify_one();
        }
    }

    /// Whether the change log is followed. A node that cannot read it admits nobody new.
    pub(crate) fn is_current(&self) -> bool {
        self.log_lag() <= limits::LOG_SILENCE
    }

    /// The age of the last complete look at the change log.
    pub(crate) fn log_lag(&self) -> Duration {
        let followed_at = Timestamp::from_millis(self.followed_at.load(Ordering::Acquire));
        // A clock that was set back makes the look no older.
        Duration::from_millis(u64::try_from(self.clock.now().millis_since(followed_at)).unwrap_or(0))
    }

    /// Judges connected principals as they are noticed; runs until dropped.
    pub(crate) async fn judge(self: Arc<Self>) {
        loop {
            self.judging.notified().await;
            while let Some(due) = self.due() {
                let mut judged = JoinSet::new();
                for (scope, principal) in due {
                    let watch = Arc::clone(&self);
                    judged.spawn(async move { watch.judge_one(scope, principal).await });
                }
                let mut is_readable = true;
                while let Some(outcome) = judged.join_next().await {
                    is_readable &= outcome.unwrap_or(true);
                }
                if !is_readable {
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// The next principals to be judged, a bounded number: a fresh revocation does not wait behind a long list.
    fn due(&self) -> Option<Vec<(Scope, Principal)>> {
        let mut to_judge = self.to_judge.lock();
        let due: Vec<_> = to_judge.iter().take(JUDGED_AT_ONCE).cloned().collect();
        for judged in &due {
            to_judge.remove(judged);
        }
        (!due.is_empty()).then_some(due)
    }

    /// Judges one principal; answers whether the registry could be read. If not, it is judged again.
    async fn judge_one(&self, scope: Scope, principal: Principal) -> bool {
        let verdict = match &principal {
            Principal::Certificate(id) => self.registry.admission(scope, *id).await.and_then(|record| {
                let registration = record.map(|record| record.registration);
                stays(registration.as_ref(), self.clock.now())
            }),
            Principal::AccessKey(id) => self.registry.access_key(scope, id, self.clock.now()).await.map(drop),
        };
        match verdict {
            Ok(()) => true,
            Err(Refusal::RegistryUnavailable) => {
                self.to_judge.lock().insert((scope, principal));
                false
            }
            Err(refusal) => {
                let cut = self.connections.cut(scope, &principal, refusal);
                self.reporter.cut(scope, &principal, refusal, cut);
                true
            }
        }
    }

    /// Follows the change log, for what other processes change; runs until dropped.
    pub(crate) async fn follow(self: Arc<Self>, mut follower: ChangeFollower) {
        loop {
            let asked_at = self.clock.now();
            match follower.poll(asked_at, EVENTS_AT_ONCE).await {
                Ok(events) => {
                    for logged in &events {
                        self.notice(&logged.event);
                    }
                    if events.len() >= usize::try_from(EVENTS_AT_ONCE).unwrap_or(usize::MAX) {
                        continue;
                    }
                    self.followed_at.store(asked_at.as_millis(), Ordering::Release);
                }
                // The follower goes on behind all that was visible, and that is what is looked at now: a complete look.
                // Otherwise a newer release's entries, arriving at every poll, would keep this node from admitting.
                Err(error @ (gatehouse_store::Error::LogPruned | gatehouse_store::Error::LogUnknown)) => {
                    tracing::warn!(%error, "judging every connection again");
                    self.look_at_everything();
                    self.followed_at.store(asked_at.as_millis(), Ordering::Release);
                }
                Err(error) => tracing::error!(%error, "the change log cannot be read"),
            }
            tokio::time::sleep(limits::LOG_POLL).await;
        }
    }

    fn look_at_everything(&self) {
        self.registry.forget_all();
        self.messages_written.notify_one();
        let connected = self.connections.principals();
        for (scope, principal) in &connected {
            self.connections.mark_stale(*scope, principal);
        }
        self.to_judge.lock().extend(connected);
        self.judging.notify_one();
    }
}
