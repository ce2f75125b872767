//! The database behind a house, past its store: to see that nothing was left behind, and to break it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::Connection;

use crate::client::{Api, Ask};

/// Where the database is.
pub(crate) enum Database {
    /// The file.
    Sqlite(PathBuf),
    /// The address, which names a schema of the test's own.
    Postgres(String),
}

/// Each table with its rows as text.
type Contents = BTreeMap<String, Vec<String>>;

/// What is written before it is known whether the certificate will be registered.
const WRITTEN_BEFORE: &str = "issuances";

impl Database {
    /// Runs SQL, as an administrator would.
    pub(crate) async fn run(&self, sql: &str) {
        match self {
            Self::Sqlite(file) => Connection::open(file).unwrap().execute_batch(sql).unwrap(),
            Self::Postgres(url) => connect(url).await.batch_execute(sql).await.unwrap(),
        }
    }

    /// A connection to PostgreSQL.
    pub(crate) async fn client(&self) -> tokio_postgres::Client {
        match self {
            Self::Postgres(url) => connect(url).await,
            Self::Sqlite(file) => panic!("{} is no server", file.display()),
        }
    }

    /// Every row of every table, but the records of what was to be signed.
    pub(crate) async fn contents(&self) -> Contents {
        let mut contents = match self {
            Self::Sqlite(file) => of_sqlite(&Connection::open(file).unwrap()).unwrap(),
            Self::Postgres(url) => of_postgres(&connect(url).await).await.unwrap(),
        };
        assert!(contents.remove(WRITTEN_BEFORE).is_some() && contents.contains_key("things"));
        contents.values_mut().for_each(|rows| rows.sort_unstable());
        contents
    }
}

fn of_sqlite(connection: &Connection) -> rusqlite::Result<Contents> {
    let mut names =
        connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut contents = Contents::new();
    for name in names {
        let mut statement = connection.prepare(&format!("SELECT * FROM {name}"))?;
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values = (0..columns).map(|column| row.get_ref(column).map(|value| format!("{value:?}")));
            Ok(values.collect::<Result<Vec<_>, _>>()?.join(" "))
        })?;
        contents.insert(name, rows.collect::<Result<_, _>>()?);
    }
    Ok(contents)
}

async fn of_postgres(client: &tokio_postgres::Client) -> Result<Contents, tokio_postgres::Error> {
    let names = client.query("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()", &[]).await?;
    let mut contents: Contents = names.iter().map(|row| (row.get(0), Vec::new())).collect();
    let selects: Vec<String> = contents.keys().map(|name| format!("SELECT '{name}', t::text FROM {name} t")).collect();
    for row in client.query(&selects.join(" UNION ALL "), &[]).await? {
        contents.entry(row.get(0)).or_default().push(row.get(1));
    }
    Ok(contents)
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Sends what must be refused, and shows that nothing of it is left behind. Answers the message.
pub(crate) async fn refused_without_trace(api: &Api, ask: Ask, status: u16, error: &str) -> String {
    let database = &api.running().database;
    let before = database.contents().await;
    let body = ask.refused(status, error).await;
    assert_eq!(database.contents().await, before, "left behind by {body}");
    body["message"].as_str().unwrap().to_owned()
}
