//! The handle: opening, reading, committing, closing.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use gatehouse_domain::event::Event;
use gatehouse_domain::time::Timestamp;
use parking_lot::RwLock;

use crate::engine::{Commit, Engine, Row, Value};
use crate::metrics::{Counters, count};
use crate::{Batch, Error, LoggedEvent, Metrics, StoreSettings, outbox};

/// Is told what was committed. Runs where the commit runs, so it must be quick and must not block.
pub type CommitListener = dyn Fn(&[LoggedEvent]) + Send + Sync;

/// A handle on the open store; clones share it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    listeners: Arc<RwLock<Vec<Arc<CommitListener>>>>,
    counters: Arc<Counters>,
}

impl Store {
    /// Opens the database, makes what is missing and brings its schema up to date.
    ///
    /// # Errors
    /// [`Error::Settings`], [`Error::Unavailable`], [`Error::Newer`] or [`Error::MigrationChanged`].
    pub async fn open(settings: &StoreSettings) -> Result<Self, Error> {
        let counters = Arc::new(Counters::default());
        let engine = Engine::open(settings, Arc::clone(&counters)).await?;
        Ok(Self { inner: Arc::new(Inner { engine, listeners: Arc::default(), counters }) })
    }

    /// Calls `listener` with the events of every batch committed through this store from now on, after they are on the
    /// disk and before `commit` answers.
    pub fn on_commit(&self, listener: Arc<CommitListener>) {
        self.inner.listeners.write().push(listener);
    }

    /// Writes the batch: all of it, or nothing.
    ///
    /// A caller that stops waiting does not stop a commit that has begun.
    ///
    /// # Errors
    /// [`Error::Conflict`] when an expectation was not met; [`Error::Unavailable`] when the disk or the server failed.
    pub async fn commit(&self, batch: Batch, now: Timestamp) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        let Batch { statements, events } = batch;
        let log = events.iter().map(|event| outbox::row(event, now)).collect::<Result<_, _>>()?;
        let listeners = Arc::clone(&self.inner.listeners);
        let committed = Box::new(move |epochs: &[i64]| tell(&listeners, epochs, events, now));
        let outcome = self.inner.engine.commit(Commit { statements, log, committed }).await;
        let counters = &self.inner.counters;
        count(match outcome {
            Ok(()) => &counters.batches,
            Err(Error::Conflict) => &counters.conflicts,
            Err(_) => &counters.failures,
        });
        outcome
    }

    /// Finishes the commits under way, folds the write-ahead log into the database and lets go of it. Later commits are
    /// refused.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the disk failed; what was committed is safe nevertheless.
    pub async fn close(&self) -> Result<(), Error> {
        self.inner.engine.close().await
    }

    /// The counts since opening.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.inner.counters.snapshot()
    }

    pub(crate) async fn rows(&self, sql: &str, params: &[Value]) -> Result<Vec<Row>, Error> {
        count(&self.inner.counters.reads);
        let outcome = self.inner.engine.query(sql, params).await;
        if outcome.is_err() {
            count(&self.inner.counters.failures);
        }
        outcome
    }

    /// All rows of a query that may look at much more than it answers: such a read keeps no other task from running.
    pub(crate) async fn scan(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>, Error> {
        count(&self.inner.counters.reads);
        let outcome = self.inner.engine.scan(sql, params).await;
        if outcome.is_err() {
            count(&self.inner.counters.failures);
        }
        outcome
    }

    /// The row of a query that finds one at most.
    pub(crate) async fn row(&self, sql: &str, params: &[Value]) -> Result<Option<Row>, Error> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }

    /// All rows, each read by `read`.
    pub(crate) async fn list<T>(
        &self,
        sql: &str,
        params: &[Value],
        read: impl Fn(Row) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        self.rows(sql, params).await?.into_iter().map(read).collect()
    }

    pub(crate) fn commits_in_epoch_order(&self) -> bool {
        self.inner.engine.commits_in_epoch_order()
    }
}

/// Tells the listeners. One that panics does not take the writer down, nor the others.
fn tell(listeners: &RwLock<Vec<Arc<CommitListener>>>, epochs: &[i64], events: Vec<Event>, at: Timestamp) {
    if events.is_empty() {
        return;
    }
    let logged: Vec<LoggedEvent> =
        epochs.iter().zip(events).map(|(epoch, event)| LoggedEvent { epoch: *epoch, at, event }).collect();
    let listeners: Vec<Arc<CommitListener>> = listeners.read().clone();
    for listener in listeners {
        if std::panic::catch_unwind(AssertUnwindSafe(|| listener(&logged))).is_err() {
            tracing::error!("a commit listener panicked: it will catch up from the change log");
        }
    }
}
