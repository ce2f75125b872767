//! The server engine: reads are spread over a few connections and pipelined on each; a batch has a connection for itself
//! while it is written, and costs two round trips: everything up to the counts, then COMMIT or ROLLBACK.
//!
//! READ COMMITTED is enough: what a batch relies on stands in the `WHERE` of its statements, which are judged again on
//! the newest row after waiting for a lock. A broken connection at COMMIT leaves the outcome unknown, and is said so.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Config, Statement as Prepared};

use super::postgres_session::{Failure, InPipeline, Session, pipelined, within};
use super::{Commit, LOG_INSERT, Row, Statement, Value};
use crate::metrics::{Counters, count};
use crate::{Error, StoreSettings, migrations};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a batch may wait for a connection.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);
/// After a failed connect, how long further attempts are refused at once; doubles up to the maximum.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);

pub(crate) struct Postgres {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    readers: Vec<Reader>,
    next_reader: AtomicUsize,
    idle_writers: Mutex<Vec<Session>>,
    writers: Semaphore,
    backoff: Mutex<Backoff>,
    counters: Arc<Counters>,
}

/// A place for a connection that many reads share.
type Reader = tokio::sync::Mutex<Option<Arc<Session>>>;

/// Failed connects in a row.
#[derive(Default)]
struct Backoff {
    pause: Duration,
    until: Option<Instant>,
}

impl Postgres {
    pub(crate) async fn open(url: &str, settings: &StoreSettings, counters: Arc<Counters>) -> Result<Self, Error> {
        let mut config = address(url)?;
        config.ssl_mode(SslMode::Disable).connect_timeout(CONNECT_TIMEOUT).tcp_user_timeout(QUEUE_TIMEOUT);
        if config.get_application_name().is_none() {
            config.application_name("gatehouse");
        }
        let shared = Shared {
            config,
            readers: (0..settings.read_connections.max(1)).map(|_| Reader::default()).collect(),
            next_reader: AtomicUsize::new(0),
            idle_writers: Mutex::default(),
            writers: Semaphore::new(settings.write_connections.max(1)),
            backoff: Mutex::default(),
            counters,
        };
        let session = shared.connect().await?;
        migrate(&session).await?;
        shared.idle_writers.lock().push(session);
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Reads; once more, on a new connection, when the connection broke: reading changes nothing.
    pub(crate) async fn query(&self, sql: &str, params: &[Value]) -> Result<Vec<Row>, Error> {
        let shared = &self.shared;
        let turn = shared.next_reader.fetch_add(1, Ordering::Relaxed) % shared.readers.len();
        let reader = shared.readers.get(turn).ok_or_else(|| Error::Unavailable("no connection".into()))?;
        match shared.query_once(reader, sql, params).await {
            Err(failure) if failure.ends_session() => Ok(shared.query_once(reader, sql, params).await?),
            outcome => Ok(outcome?),
        }
    }

    /// Writes, on a task of its own: whoever stops waiting must not leave a transaction open, nor listeners untold.
    pub(crate) async fn commit(&self, commit: Commit) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move { shared.commit(commit).await });
        task.await.map_err(|why| Error::Unavailable(format!("the commit broke off: {why}")))?
    }

    /// Refuses further commits and lets go of the connections that are idle.
    pub(crate) fn close(&self) {
        self.shared.writers.close();
        self.shared.idle_writers.lock().clear();
        for reader in &self.shared.readers {
            if let Ok(mut session) = reader.try_lock() {
                session.take();
            }
        }
    }
}

/// The address, unless it would send passwords and the registry over a network in plain text without saying so: TLS is not
/// built in, and `prefer`, the default of `sslmode`, would quietly do without.
fn address(url: &str) -> Result<Config, Error> {
    let config: Config =
        url.parse().map_err(|why| Error::Settings(format!("the PostgreSQL address cannot be read: {why}")))?;
    let network = match config.get_ssl_mode() {
        SslMode::Disable => None,
        SslMode::Prefer => networked_host(&config),
        _ => {
            return Err(Error::Settings(
                "the PostgreSQL address asks for TLS (sslmode), which is not built in: use a Unix socket or a TLS \
                 tunnel that begins on this machine, and leave sslmode out"
                    .into(),
            ));
        }
    };
    match network {
        None => Ok(config),
        Some(host) => Err(Error::Settings(format!(
            "the PostgreSQL server {host} is not on this machine, and TLS is not built in: use a Unix socket or a TLS \
             tunnel that begins on this machine, or add sslmode=disable to the address if the network may see all of it"
        ))),
    }
}

