//! The order in which a scope's changes reach the disk: one line, in which the changes that wait while others are
//! written go together into the next commit. What was entered first is on the disk first, or at the same moment.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gatehouse_domain::session::MessageKey;
use gatehouse_domain::time::Clock;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::persistence::{Persistence, Unavailable, Write};

/// Changes in one commit at most.
const WRITES_AT_ONCE: usize = 256;
/// Attempts at a commit that lost a race.
const ATTEMPTS: usize = 3;
/// Between attempts at changes that nobody waits for, while the store does not answer.
const PAUSE: Duration = Duration::from_millis(250);
/// Changes that nobody waits for, kept while the store does not answer. What is lost beyond is found out by the next
/// start: messages come twice, sessions live longer.
const UNCLAIMED_MAX: usize = 100_000;

/// Hears what became of an entry.
pub type Done = Box<dyn FnOnce(Result<(), Unavailable>) + Send>;

/// Where somebody waits for what becomes of an entry.
pub(crate) type Receipt = oneshot::Receiver<Result<(), Unavailable>>;

/// An entry's `done`, and where to wait for it.
pub(crate) fn receipt() -> (Done, Receipt) {
    let (answer, receipt) = oneshot::channel();
    let done = move |outcome| {
        let _nobody_waits = answer.send(outcome);
    };
    (Box::new(done), receipt)
}

struct Entry {
    writes: Vec<Write>,
    done: Option<Done>,
}

#[derive(Default)]
struct Line {
    entries: VecDeque<Entry>,
    is_moving: bool,
}

/// The journal of one scope.
pub(crate) struct Journal {
    persistence: Arc<dyn Persistence>,
    clock: Arc<dyn Clock>,
    keys: Arc<Keys>,
    line: Mutex<Line>,
}

/// Hands out the keys of messages.
pub(crate) struct Keys {
    clock: Arc<dyn Clock>,
    last: AtomicU64,
    /// Tells the keys of this process from those of others.
    process: u64,
}

impl Keys {
    /// Keys above `last`.
    pub(crate) fn new(clock: Arc<dyn Clock>, last: u64, process: u64) -> Self {
        Self { clock, last: AtomicU64::new(last), process }
    }

    pub(crate) fn next(&self) -> MessageKey {
        // Of the time, so that a process that comes later has later keys; and one more than the last in any case.
        let of_time = u64::try_from(self.clock.now().as_millis()).unwrap_or(0) << 20;
        let next = |last: u64| last.saturating_add(1).max(of_time);
        let before = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        MessageKey::new(next(before.unwrap_or_default()), self.process)
    }
}

impl Journal {
    pub(crate) fn new(persistence: Arc<dyn Persistence>, clock: Arc<dyn Clock>, keys: Arc<Keys>) -> Arc<Self> {
        Arc::new(Self { persistence, clock, keys, line: Mutex::default() })
    }

    /// Enters changes that nobody waits for: they are tried again while the store does not answer.
    pub(crate) fn note(self: &Arc<Self>, writes: Vec<Write>) {
        self.enter(Entry { writes, done: None });
    }

    /// Enters changes; `done` hears what became of them. Without changes it hears when all that was entered before is
    /// settled.
    pub(crate) fn submit(self: &Arc<Self>, writes: Vec<Write>, done: Done) {
        self.enter(Entry { writes, done: Some(done) });
    }

    /// As [`submit`](Self::submit), with keys that are in the order of the entries: whoever reads a queue behind a key
    /// misses nothing that is written later.
    pub(crate) fn submit_keyed(self: &Arc<Self>, writes: impl FnOnce(&Keys) -> Vec<Write>, done: Done) {
        let mut line = self.line.lock();
        let writes = writes(&self.keys);
        self.enter_locked(&mut line, Entry { writes, done: Some(done) });
    }

    /// Writes, and waits until it is done.
    pub(crate) async fn write(self: &Arc<Self>, writes: Vec<Write>) -> Result<(), Unavailable> {
        self.entered(writes).await.unwrap_or(Err(Unavailable::Store))
    }

