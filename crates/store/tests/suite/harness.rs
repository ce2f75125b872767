//! Databases that live as long as a test, and records to fill them with.

use std::collections::BTreeMap;
use std::future::Future;

use gatehouse_domain::ca::CaStatus;
use gatehouse_domain::certificate::{CertificateId, CertificateMode, CertificateStatus};
use gatehouse_domain::name::{PolicyName, ThingName};
use gatehouse_domain::scope::Scope;
use gatehouse_domain::thing_type::Properties;
use gatehouse_domain::time::Timestamp;
use gatehouse_store::{
    Batch, BillingGroupRecord, CaCertificateRecord, CertificateRecord, Error, PolicyRecord, Store, StoreKind,
    StoreSettings, ThingGroupRecord, ThingRecord, ThingTypeRecord, TransferRecord,
};

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

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// The tables of the registry.
pub(crate) const TABLES: [&str; 46] = [
    "accounts",
    "access_keys",
    "certificates",
    "certificate_pems",
    "policies",
    "policy_versions",
    "policy_attachments",
    "things",
    "thing_attributes",
    "thing_principals",
    "tags",
    "endpoint_prefixes",
    "settings",
    "issuances",
    "change_log",
    "ca_certificates",
    "ca_certificate_pems",
    "ca_subjects",
    "registration_codes",
    "transfers",
    "refusals",
    "sessions",
    "session_subscriptions",
    "queued_messages",
    "retained_messages",
    "retained_counts",
    "shared_groups",
    "role_aliases",
    "scope_counts",
    "domain_configurations",
    "thing_groups",
    "thing_group_descendants",
    "thing_group_members",
    "thing_group_policies",
    "dead_thing_groups",
    "thing_types",
    "billing_groups",
    "certificate_providers",
    "provisioning_templates",
    "provisioning_template_versions",
    "unclaimed_certificates",
    "provisioning_claims",
    "event_configurations",
    "registry_messages",
    "registration_tasks",
    "registration_task_lines",
];

/// An open store on a database of its own.
#[derive(Clone)]
pub(crate) struct Db {
    pub(crate) settings: StoreSettings,
    pub(crate) store: Store,
}

pub(crate) async fn on_sqlite<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Db) -> F) {
    let dir = tempfile::tempdir().unwrap();
    let settings = StoreSettings::sqlite(dir.path());
    let store = Store::open(&settings).await.unwrap();
    test(Db { settings, store }).await;
}

/// The address of the PostgreSQL server for tests.
pub(crate) fn postgres_address() -> Option<String> {
    let address = std::env::var_os("GATEHOUSE_TEST_POSTGRES").map(|address| address.into_string().unwrap());
    if address.is_none() {
        eprintln!("SKIPPED on PostgreSQL: GATEHOUSE_TEST_POSTGRES is not set");
    }
    address
}

pub(crate) async fn on_postgres<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Db) -> F) {
    let Some(address) = postgres_address() else { return };
    let schema = format!("t{}", unique());
    let admin = raw_postgres(&address).await;
    admin.batch_execute(&format!("CREATE SCHEMA {schema}")).await.unwrap();
    let joint = if address.contains('?') { '&' } else { '?' };
    let settings =
        StoreSettings::postgres(format!("{address}{joint}options=-csearch_path%3D{schema}&application_name={schema}"));
    let store = Store::open(&settings).await.unwrap();
    let outcome = tokio::spawn(test(Db { settings, store })).await;
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

pub(crate) async fn raw_postgres(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

impl Db {
    /// Another handle on the same database, opened anew.
    pub(crate) async fn reopen(&self) -> Result<Store, Error> {
        Store::open(&self.settings).await
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.settings.kind, StoreKind::Sqlite { .. })
    }

    /// Runs SQL past the store, as an administrator would.
    pub(crate) async fn run(&self, sql: &str) {
        match &self.settings.kind {
            StoreKind::Sqlite { dir } => {
                rusqlite::Connection::open(dir.join("gatehouse.db")).unwrap().execute_batch(sql).unwrap();
            }
            StoreKind::Postgres { url } => raw_postgres(url).await.batch_execute(sql).await.unwrap(),
        }
    }

    /// The number that SQL answers with.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        match &self.settings.kind {
            StoreKind::Sqlite { dir } => {
                let connection = rusqlite::Connection::open(dir.join("gatehouse.db")).unwrap();
                connection.query_row(sql, [], |row| row.get(0)).unwrap()
            }
            StoreKind::Postgres { url } => raw_postgres(url).await.query_one(sql, &[]).await.unwrap().get(0),
        }
    }

    /// How many rows all tables of the registry hold together.
    pub(crate) async fn rows(&self) -> i64 {
        let counts: Vec<String> = TABLES.iter().map(|table| format!("(SELECT COUNT(*) FROM {table})")).collect();
        self.number(&format!("SELECT {}", counts.join(" + "))).await
    }

    /// Takes the schema away, as if the database had just been made.
    pub(crate) async fn drop_tables(&self) {
        let tables = TABLES.into_iter().chain(["schema_migrations", "schema_lock"]);
        let drops: Vec<String> = tables.map(|table| format!("DROP TABLE IF EXISTS {table};")).collect();
        self.run(&drops.concat()).await;
    }

    /// Commits what `fill` puts into a batch.
    pub(crate) async fn write(&self, fill: impl FnOnce(&mut Batch)) -> Result<(), Error> {
        let mut batch = Batch::new();
        fill(&mut batch);
        self.store.commit(batch, NOW).await
    }
}

