//! The embedded engine: one file, read through a pool of read-only connections on the caller's thread, written by one
//! thread that puts all waiting batches into one flushed commit.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::Semaphore;

use super::sqlite_writer::Writer;
use super::{Commit, Row, Value, make_private_dir};
use crate::metrics::Counters;
use crate::{Error, migrations};

/// The database's file in the data directory.
const FILE: &str = "gatehouse.db";
/// How long to wait while another process (a command beside the server) writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages in the write-ahead log before it is folded into the database: 64 MB.
const CHECKPOINT_PAGES: i64 = 16_000;
/// Page caches, in KiB.
const WRITER_CACHE_KIB: i64 = 64 * 1024;
const READER_CACHE_KIB: i64 = 16 * 1024;
/// Long reads at once. They have time, and leave the processors to the others.
const SCANS_AT_ONCE: usize = 2;
/// Prepared statements kept per connection.
const STATEMENTS_KEPT: usize = 128;

pub(crate) struct Sqlite {
    path: PathBuf,
    idle_readers: Mutex<Vec<Connection>>,
    readers_kept: usize,
    scans: Arc<Semaphore>,
    writer: Writer,
}

impl Sqlite {
    /// Opens the database in `dir`; makes both when missing.
    pub(crate) fn open(dir: &Path, readers_kept: usize, counters: Arc<Counters>) -> Result<Self, Error> {
        let unusable = |why: &dyn std::fmt::Display| {
            let dir = dir.display();
            Error::Unavailable(format!("{dir} cannot be used: {why}: make it a directory that this user may write"))
        };
        make_private_dir(dir).map_err(|why| unusable(&why))?;
        let path = dir.join(FILE);
        // The database holds sealed secrets, so only this user may read it. SQLite gives its side files the same mode.
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path).map_err(|why| unusable(&why))?;
        let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_CACHE_KIB)
            .and_then(|connection| prepare_writer(&connection).map(|()| connection))
            .map_err(|why| failure(&path, &why))?;
        migrate(&mut connection, &path)?;
        let writer = Writer::start(connection, path.clone(), Arc::clone(&counters))?;
        let scans = Arc::new(Semaphore::new(SCANS_AT_ONCE));
        Ok(Self { path, idle_readers: Mutex::new(Vec::new()), readers_kept, scans, writer })
    }

    /// Reads on the calling thread.
    pub(crate) fn query(&self, sql: &str, params: &[Value]) -> Result<Vec<Row>, Error> {
        let idle = self.idle_readers.lock().pop();
        let answer = match idle {
            Some(connection) => Ok(connection),
            None => connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_CACHE_KIB),
        }
        .and_then(|connection| rows(&connection, sql, params).map(|rows| (connection, rows)));
        let (connection, rows) = answer.map_err(|why| failure(&self.path, &why))?;
        let mut idle = self.idle_readers.lock();
        if idle.len() < self.readers_kept {
            idle.push(connection);
        }
        Ok(rows)
    }

    /// Reads on a thread of its own, few at a time.
    pub(crate) async fn scan(self: Arc<Self>, sql: String, params: Vec<Value>) -> Result<Vec<Row>, Error> {
        let turn = Arc::clone(&self.scans).acquire_owned().await;
        let turn = turn.map_err(|_| Error::Unavailable("the store is closed".into()))?;
        let scan = move || {
            // Held until the read is done, even when nobody waits for its answer any more.
            let _turn = turn;
            self.query(&sql, &params)
        };
        tokio::task::spawn_blocking(scan).await.map_err(|why| Error::Unavailable(why.to_string()))?
    }

    pub(crate) async fn commit(&self, commit: Commit) -> Result<(), Error> {
        self.writer.commit(commit).await
    }

    pub(crate) async fn close(&self) -> Result<(), Error> {
        // Readers first: the last connection to close folds the log into the database and removes it.
        self.idle_readers.lock().clear();
        self.writer.close().await
    }
}

fn connect(path: &Path, mode: OpenFlags, cache_kib: i64) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // Plans do not depend on the values bound. Otherwise the planner looks at them, and prepares a kept statement anew
    // each time others are bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    Ok(connection)
}

fn prepare_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    // What a savepoint may have to restore stays in memory.
    connection.pragma_update(None, "temp_store", "memory")?;
    // Every commit is flushed before it is answered.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    // A log that grew behind a long reader is cut back to its usual size.
    connection.pragma_update(None, "journal_size_limit", CHECKPOINT_PAGES * 4096)
}