/// The first host that is reached over a network. Where there is a `hostaddr`, it is what is connected to.
fn networked_host(config: &Config) -> Option<String> {
    let is_local = |address: &IpAddr| address.to_canonical().is_loopback();
    let address = config.get_hostaddrs().iter().find(|address| !is_local(address)).map(IpAddr::to_string);
    address.or_else(|| {
        config.get_hosts().iter().skip(config.get_hostaddrs().len()).find_map(|host| match host {
            Host::Tcp(name) if name.eq_ignore_ascii_case("localhost") => None,
            Host::Tcp(name) if name.parse().is_ok_and(|address| is_local(&address)) => None,
            Host::Tcp(name) => Some(name.clone()),
            #[cfg(unix)]
            Host::Unix(_) => None,
        })
    })
}

impl Shared {
    /// A new connection, unless attempts just failed.
    async fn connect(&self) -> Result<Session, Failure> {
        if self.backoff.lock().until.is_some_and(|until| Instant::now() < until) {
            return Err(Failure::Broken("the server cannot be reached: trying again shortly".into()));
        }
        let outcome = Session::connect(&self.config).await;
        let mut backoff = self.backoff.lock();
        if outcome.is_ok() {
            *backoff = Backoff::default();
            count(&self.counters.connections);
        } else {
            backoff.pause = (backoff.pause * 2).clamp(BACKOFF_MIN, BACKOFF_MAX);
            backoff.until = Some(Instant::now() + backoff.pause);
        }
        outcome
    }

    async fn query_once(&self, reader: &Reader, sql: &str, params: &[Value]) -> Result<Vec<Row>, Failure> {
        let session = {
            let mut session = reader.lock().await;
            match session.as_ref().filter(|session| !session.is_closed()) {
                Some(session) => Arc::clone(session),
                None => Arc::clone(session.insert(Arc::new(self.connect().await?))),
            }
        };
        let outcome = session.query(sql, params).await;
        if outcome.as_ref().is_err_and(Failure::ends_session) {
            // Others may have replaced it already.
            reader.lock().await.take_if(|current| Arc::ptr_eq(current, &session));
        }
        outcome
    }

    async fn commit(&self, commit: Commit) -> Result<(), Error> {
        let waited = tokio::time::timeout(QUEUE_TIMEOUT, self.writers.acquire()).await;
        let _permit = waited
            .map_err(|_| Error::Unavailable("too many commits wait for the database".into()))?
            .map_err(|_| Error::Unavailable("the store is closed".into()))?;
        let Commit { statements, log, committed } = commit;
        let idle = self.idle_writers.lock().pop().filter(|session| !session.is_closed());
        let (mut session, kept) = match idle {
            Some(session) => (session, true),
            None => (self.connect().await?, false),
        };
        let mut written = write(&session, &statements, &log).await;
        if kept && written.as_ref().is_err_and(Failure::ends_session) {
            // It broke while it lay idle, most likely. COMMIT was not sent, so nothing was written.
            session = self.connect().await?;
            written = write(&session, &statements, &log).await;
        }
        let epochs = match written {
            Ok(Some(epochs)) => epochs,
            Ok(None) => return Err(self.roll_back(session, Error::Conflict).await),
            Err(failure) if failure.ends_session() => return Err(failure.into()),
            Err(failure) => return Err(self.roll_back(session, failure.into()).await),
        };
        match session.run("COMMIT").await {
            Ok(()) => {}
            Err(Failure::Broken(why)) => {
                return Err(Error::Unavailable(format!("{why}: whether the change was made is unknown")));
            }
            // The server says that it did not commit.
            Err(failure) => return Err(failure.into()),
        }
        self.idle_writers.lock().push(session);
        count(&self.counters.commits);
        committed(&epochs);
        Ok(())
    }

    /// Ends the transaction and answers `why`. Only a session whose transaction is known to have ended is kept.
    async fn roll_back(&self, session: Session, why: Error) -> Error {
        if session.run("ROLLBACK").await.is_ok() {
            self.idle_writers.lock().push(session);
        }
        why
    }
}

/// Everything of a transaction but its COMMIT. Answers the epochs of its log entries, or `None` when an expectation was not
/// met. The transaction stays open.
async fn write(session: &Session, statements: &[Statement], log: &[Vec<Value>]) -> Result<Option<Vec<i64>>, Failure> {
    let texts = statements.iter().map(|statement| statement.sql.as_ref());
    let mut prepared = Vec::with_capacity(statements.len() + log.len());
    for text in texts.chain(log.iter().map(|_| LOG_INSERT)) {
        prepared.push(session.prepared(text).await?);
    }
    let mut answers = within(pipelined(requests(session, statements, log, &prepared))).await?.into_iter();
    let mut expectations = statements.iter().map(|statement| statement.expect);
    let mut epochs = Vec::with_capacity(log.len());
    // The first refusal tells the reason, be it an error or an unmet expectation.
    let met = answers.try_fold(true, |met, answer| {
        Ok::<_, Failure>(match answer {
            Err(why) if met || why.as_db_error().is_none() => return Err(why.into()),
            Err(_) => met,
            Ok(Answer::Begun) => met,
            Ok(Answer::Touched(rows)) => met && expectations.next().is_some_and(|expect| expect.is_met(rows)),
            Ok(Answer::Logged(epoch)) => {
                epochs.push(epoch);
                met
            }
        })
    })?;
    Ok(met.then_some(epochs))
}

