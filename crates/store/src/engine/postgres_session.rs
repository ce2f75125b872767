//! One connection to a PostgreSQL server with its prepared statements, and what the server's errors mean.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, NoTls};

use super::{Row, Value};
use crate::Error;

/// How long the server may work on one statement.
const STATEMENT_TIMEOUT_MS: u32 = 5_000;
/// How long we wait for any answer: behind it lies a server or a network that is gone.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);
/// A commit that was answered is on the disk, whatever the defaults of the server, the database or the role. Stronger than
/// `on` is only `remote_apply` (PostgreSQL's manual, "Write Ahead Log"); one who chose it keeps it.
const FLUSH_BEFORE_ANSWER: &str = "SELECT set_config('synchronous_commit', 'on', false) \
     WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')";
/// Prepared statements kept per connection. Their texts are ours, so their number is small; this is the bound all the same.
const STATEMENTS_KEPT: usize = 512;

/// An open connection.
pub(super) struct Session {
    client: Client,
    statements: Mutex<HashMap<String, tokio_postgres::Statement>>,
    driver: AbortHandle,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What went wrong on a connection.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server, or the client library in its place, refused the request.
    Refused(tokio_postgres::Error),
    /// The connection broke or nobody answered; the connection is of no more use.
    Broken(String),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(why: tokio_postgres::Error) -> Self {
        let io = std::error::Error::source(&why).is_some_and(|cause| cause.is::<std::io::Error>());
        if why.is_closed() || io { Self::Broken(text(&why)) } else { Self::Refused(why) }
    }
}

impl Failure {
    /// Whether the connection is of no more use: it broke, or the server is going away or may not write.
    pub(super) fn ends_session(&self) -> bool {
        match self {
            Self::Broken(_) => true,
            Self::Refused(why) => why.code().is_some_and(|code| {
                code.code().starts_with("57P")
                    || code.code().starts_with("08")
                    || *code == SqlState::READ_ONLY_SQL_TRANSACTION
            }),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let why = match failure {
            Failure::Broken(why) => return Self::Unavailable(why),
            Failure::Refused(why) => why,
        };
        let code = why.code().map_or("", SqlState::code);
        match code {
            // serialization_failure, deadlock_detected, unique_violation
            "40001" | "40P01" | "23505" => Self::Conflict,
            // Connections, resources, disk, operator's or time's intervention, a standby server.
            _ if ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class)) => Self::Unavailable(text(&why)),
            "55P03" | "25006" | "25P03" | "40003" => Self::Unavailable(text(&why)),
            _ => Self::Refused(text(&why)),
        }
    }
}

/// The error with its cause: alone it only says where it happened.
fn text(why: &tokio_postgres::Error) -> String {
    match std::error::Error::source(why) {
        Some(cause) => format!("{why}: {cause}"),
        None => why.to_string(),
    }
}

impl Session {
    pub(super) async fn connect(config: &Config) -> Result<Self, Failure> {
        // Wrong password or missing database: there is no connection, whatever the server's reason.
        let opened = within(config.connect(NoTls)).await?;
        let (client, connection) = opened.map_err(|why| Failure::Broken(text(&why)))?;
        let driver = tokio::spawn(async move {
            if let Err(why) = connection.await {
                tracing::warn!(error = %why, "the connection to the database broke");
            }
        });
        let session = Self { client, statements: Mutex::default(), driver: driver.abort_handle() };
        let limits = format!(
            "SET statement_timeout = {STATEMENT_TIMEOUT_MS}; SET idle_in_transaction_session_timeout = {}; \
             SET default_transaction_isolation = 'read committed'; {FLUSH_BEFORE_ANSWER}",
            2 * STATEMENT_TIMEOUT_MS
        );
        session.run(&limits).await?;
        Ok(session)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs text without parameters.
    pub(super) async fn run(&self, sql: &str) -> Result<(), Failure> {
        Ok(within(self.client.batch_execute(sql)).await??)
    }

    /// The prepared statement for `sql`.
    pub(super) async fn prepared(&self, sql: &str) -> Result<tokio_postgres::Statement, Failure> {
        if let Some(statement) = self.statements.lock().get(sql) {
            return Ok(statement.clone());
        }
        let statement = within(self.client.prepare(sql)).await??;
        let mut kept = self.statements.lock();
        if kept.len() >= STATEMENTS_KEPT {
            kept.clear();
        }
        kept.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(super) async fn query(&self, sql: &str, params: &[Value]) -> Result<Vec<Row>, Failure> {
        let statement = self.prepared(sql).await?;
        let found = within(self.client.query(&statement, &as_sql(params))).await??;
        Ok(found.iter().map(row).collect::<Result<_, _>>()?)
    }

    /// Runs an insert that answers the number of its row.
    pub(super) async fn append_prepared(
        &self,
        statement: &tokio_postgres::Statement,
        params: &[Value],
    ) -> Result<i64, tokio_postgres::Error> {
        self.client.query_one(statement, &as_sql(params)).await?.try_get(0)
    }

    pub(super) async fn execute_prepared(
        &self,
        statement: &tokio_postgres::Statement,
        params: &[Value],
    ) -> Result<u64, tokio_postgres::Error> {
        self.client.execute(statement, &as_sql(params)).await
    }

    /// Text without parameters, sent with the first poll, to be awaited together with others.
    pub(super) async fn run_unbounded(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.client.batch_execute(sql).await
    }
}

/// Waits for an answer, but not for ever.
pub(super) async fn within<T>(answer: impl Future<Output = T>) -> Result<T, Failure> {
    let waited = tokio::time::timeout(ANSWER_TIMEOUT, answer).await;
    waited.map_err(|_| Failure::Broken(format!("no answer within {} seconds", ANSWER_TIMEOUT.as_secs())))
}

/// A future among others in a pipeline.
pub(super) type InPipeline<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Waits for all. They are polled in order the first time, and requests are sent when first polled: so they reach the
/// server in this order, without one waiting for the answer of another.
pub(super) async fn pipelined<T>(mut futures: Vec<InPipeline<'_, T>>) -> Vec<T> {
    let mut answers: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, answer) in futures.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *answer = Some(value);
            }
        }
        if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}

fn as_sql(params: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn row(found: &tokio_postgres::Row) -> Result<Row, tokio_postgres::Error> {
    let values = (0..found.len()).map(|column| Ok(found.try_get::<_, Option<Value>>(column)?.unwrap_or(Value::Null)));
    values.collect::<Result<_, tokio_postgres::Error>>().map(Row)
}

type AnyError = Box<dyn std::error::Error + Sync + Send>;

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, AnyError> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Int(value) if *ty == Type::INT8 => out.put_i64(*value),
            Self::Int(value) if *ty == Type::INT4 => out.put_i32(i32::try_from(*value)?),
            Self::Text(value) if matches!(*ty, Type::TEXT | Type::VARCHAR) => out.put_slice(value.as_bytes()),
            Self::Blob(value) if *ty == Type::BYTEA => out.put_slice(value),
            _ => return Err(format!("a parameter of another kind than {ty}").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, AnyError> {
        match *ty {
            Type::INT8 => i64::from_sql(ty, raw).map(Self::Int),
            Type::INT4 => i32::from_sql(ty, raw).map(|value| Self::Int(i64::from(value))),
            Type::BYTEA => Ok(Self::Blob(raw.to_vec())),
            _ => String::from_sql(ty, raw).map(Self::Text),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::INT4 | Type::BYTEA | Type::TEXT | Type::VARCHAR)
    }
}