/// Applies the missing migrations in one transaction; another process that starts at the same time waits.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    let failed = |why: rusqlite::Error| failure(path, &why);
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
    let table = "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, sql TEXT NOT NULL) STRICT";
    transaction.execute_batch(table).map_err(failed)?;
    let applied = rows(&transaction, "SELECT version, sql FROM schema_migrations ORDER BY version", &[])
        .map_err(failed)?
        .into_iter()
        .map(|row| {
            let mut columns = row.of("schema_migrations");
            Ok((columns.int("version")?, columns.text("sql")?))
        })
        .collect::<Result<Vec<_>, Error>>()?;
    for migration in migrations::missing(migrations::SQLITE, &applied)? {
        transaction.execute_batch(migration.sql).map_err(failed)?;
        let insert = "INSERT INTO schema_migrations (version, sql) VALUES ($1, $2)";
        execute(&transaction, insert, &[migration.version.into(), migration.sql.into()]).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// SQLite names the placeholder `$3` "$3" and numbers placeholders by first appearance: values are bound by name.
fn bind(statement: &mut rusqlite::CachedStatement<'_>, params: &[Value]) -> rusqlite::Result<()> {
    for index in 1..=statement.parameter_count() {
        let number = statement.parameter_name(index).and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok());
        let value = number.and_then(|number| params.get(number.checked_sub(1)?));
        match value.ok_or(rusqlite::Error::InvalidParameterCount(index, params.len()))? {
            Value::Null => statement.raw_bind_parameter(index, rusqlite::types::Null),
            Value::Int(value) => statement.raw_bind_parameter(index, value),
            Value::Text(value) => statement.raw_bind_parameter(index, value),
            Value::Blob(value) => statement.raw_bind_parameter(index, value),
        }?;
    }
    Ok(())
}

pub(super) fn rows(connection: &Connection, sql: &str, params: &[Value]) -> rusqlite::Result<Vec<Row>> {
    use rusqlite::types::ValueRef;
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, params)?;
    let columns = statement.column_count();
    let mut found = Vec::new();
    let mut answer = statement.raw_query();
    while let Some(row) = answer.next()? {
        let mut values = Vec::with_capacity(columns);
        for column in 0..columns {
            values.push(match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(value) => Value::Int(value),
                ValueRef::Text(value) => match std::str::from_utf8(value) {
                    Ok(text) => Value::Text(text.to_owned()),
                    // Never written by us: bytes, which no text column accepts, so that the column gets named.
                    Err(_) => Value::Blob(value.to_vec()),
                },
                ValueRef::Blob(value) => Value::Blob(value.to_vec()),
                ValueRef::Real(value) => Value::Blob(value.to_be_bytes().to_vec()),
            });
        }
        found.push(Row(values));
    }
    Ok(found)
}

/// Runs a statement that answers no rows; says how many it touched.
pub(super) fn execute(connection: &Connection, sql: &str, params: &[Value]) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, params)?;
    statement.raw_execute().map(|touched| touched as u64)
}

/// What an error of SQLite means to the caller.
pub(super) fn failure(path: &Path, why: &rusqlite::Error) -> Error {
    use rusqlite::ffi;
    let rusqlite::Error::SqliteFailure(code, _) = why else {
        return Error::Refused(why.to_string());
    };
    let unavailable = |advice: &str| Error::Unavailable(format!("{}: {why}: {advice}", path.display()));
    match code.code {
        ErrorCode::ConstraintViolation
            if matches!(
                code.extended_code,
                ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID
            ) =>
        {
            Error::Conflict
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            unavailable("another process writes for too long: end it and try again")
        }
        ErrorCode::DiskFull => unavailable("free some space on this disk"),
        ErrorCode::SystemIoFailure => unavailable("check the disk"),
        ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
            unavailable("make the file and its directory writable for this user")
        }
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            unavailable("the file is damaged or no database: restore it from a backup")
        }
        ErrorCode::OutOfMemory => unavailable("out of memory"),
        _ => Error::Refused(why.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::engine::params;

    #[test]
    fn a_kept_statement_is_not_prepared_again_for_other_values() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let mut connection = connect(&path, OpenFlags::default(), WRITER_CACHE_KIB).unwrap();
        migrate(&mut connection, &path).unwrap();
        // What admission asks at each connection.
        for sql in [
            "SELECT status FROM certificates WHERE certificate_id = $1 AND account = $2 AND region = $3",
            "SELECT policy_name FROM policy_attachments WHERE certificate_id = $1 AND account = $2 AND region = $3 \
             ORDER BY policy_name",
        ] {
            for id in [vec![1; 32], vec![2; 32], vec![3; 32]] {
                rows(&connection, sql, &params![id, "000000000000", "us-east-1"]).unwrap();
            }
            let statement = connection.prepare_cached(sql).unwrap();
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{sql}");
            assert_eq!(statement.get_status(StatementStatus::Run), 3, "{sql}");
        }
    }
}
