//! Opening: schemas old and new, two at once, places that cannot be used.

use gatehouse_store::{Error, Store, StoreSettings};

use crate::harness::{Db, certificate, id, on_both_engines, postgres_address, scope};

on_both_engines!(
    what_was_written_is_there_after_reopening,
    a_newer_database_is_refused,
    a_database_with_another_history_is_refused,
    many_open_at_once,
);

async fn what_was_written_is_there_after_reopening(db: Db) {
    db.write(|batch| batch.insert_certificate(&certificate(1), "pem")).await.unwrap();
    let Db { settings, store } = db;
    drop(store);
    for _ in 0..2 {
        let store = Store::open(&settings).await.unwrap();
        assert_eq!(store.certificate_pem(scope(), id(1)).await, Ok(Some("pem".into())));
    }
}

async fn a_newer_database_is_refused(db: Db) {
    db.run("INSERT INTO schema_migrations (version, sql) VALUES (1000, 'from the future')").await;
    let refused = db.reopen().await.err().unwrap();
    assert!(matches!(refused, Error::Newer { found: 1000, .. }), "{refused:?}");
    assert!(refused.to_string().contains("1000"), "{refused}");
}

async fn a_database_with_another_history_is_refused(db: Db) {
    db.run("UPDATE schema_migrations SET sql = 'another' WHERE version = 1").await;
    assert_eq!(db.reopen().await.err(), Some(Error::MigrationChanged { version: 1 }));
}

async fn many_open_at_once(db: Db) {
    // An empty database: all of them find that the schema is missing.
    if db.is_sqlite() {
        let dir = tempfile::tempdir().unwrap();
        open_at_once(&StoreSettings::sqlite(dir.path().join("deep/data"))).await;
    } else {
        db.drop_tables().await;
        open_at_once(&db.settings).await;
    }
}

async fn open_at_once(settings: &StoreSettings) {
    let opening: Vec<_> = (0..6)
        .map(|_| {
            let settings = settings.clone();
            tokio::spawn(async move { Store::open(&settings).await })
        })
        .collect();
    for opened in opening {
        let store = opened.await.unwrap().unwrap();
        assert_eq!(store.last_epoch().await, Ok(0));
    }
}

#[tokio::test]
async fn an_unusable_data_directory_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let refused = Store::open(&StoreSettings::sqlite(file.join("data"))).await.err().unwrap();
    assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
    assert!(refused.to_string().contains(file.to_str().unwrap()), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gatehouse.db");
    std::fs::write(&path, "not a database at all, whatever its name says".repeat(99)).unwrap();
    let refused = Store::open(&StoreSettings::sqlite(dir.path())).await.err().unwrap();
    assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
    assert!(refused.to_string().contains(path.to_str().unwrap()), "{refused}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_this_user_reads_the_database() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let store = Store::open(&StoreSettings::sqlite(&data)).await.unwrap();
    store.last_epoch().await.unwrap();
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    for file in std::fs::read_dir(&data).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[tokio::test]
async fn an_address_that_asks_for_tls_is_refused() {
    let address = "postgres://u@127.0.0.1:1/d?sslmode=require";
    let refused = Store::open(&StoreSettings::postgres(address)).await.err().unwrap();
    assert!(matches!(&refused, Error::Settings(text) if text.contains("sslmode")), "{refused:?}");
    let refused = Store::open(&StoreSettings::postgres("postgres://u@[")).await.err().unwrap();
    assert!(matches!(refused, Error::Settings(_)), "{refused:?}");
}

#[tokio::test]
async fn a_server_across_a_network_needs_consent_to_plain_text() {
    // 192.0.2.0/24 is for documentation (RFC 5737): nobody answers there, and nobody is asked.
    let refused = Store::open(&StoreSettings::postgres("postgres://u:hush@192.0.2.1/d")).await.err().unwrap();
    assert!(matches!(&refused, Error::Settings(text) if text.contains("sslmode=disable")), "{refused:?}");
    assert!(!refused.to_string().contains("hush"), "{refused}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_unavailable() {
    // A port that was free a moment ago, and closed.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = StoreSettings::postgres(format!("postgres://u@127.0.0.1:{port}/d"));
    let refused = Store::open(&settings).await.err().unwrap();
    assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
}

#[tokio::test]
async fn the_postgres_half_runs_or_says_so() {
    if let Some(address) = postgres_address() {
        assert!(Store::open(&StoreSettings::postgres(address + "-which-does-not-exist")).await.is_err());
    }
}
