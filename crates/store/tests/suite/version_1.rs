//! A database that a store of schema version 1 wrote: it opens, keeps everything, and can do what is new.

use std::collections::BTreeMap;

use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::{CertificateId, CertificateMode, CertificateStatus};
use gatehouse_domain::event::Event;
use gatehouse_domain::time::Timestamp;
use gatehouse_store::{CertificateRecord, LoggedEvent, Page, Store};

use crate::harness::{Db, NOW, ca_certificate, on_both_engines, other_scope, scope};
use crate::model::assert_counts_are_right;

on_both_engines!(a_database_of_version_1_keeps_everything, a_database_of_version_1_takes_in_what_is_new);

const REGISTRY: &str = include_str!("version_1.sql");

/// Makes `db` what version 1 left, and opens it.
async fn opened_from_version_1(db: &Db) -> Db {
    db.drop_tables().await;
    let schema = if db.is_sqlite() {
        include_str!("../../migrations/sqlite/0001_registry.sql")
    } else {
        include_str!("../../migrations/postgres/0001_registry.sql")
    };
    let applied = schema.replace('\'', "''");
    db.run(&format!(
        "{schema};
         CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY, sql TEXT NOT NULL);
         INSERT INTO schema_migrations (version, sql) VALUES (1, '{applied}');
         {}",
        with_bytes(REGISTRY, db.is_sqlite())
    ))
    .await;
    assert_eq!(db.number("SELECT MAX(version) FROM schema_migrations").await, 1);
    let store = db.reopen().await.unwrap();
    assert_eq!(db.number("SELECT MAX(version) FROM schema_migrations").await, 12);
    Db { settings: db.settings.clone(), store }
}

/// Writes the bytes between at signs as the engine has them.
fn with_bytes(sql: &str, is_sqlite: bool) -> String {
    let parts = sql.split('@').enumerate().map(|(index, part)| match (index % 2, is_sqlite) {
        (0, _) => part.to_owned(),
        (_, true) => format!("x'{}'", part.repeat(32)),
        (_, false) => format!("'\\x{}'::bytea", part.repeat(32)),
    });
    parts.collect()
}

fn bytes(byte: u8) -> CertificateId {
    CertificateId::from_bytes([byte; 32])
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn first() -> CertificateRecord {
    CertificateRecord {
        scope: scope(),
        certificate_id: bytes(0xc1),
        status: CertificateStatus::Active,
        mode: CertificateMode::Default,
        ca_certificate_id: Some(bytes(0xca)),
        previous_owned_by: Some(other_scope().account),
        generation_id: "generation-1".into(),
        customer_version: 7,
        created_at: at(10),
        last_modified_at: at(11),
        not_before: at(12),
        not_after: at(13),
        policy_count: 1,
        thing_count: 1,
    }
}

async fn a_database_of_version_1_keeps_everything(db: Db) {
    let db = opened_from_version_1(&db).await;
    // Opened again, it has nothing more to do.
    let again = db.reopen().await.unwrap();
    for store in [&db.store, &again] {
        assert_registry_is_there(store).await;
        assert_rest_is_there(store).await;
    }
    assert_counts_are_right(&db).await;
    assert_eq!(db.rows().await, 18);
}

async fn assert_registry_is_there(store: &Store) {
    let admission = store.admission(scope(), bytes(0xc1)).await.unwrap().unwrap();
    assert_eq!(admission.certificate, first());
    assert_eq!(admission.policies, ["devices".parse().unwrap()]);
    let things: Vec<_> = admission.things.iter().map(|thing| (thing.thing_name.as_str(), thing.exclusive)).collect();
    assert_eq!(things, [("pump", true)]);
    assert_eq!(store.certificate_pem(scope(), bytes(0xc1)).await, Ok(Some("pem 1".into())));
    let listed = store.certificates(scope(), Page::first(9)).await.unwrap();
    assert_eq!(listed.iter().map(|record| record.certificate_id).collect::<Vec<_>>(), [bytes(0xc1), bytes(0xc2)]);
    assert_eq!(store.certificates_by_ca(scope(), bytes(0xca), Page::first(9)).await, Ok(vec![first()]));
    assert_eq!(store.transfer(scope(), bytes(0xc1)).await, Ok(None));

    let policy = store.policy(scope(), &"devices".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((policy.default_version, policy.next_version, policy.row_version), (2, 3, 4));
    let document = store.default_policy_document(scope(), &policy.name).await.unwrap();
    assert_eq!(document, Some((2, r#"{"Version":"2012-10-17"}"#.into())));
    let thing = store.thing(scope(), &"pump".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((thing.thing_id.as_str(), thing.version), ("thing-id", 5));
    assert_eq!(thing.attributes, BTreeMap::from([("site".into(), "north".into())]));
}

async fn assert_rest_is_there(store: &Store) {
    assert_eq!(store.account(scope().account).await.unwrap().unwrap().created_at, at(1));
    let key = store.access_key("AKIAEXAMPLE").await.unwrap().unwrap();
    assert_eq!((key.account, key.sealed_secret), (scope().account, vec![0x5e; 32]));
    assert_eq!((key.session_token_sha256, key.expires_at), (Some([0x7a; 32]), Some(at(4))));
    let tags = store.tags(&Arn::policy(scope(), "devices".parse().unwrap())).await.unwrap().unwrap();
    assert_eq!((tags.tags["owner"].as_str(), tags.row_version), ("ops", 2));
    let prefix = store.endpoint_prefix(scope()).await.unwrap().unwrap();
    assert_eq!(prefix.as_str(), "a1b2c3d4e5f6g7");
    assert_eq!(store.setting("marker-key").await, Ok(Some(vec![0x3e; 32])));
    let issuance = store.issuance(&[0x51; 32]).await.unwrap().unwrap();
    assert_eq!((issuance.certificate_id, issuance.tbs_sha256), (Some(bytes(0xc1)), [0x7b; 32]));
    let event = Event::AccessKeys { account: scope().account };
    assert_eq!(store.events_after(0, 9).await, Ok(vec![LoggedEvent { epoch: 1, at: at(60), event }]));
}

async fn a_database_of_version_1_takes_in_what_is_new(db: Db) {
    let db = opened_from_version_1(&db).await;
    db.write(|batch| {
        batch.insert_ca_certificate(&ca_certificate(1), "ca");
        batch.announce(Event::Certificate { scope: scope(), certificate_id: bytes(0xc2) });
    })
    .await
    .unwrap();
    assert_eq!(db.store.last_epoch().await, Ok(2));
    let idle = db.store.certificate(scope(), bytes(0xc2)).await.unwrap().unwrap();
    db.write(|batch| batch.begin_transfer(&idle, other_scope().account, None, "g", NOW)).await.unwrap();
    let (record, transfer) = db.store.incoming_transfer(other_scope(), bytes(0xc2)).await.unwrap().unwrap();
    db.write(|batch| batch.accept_transfer(&record, &transfer, CertificateStatus::Active, "g", NOW)).await.unwrap();
    assert_eq!(db.store.certificate_pem(other_scope(), bytes(0xc2)).await, Ok(Some("pem 2".into())));
    assert_counts_are_right(&db).await;
}