pub(crate) fn scope() -> Scope {
    Scope::new("123456789012".parse().unwrap(), "us-east-1".parse().unwrap())
}

pub(crate) fn other_scope() -> Scope {
    Scope::new("210987654321".parse().unwrap(), "us-east-1".parse().unwrap())
}

pub(crate) fn third_scope() -> Scope {
    Scope::new("333333333333".parse().unwrap(), "us-east-1".parse().unwrap())
}

pub(crate) fn id(number: u32) -> CertificateId {
    let mut bytes = [0xab; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    CertificateId::from_bytes(bytes)
}

pub(crate) fn policy_name(number: u32) -> PolicyName {
    format!("policy-{number:04}").parse().unwrap()
}

pub(crate) fn thing_name(number: u32) -> ThingName {
    format!("thing-{number:04}").parse().unwrap()
}

pub(crate) fn certificate(number: u32) -> CertificateRecord {
    CertificateRecord {
        scope: scope(),
        certificate_id: id(number),
        status: CertificateStatus::Active,
        mode: CertificateMode::SniOnly,
        ca_certificate_id: None,
        previous_owned_by: None,
        generation_id: format!("generation-{number}"),
        customer_version: 1,
        created_at: NOW,
        last_modified_at: NOW,
        not_before: NOW,
        not_after: NOW.plus_millis(1_000_000),
        policy_count: 0,
        thing_count: 0,
    }
}

/// One that may be offered to another account.
pub(crate) fn idle_certificate(number: u32) -> CertificateRecord {
    CertificateRecord { status: CertificateStatus::Inactive, ..certificate(number) }
}

/// Offers the certificate of [`scope`] to [`other_scope`], and reads the offer.
pub(crate) async fn begin_transfer(db: &Db, number: u32) -> (CertificateRecord, TransferRecord) {
    let record = db.store.certificate(scope(), id(number)).await.unwrap().unwrap();
    let (target, message) = (other_scope().account, Some("take it"));
    db.write(|batch| batch.begin_transfer(&record, target, message, "offered", NOW)).await.unwrap();
    db.store.incoming_transfer(other_scope(), id(number)).await.unwrap().unwrap()
}

/// All have one subject.
pub(crate) fn ca_certificate(number: u32) -> CaCertificateRecord {
    CaCertificateRecord {
        scope: scope(),
        certificate_id: id(number),
        status: CaStatus::Inactive,
        auto_registration: false,
        mode: CertificateMode::SniOnly,
        subject_sha256: [0x5b; 32],
        registration_config: None,
        generation_id: format!("generation-{number}"),
        customer_version: 1,
        created_at: NOW,
        last_modified_at: NOW,
        not_before: NOW,
        not_after: NOW.plus_millis(1_000_000),
    }
}

pub(crate) fn policy(number: u32) -> PolicyRecord {
    PolicyRecord::new(scope(), policy_name(number), format!("generation-{number}"), NOW)
}

/// A group in the last of `ancestors`.
pub(crate) fn thing_group(name: &str, ancestors: &[&str]) -> ThingGroupRecord {
    ThingGroupRecord {
        scope: scope(),
        name: name.parse().unwrap(),
        group_id: format!("id-{name}"),
        ancestors: ancestors.iter().map(|name| name.parse().unwrap()).collect(),
        description: None,
        attributes: BTreeMap::new(),
        version: 1,
        child_count: 0,
        policy_count: 0,
        created_at: NOW,
    }
}

pub(crate) fn thing(number: u32) -> ThingRecord {
    ThingRecord::new(scope(), thing_name(number), format!("id-{number}"), NOW)
}

pub(crate) fn thing_type(number: u32) -> ThingTypeRecord {
    ThingTypeRecord {
        scope: scope(),
        name: thing_name(number),
        thing_type_id: format!("type-id-{number}"),
        properties: Properties::default(),
        deprecated_at: None,
        created_at: NOW,
        row_version: 1,
    }
}

pub(crate) fn billing_group(number: u32) -> BillingGroupRecord {
    BillingGroupRecord {
        scope: scope(),
        name: thing_name(number),
        billing_group_id: format!("group-id-{number}"),
        description: None,
        version: 1,
        created_at: NOW,
    }
}
