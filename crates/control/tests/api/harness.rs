//! A house for each test: its own database, the house's clock in the test's hand, and the door served on loopback.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};

use gatehouse_control::access_key::{AccessKeyWish, make};
use gatehouse_control::bulk::{Bulk, report};
use gatehouse_control::call::House;
use gatehouse_control::credentials::roles::{Role, Roles};
use gatehouse_control::door::{Door, Peer};
use gatehouse_control::functions::Functions;
use gatehouse_control::key_pairs::KeyPairs;
use gatehouse_control::page::MarkerKey;
use gatehouse_domain::scope::AccountId;
use gatehouse_domain::time::{Clock, Timestamp};
use gatehouse_pki::authority::{Authority, AuthoritySettings};
use gatehouse_pki::seal::Sealer;
use gatehouse_store::{AccountRecord, Batch, Store, StoreSettings};
use http::Request;
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::client::{Api, Credentials};
use crate::database::Database;
use crate::server_certificates::Folder;

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

/// When every test begins: 2027-01-15T08:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// The account of every test's first key.
pub(crate) const ACCOUNT: &str = "123456789012";
/// The Region that a test speaks to unless it says otherwise; [`OTHER_REGION`] is served as well.
pub(crate) const REGION: &str = "us-east-1";
/// The other Region served.
pub(crate) const OTHER_REGION: &str = "eu-west-1";

/// A role that the configuration knows: its policy is [`LIMITED_POLICY`].
pub(crate) const LIMITED_ROLE: &str = "arn:aws:iam::123456789012:role/limited";
/// Everything but making things whose names begin with `no`, and reading of `allowed/` in one bucket.
const LIMITED_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"iot:*","Resource":"*"},
    {"Effect":"Deny","Action":"iot:CreateThing","Resource":"arn:aws:iot:*:*:thing/no*"},
    {"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::fleet-input/allowed/*"}]}"#;

/// A clock that stands until a test moves it.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) const fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.as_millis()))
    }

    pub(crate) fn advance_ms(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    pub(crate) fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Making RSA keys takes long: all tests share an authority, whose keys are on disk only while it opens.
static KEYS: LazyLock<(Authority, Sealer)> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open(dir.path(), &AuthoritySettings::default(), NOW).unwrap();
    (authority, Sealer::open_or_make(dir.path(), None).unwrap())
});

pub(crate) async fn on_sqlite<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Api) -> F) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreSettings::sqlite(dir.path())).await.unwrap();
    test(open(store, Database::Sqlite(dir.path().join("gatehouse.db"))).await).await;
}

pub(crate) async fn on_postgres<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Api) -> F) {
    let Some(address) = std::env::var_os("GATEHOUSE_TEST_POSTGRES") else {
        eprintln!("SKIPPED on PostgreSQL: GATEHOUSE_TEST_POSTGRES is not set");
        return;
    };
    let address = address.into_string().unwrap();
    let schema = format!("t{}", unique());
    let (admin, connection) = tokio_postgres::connect(&address, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    admin.batch_execute(&format!("CREATE SCHEMA {schema}")).await.unwrap();
    let joint = if address.contains('?') { '&' } else { '?' };
    let url = format!("{address}{joint}options=-csearch_path%3D{schema}");
    let store = Store::open(&StoreSettings::postgres(&url)).await.unwrap();
    let outcome = tokio::spawn(test(open(store, Database::Postgres(url)).await)).await;
    admin.batch_execute(&format!("DROP SCHEMA {schema} CASCADE")).await.unwrap();
    if let Err(failed) = outcome {
        std::panic::resume_unwind(failed.into_panic());
    }
}

/// A number that no other test of this machine uses.
fn unique() -> String {
    let dir = tempfile::tempdir().unwrap();
    let name = dir.path().file_name().unwrap().to_str().unwrap().to_lowercase();
    format!("{}_{}", std::process::id(), name.replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
}

/// A running house.
pub(crate) struct Running {
    /// The database behind the house's store.
    pub(crate) database: Database,
    /// The files behind the house's server certificates.
    pub(crate) server_certificates: Folder,
    pub(crate) house: Arc<House>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) address: SocketAddr,
    /// The same door, as if behind TLS.
    pub(crate) secure_address: SocketAddr,
    listeners: [AbortHandle; 2],
}

impl Drop for Running {
    fn drop(&mut self) {
        self.listeners.iter().for_each(AbortHandle::abort);
    }
}

async fn open(store: Store, database: Database) -> Api {
    let (authority, sealer) = tokio::task::block_in_place(|| LazyLock::force(&KEYS)).clone();
    let clock = Arc::new(TestClock::at(NOW));
    let server_certificates = Folder::new();
    let house = Arc::new(House {
        store,
        authority,
        key_pairs: KeyPairs::new(0),
        sealer,
        markers: MarkerKey::new(&[7; 32]),
        clock: Arc::<TestClock>::clone(&clock),
        server_certificates: Arc::new(server_certificates.open()),
        functions: Arc::new(Functions::new(Arc::<TestClock>::clone(&clock))),
        roles: Roles::from([(LIMITED_ROLE.parse().unwrap(), Role::new(LIMITED_POLICY, None).unwrap())]),
        domain: "iot.test".to_owned(),
        regions: vec![REGION.parse().unwrap(), OTHER_REGION.parse().unwrap()],
        bulk: Bulk::default(),
    });
    let door = Arc::new(Door::new(Arc::clone(&house), &mut Registry::default()));
    let (address, plain) = serve(Arc::clone(&house), Arc::clone(&door), false).await;
    let (secure_address, secure) = serve(Arc::clone(&house), door, true).await;
    let listeners = [plain, secure];
    let running = Running { database, server_certificates, house, clock, address, secure_address, listeners };
    let credentials = running.account(ACCOUNT).await;
    Api::new(running, credentials)
}

async fn serve(house: Arc<House>, door: Arc<Door>, is_secure: bool) -> (SocketAddr, AbortHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            let (house, door) = (Arc::clone(&house), Arc::clone(&door));
            let service = service_fn(move |request: Request<Incoming>| {
                let (house, door) = (Arc::clone(&house), Arc::clone(&door));
                async move {
                    if request.uri().path().starts_with(report::PATH) {
                        return Ok::<_, Infallible>(report::answer(&house, request.uri()).await.map(Either::Right));
                    }
                    Ok(door.handle(request, Peer { ip: peer.ip(), is_secure }).await.map(Either::Left))
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, task.abort_handle())
}

impl Running {
    /// Makes an account with a key that may do everything in it.
    pub(crate) async fn account(&self, account: &str) -> Credentials {
        let account: AccountId = account.parse().unwrap();
        let mut batch = Batch::new();
        batch.insert_account(&AccountRecord { account, created_at: self.clock.now() });
        self.house.store.commit(batch, self.clock.now()).await.unwrap();
        self.access_key(AccessKeyWish { account, policy: None, expires_at: None }).await
    }

    /// Makes an access key.
    pub(crate) async fn access_key(&self, wish: AccessKeyWish) -> Credentials {
        let key = make(&self.house.sealer, wish, self.clock.now()).unwrap();
        let mut batch = Batch::new();
        batch.insert_access_key(&key.record);
        self.house.store.commit(batch, self.clock.now()).await.unwrap();
        Credentials {
            access_key_id: key.record.access_key_id,
            secret: key.secret.to_string(),
            session_token: key.session_token.map(|token| token.to_string()),
        }
    }
}