    /// Enters changes; answers where it will be told what became of them.
    pub(crate) fn entered(self: &Arc<Self>, writes: Vec<Write>) -> Receipt {
        let (done, receipt) = receipt();
        self.submit(writes, done);
        receipt
    }

    /// As [`write`](Self::write), with keys as in [`submit_keyed`](Self::submit_keyed).
    pub(crate) async fn write_keyed(
        self: &Arc<Self>,
        writes: impl FnOnce(&Keys) -> Vec<Write>,
    ) -> Result<(), Unavailable> {
        let (done, receipt) = receipt();
        self.submit_keyed(writes, done);
        receipt.await.unwrap_or(Err(Unavailable::Store))
    }

    /// Waits until everything entered so far is settled.
    ///
    /// # Errors
    /// [`Unavailable`] when some of it may not be on the disk.
    pub(crate) async fn settled(self: &Arc<Self>) -> Result<(), Unavailable> {
        if self.is_idle() { Ok(()) } else { self.write(Vec::new()).await }
    }

    /// Whether nothing waits or is being written.
    pub(crate) fn is_idle(&self) -> bool {
        let line = self.line.lock();
        !line.is_moving && line.entries.is_empty()
    }

    fn enter(self: &Arc<Self>, entry: Entry) {
        self.enter_locked(&mut self.line.lock(), entry);
    }

    fn enter_locked(self: &Arc<Self>, line: &mut Line, entry: Entry) {
        line.entries.push_back(entry);
        if !line.is_moving {
            line.is_moving = true;
            tokio::spawn(Arc::clone(self).run());
        }
    }

    async fn run(self: Arc<Self>) {
        while let Some(group) = self.next_group() {
            let unclaimed = self.commit_group(group).await;
            if !unclaimed.is_empty() {
                self.put_back(unclaimed);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    fn next_group(&self) -> Option<Vec<Entry>> {
        let mut line = self.line.lock();
        let mut group = Vec::new();
        let mut writes = 0;
        while let Some(entry) = line.entries.pop_front() {
            writes += entry.writes.len();
            group.push(entry);
            if writes >= WRITES_AT_ONCE {
                break;
            }
        }
        line.is_moving = !group.is_empty();
        if group.is_empty() {
            line.entries = VecDeque::new();
            return None;
        }
        Some(group)
    }

    /// Writes a group, entry by entry when it does not go together. Answers what nobody waits for and was not written.
    async fn commit_group(&self, group: Vec<Entry>) -> Vec<Entry> {
        let writes: Vec<Write> = group.iter().flat_map(|entry| entry.writes.iter().cloned()).collect();
        let together = self.commit(&writes).await;
        let mut unclaimed = Vec::new();
        for entry in group {
            let outcome = match together {
                Ok(()) => Ok(()),
                // Alone, it may go: another one of the group may be to blame.
                Err(_) if entry.writes.is_empty() => Err(Unavailable::Store),
                Err(_) => self.commit(&entry.writes).await,
            };
            match (outcome, entry.done) {
                (outcome, Some(done)) => done(outcome),
                (Err(Unavailable::Store), None) => unclaimed.push(Entry { writes: entry.writes, done: None }),
                (Err(error @ (Unavailable::RetainedLimit | Unavailable::Throttled)), None) => {
                    tracing::warn!(%error, "a message is not retained")
                }
                (Ok(()), None) => {}
            }
        }
        unclaimed
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), Unavailable> {
        if writes.is_empty() {
            return Ok(());
        }
        let mut outcome = Ok(());
        for _ in 0..ATTEMPTS {
            outcome = self.persistence.commit(writes.to_vec(), self.clock.now()).await;
            if outcome != Err(Unavailable::Store) {
                break;
            }
        }
        outcome
    }

    fn put_back(&self, unclaimed: Vec<Entry>) {
        let mut line = self.line.lock();
        if line.entries.len() + unclaimed.len() > UNCLAIMED_MAX {
            tracing::error!(lost = unclaimed.len(), "the store does not answer: changes of sessions are not written");
            return;
        }
        for entry in unclaimed.into_iter().rev() {
            line.entries.push_front(entry);
        }
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("waiting", &self.line.lock().entries.len()).finish_non_exhaustive()
    }
}
