//! The one writer of the embedded engine. While one commit is flushed, batches gather; the next commit takes them all,
//! each behind a savepoint of its own, so that one that loses a race takes nothing with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::sqlite::{execute, failure, rows};
use super::{Commit, LOG_INSERT};
use crate::Error;
use crate::metrics::{Counters, count};

/// Batches in one commit at most: bounds how long the first of them waits.
const GROUP_BATCHES: usize = 256;
/// Batches waiting at most; more wait for their turn to queue.
const QUEUE_BATCHES: usize = 1024;

type Answer = oneshot::Sender<Result<(), Error>>;

struct Job {
    commit: Commit,
    answer: Answer,
}

pub(super) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<Result<(), Error>>>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, path: PathBuf, counters: Arc<Counters>) -> Result<Self, Error> {
        let (queue, jobs) = mpsc::channel(QUEUE_BATCHES);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || work(connection, &path, jobs, &counters))
            .map_err(|why| Error::Unavailable(format!("the writer cannot be started: {why}")))?;
        Ok(Self { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)) })
    }

    pub(super) async fn commit(&self, commit: Commit) -> Result<(), Error> {
        let closed = || Error::Unavailable("the store is closed".into());
        let queue = self.queue.lock().clone().ok_or_else(closed)?;
        let (answer, answered) = oneshot::channel();
        queue.send(Job { commit, answer }).await.map_err(|_| closed())?;
        drop(queue);
        answered.await.map_err(|_| closed())?
    }

    /// Lets the writer finish its queue and end.
    pub(super) async fn close(&self) -> Result<(), Error> {
        drop(self.queue.lock().take());
        let thread = self.thread.lock().take();
        let Some(thread) = thread else { return Ok(()) };
        let ended = tokio::task::spawn_blocking(move || thread.join()).await;
        match ended {
            Ok(Ok(outcome)) => outcome,
            _ => Err(Error::Unavailable("the writer broke off".into())),
        }
    }
}

fn work(connection: Connection, path: &Path, mut jobs: mpsc::Receiver<Job>, counters: &Counters) -> Result<(), Error> {
    while let Some(first) = jobs.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP_BATCHES
            && let Ok(job) = jobs.try_recv()
        {
            group.push(job);
        }
        commit_group(&connection, path, group, counters);
    }
    // Leaves a database without a log behind. A reader that is still there prevents it; that does no harm.
    rows(&connection, "PRAGMA wal_checkpoint(TRUNCATE)", &[]).map_err(|why| failure(path, &why))?;
    Ok(())
}

/// Writes a group in one transaction and answers everyone in it.
fn commit_group(connection: &Connection, path: &Path, group: Vec<Job>, counters: &Counters) {
    let mut outcomes = Vec::with_capacity(group.len());
    let committed = write_group(connection, path, &group, &mut outcomes);
    match &committed {
        Ok(()) if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Written(_))) => count(&counters.commits),
        Ok(()) => {}
        Err(why) => {
            // Nothing of the group may stay half done, whatever broke.
            if !connection.is_autocommit()
                && let Err(why) = connection.execute_batch("ROLLBACK")
            {
                tracing::error!(error = %why, "the transaction cannot be rolled back");
            }
            tracing::error!(error = %why, batches = group.len(), "a commit failed");
        }
    }
    for (index, Job { commit, answer }) in group.into_iter().enumerate() {
        let outcome = match (&committed, outcomes.get_mut(index).map(std::mem::take)) {
            (Ok(()), Some(Outcome::Written(epochs))) => {
                (commit.committed)(&epochs);
                Ok(())
            }
            (_, Some(Outcome::Failed(why))) => Err(why),
            (Err(why), _) => Err(why.clone()),
            (Ok(()), None | Some(Outcome::Unknown)) => Err(Error::Unavailable("the writer lost a batch".into())),
        };
        // Whoever asked may have gone.
        let _ = answer.send(outcome);
    }
}

/// What became of a batch inside its group.
#[derive(Default)]
enum Outcome {
    #[default]
    Unknown,
    Written(Vec<i64>),
    Failed(Error),
}

fn write_group(connection: &Connection, path: &Path, group: &[Job], outcomes: &mut Vec<Outcome>) -> Result<(), Error> {
    let run = |sql: &str| execute(connection, sql, &[]).map_err(|why| failure(path, &why));
    run("BEGIN IMMEDIATE")?;
    for job in group {
        run("SAVEPOINT batch")?;
        match write_batch(connection, path, &job.commit) {
            Ok(epochs) => outcomes.push(Outcome::Written(epochs)),
            // A full disk, for one, makes SQLite roll everything back by itself.
            Err(why) if connection.is_autocommit() => return Err(why),
            Err(why) => {
                run("ROLLBACK TO batch")?;
                outcomes.push(Outcome::Failed(why));
            }
        }
        run("RELEASE batch")?;
    }
    run("COMMIT")?;
    Ok(())
}

fn write_batch(connection: &Connection, path: &Path, commit: &Commit) -> Result<Vec<i64>, Error> {
    for statement in &commit.statements {
        let touched = execute(connection, &statement.sql, &statement.params).map_err(|why| failure(path, &why))?;
        if !statement.expect.is_met(touched) {
            return Err(Error::Conflict);
        }
    }
    let mut epochs = Vec::with_capacity(commit.log.len());
    for entry in &commit.log {
        for row in rows(connection, LOG_INSERT, entry).map_err(|why| failure(path, &why))? {
            epochs.push(row.of("change_log").int("epoch")?);
        }
    }
    Ok(epochs)
}