/// What the server says to a request of a batch.
enum Answer {
    Begun,
    Touched(u64),
    Logged(i64),
}

fn requests<'a>(
    session: &'a Session,
    statements: &'a [Statement],
    log: &'a [Vec<Value>],
    prepared: &'a [Prepared],
) -> Vec<InPipeline<'a, Result<Answer, tokio_postgres::Error>>> {
    let mut requests: Vec<InPipeline<'a, _>> =
        vec![Box::pin(async { session.run_unbounded("BEGIN").await.map(|()| Answer::Begun) })];
    let (writes, entries) = prepared.split_at_checked(statements.len()).unwrap_or((prepared, &[]));
    for (statement, prepared) in statements.iter().zip(writes) {
        requests.push(Box::pin(async move {
            session.execute_prepared(prepared, &statement.params).await.map(Answer::Touched)
        }));
    }
    for (entry, prepared) in log.iter().zip(entries) {
        requests.push(Box::pin(async move { session.append_prepared(prepared, entry).await.map(Answer::Logged) }));
    }
    requests
}

/// Applies the missing migrations in one transaction, behind the lock on a table's only row: of nodes that start
/// together, one migrates and the others wait for it.
async fn migrate(session: &Session) -> Result<(), Error> {
    let tables = "CREATE TABLE IF NOT EXISTS schema_lock (id BIGINT PRIMARY KEY CHECK (id = 1));
        CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT PRIMARY KEY, sql TEXT NOT NULL);
        INSERT INTO schema_lock (id) VALUES (1) ON CONFLICT DO NOTHING";
    // Two nodes that make a table at once: the server refuses one with a unique violation in its own catalogue (23505)
    // or a duplicate table, and then the table is there.
    if session.run(tables).await.is_err() {
        session.run(tables).await?;
    }
    session.run("SET statement_timeout = 0; BEGIN").await?;
    session.query("SELECT id FROM schema_lock WHERE id = 1 FOR UPDATE", &[]).await?;
    let applied = session.query("SELECT version, sql FROM schema_migrations ORDER BY version", &[]).await?;
    let applied = applied
        .into_iter()
        .map(|row| {
            let mut columns = row.of("schema_migrations");
            Ok((columns.int("version")?, columns.text("sql")?))
        })
        .collect::<Result<Vec<_>, Error>>()?;
    for migration in migrations::missing(migrations::POSTGRES, &applied)? {
        session.run(migration.sql).await?;
        let insert = session.prepared("INSERT INTO schema_migrations (version, sql) VALUES ($1, $2)").await?;
        let params = [Value::from(migration.version), Value::from(migration.sql)];
        session.execute_prepared(&insert, &params).await.map_err(Failure::from)?;
    }
    session.run("COMMIT; RESET statement_timeout").await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_over_a_network_must_be_asked_for() {
        for (url, refused) in [
            ("postgres://u:secret@127.0.0.1:5432/d", None),
            ("postgres://u:secret@127.9.9.9/d?sslmode=prefer", None),
            ("postgres://u:secret@localhost,LocalHost/d", None),
            ("postgres://u:secret@[::1]/d", None),
            ("postgres://u:secret@%2Fvar%2Frun%2Fpostgresql/d", None),
            ("host=/var/run/postgresql user=u password=secret", None),
            ("postgres://u:secret@db.example.com/d", Some("db.example.com")),
            ("postgres://u:secret@db.example.com/d?sslmode=prefer", Some("db.example.com")),
            ("postgres://u:secret@10.0.0.7/d", Some("10.0.0.7")),
            ("postgres://u:secret@0.0.0.0/d", Some("0.0.0.0")),
            ("postgres://u:secret@[2001:db8::1]/d", Some("2001:db8::1")),
            ("postgres://u:secret@localhost.example.com/d", Some("localhost.example.com")),
            // One of several is enough, and so is where a name is said to lie.
            ("postgres://u:secret@localhost,10.0.0.7/d", Some("10.0.0.7")),
            ("postgres://u:secret@localhost/d?hostaddr=10.0.0.7", Some("10.0.0.7")),
            ("postgres://u:secret@db.example.com/d?hostaddr=127.0.0.1", None),
            ("postgres://u:secret@db.example.com/d?sslmode=disable", None),
            ("postgres://u:secret@localhost/d?sslmode=require", Some("sslmode")),
        ] {
            match (address(url), refused) {
                (Ok(_), None) => {}
                (Err(Error::Settings(text)), Some(named)) => {
                    assert!(text.contains(named) && text.contains("sslmode") && !text.contains("secret"), "{text}");
                }
                (outcome, _) => panic!("{url}: {outcome:?}"),
            }
        }
    }
}
