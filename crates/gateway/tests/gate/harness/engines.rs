//! Databases that live as long as a test.

use std::future::Future;

use gatehouse_store::{Store, StoreSettings};

/// Makes a test of each function for each engine.
macro_rules! on_both_engines {
    ($($test:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::harness::on_sqlite(super::$test).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::harness::on_postgres(super::$test).await;
            })*
        }
    };
}
pub(crate) use on_both_engines;

/// A database of its own.
#[derive(Clone)]
pub(crate) struct Db(StoreSettings);

impl Db {
    pub(crate) fn sqlite(dir: &std::path::Path) -> Self {
        Self(StoreSettings::sqlite(dir))
    }

    /// A handle, opened anew: what another process has.
    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.0).await.unwrap()
    }
}

pub(crate) async fn on_sqlite<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Db) -> F) {
    let dir = tempfile::tempdir().unwrap();
    test(Db::sqlite(dir.path())).await;
}

pub(crate) async fn on_postgres<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Db) -> F) {
    let Some(address) = std::env::var_os("GATEHOUSE_TEST_POSTGRES") else {
        eprintln!("SKIPPED on PostgreSQL: GATEHOUSE_TEST_POSTGRES is not set");
        return;
    };
    let address = address.into_string().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let unique = dir.path().file_name().unwrap().to_str().unwrap().to_lowercase();
    let schema = format!("g{}_{}", std::process::id(), unique.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
    let (admin, connection) = tokio_postgres::connect(&address, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    admin.batch_execute(&format!("CREATE SCHEMA {schema}")).await.unwrap();
    let joint = if address.contains('?') { '&' } else { '?' };
    let url = format!("{address}{joint}options=-csearch_path%3D{schema}&application_name={schema}");
    let outcome = tokio::spawn(test(Db(StoreSettings::postgres(url)))).await;
    admin.batch_execute(&format!("DROP SCHEMA {schema} CASCADE")).await.unwrap();
    if let Err(failed) = outcome {
        std::panic::resume_unwind(failed.into_panic());
    }
}
