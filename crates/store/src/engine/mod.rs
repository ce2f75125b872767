//! The narrow waist: a read is SQL text with values, a write is a list of statements with the number of rows each must
//! touch. Everything that differs between SQLite and PostgreSQL is inside this folder.
//!
//! SQL is written once, with placeholders `$1` to `$n`. A commit that loses a race (an unmet expectation, a unique key that
//! exists, a serialisation failure, a deadlock) is [`Error::Conflict`] and leaves nothing behind; a broken connection or
//! disk is [`Error::Unavailable`]; anything else the database refuses is a defect of ours.

mod postgres;
mod postgres_session;
mod sqlite;
mod sqlite_writer;
mod value;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

pub(crate) use value::{Columns, Row, Value, params, storable};

use crate::metrics::Counters;
use crate::{Error, StoreKind, StoreSettings};

/// How many rows a statement must touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Exactly so many; another number is a lost race.
    Exactly(u64),
    /// Whatever is there.
    Any,
}

impl Expect {
    const fn is_met(self, rows: u64) -> bool {
        match self {
            Self::Exactly(expected) => rows == expected,
            Self::Any => true,
        }
    }
}

/// One write.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) sql: Cow<'static, str>,
    pub(crate) params: Vec<Value>,
    pub(crate) expect: Expect,
}

/// What is to be written together. `committed` is called with the epochs of the log entries once all is on the disk,
/// even when whoever asked for the commit no longer waits for the answer.
pub(crate) struct Commit {
    pub(crate) statements: Vec<Statement>,
    pub(crate) log: Vec<Vec<Value>>,
    pub(crate) committed: Box<Committed>,
}

type Committed = dyn FnOnce(&[i64]) + Send;

/// Appends to the change log; answers the epoch.
const LOG_INSERT: &str =
    "INSERT INTO change_log (at, account, region, event, body) VALUES ($1, $2, $3, $4, $5) RETURNING epoch";

/// The engine in use.
pub(crate) enum Engine {
    Sqlite(Arc<sqlite::Sqlite>),
    Postgres(postgres::Postgres),
}

impl Engine {
    /// Opens the database and brings its schema up to date.
    pub(crate) async fn open(settings: &StoreSettings, counters: Arc<Counters>) -> Result<Self, Error> {
        match &settings.kind {
            StoreKind::Sqlite { dir } => {
                let (dir, read_connections) = (dir.clone(), settings.read_connections);
                let open = move || sqlite::Sqlite::open(&dir, read_connections, counters);
                let opened = tokio::task::spawn_blocking(open).await;
                opened.map_err(|why| Error::Unavailable(why.to_string()))?.map(|engine| Self::Sqlite(Arc::new(engine)))
            }
            StoreKind::Postgres { url } => postgres::Postgres::open(url, settings, counters).await.map(Self::Postgres),
        }
    }

    pub(crate) async fn query(&self, sql: &str, params: &[Value]) -> Result<Vec<Row>, Error> {
        match self {
            // A point read takes microseconds and a page a fraction of a millisecond: less than a change of thread.
            Self::Sqlite(engine) => engine.query(sql, params),
            // Boxed: this future is large, and would otherwise be part of everyone's who reads, a waiting device's too.
            Self::Postgres(engine) => Box::pin(engine.query(sql, params)).await,
        }
    }

    /// Reads what may take longer than a page does.
    pub(crate) async fn scan(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>, Error> {
        match self {
            Self::Sqlite(engine) => Arc::clone(engine).scan(sql.to_owned(), params).await,
            Self::Postgres(engine) => Box::pin(engine.query(sql, &params)).await,
        }
    }

    pub(crate) async fn commit(&self, commit: Commit) -> Result<(), Error> {
        match self {
            Self::Sqlite(engine) => engine.commit(commit).await,
            Self::Postgres(engine) => Box::pin(engine.commit(commit)).await,
        }
    }

    pub(crate) async fn close(&self) -> Result<(), Error> {
        match self {
            Self::Sqlite(engine) => engine.close().await,
            Self::Postgres(engine) => {
                engine.close();
                Ok(())
            }
        }
    }

    /// Whether epochs become visible in their own order. One writer at a time: yes. Concurrent transactions: no.
    pub(crate) const fn commits_in_epoch_order(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }
}

/// Makes `dir` with all its parents, for this user's eyes only, unless it exists.
pub(crate) fn make_private_dir(dir: &Path) -> std::io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}
