//! CA certificates: what is written is read, guards hold, the number with one subject is limited.

use gatehouse_domain::ca::{AutoRegistration, CaStatus};
use gatehouse_domain::certificate::{CertificateId, CertificateMode};
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use gatehouse_store::{CaCertificateRecord, CertificateRecord, Error, Page};

use crate::harness::{Db, NOW, ca_certificate, certificate, id, on_both_engines, other_scope, scope};
use crate::model::assert_counts_are_right;

on_both_engines!(
    a_ca_certificate_reads_back_as_it_was_written,
    a_ca_certificate_is_in_a_scope_once,
    a_default_ca_is_in_one_account_of_a_region,
    a_ca_certificate_changes_only_as_it_was_read,
    a_ca_certificate_registered_again_is_another,
    what_hangs_on_a_ca_needs_it_as_it_was_read,
    ten_ca_certificates_have_one_subject,
    the_ca_certificates_of_a_subject_come_with_their_pems,
    lists_of_ca_certificates_are_complete_in_both_orders,
    a_template_finds_its_ca_certificates,
    the_certificates_of_a_ca_are_found,
    certificates_outlive_their_ca,
);

async fn a_ca_certificate_reads_back_as_it_was_written(db: Db) {
    let full = CaCertificateRecord {
        status: CaStatus::Active,
        auto_registration: true,
        mode: CertificateMode::Default,
        registration_config: Some(r#"{"templateName":"fleet"}"#.into()),
        customer_version: 3,
        not_before: Timestamp::from_millis(-5),
        ..ca_certificate(1)
    };
    db.write(|batch| batch.insert_ca_certificate(&full, "PEM ü\n")).await.unwrap();
    assert_eq!(db.store.ca_certificate(scope(), id(1)).await, Ok(Some(full.clone())));
    assert_eq!(db.store.ca_certificate_pem(scope(), id(1)).await, Ok(Some("PEM ü\n".into())));
    assert_eq!(db.store.ca_certificate(other_scope(), id(1)).await, Ok(None));
    assert_eq!(db.store.ca_certificate_pem(other_scope(), id(1)).await, Ok(None));
    let issuer = full.issuer();
    assert_eq!((issuer.status, issuer.auto_registration), (CaStatus::Active, AutoRegistration::Enable));
    assert_eq!((issuer.mode, issuer.not_before, issuer.not_after), (full.mode, full.not_before, full.not_after));
    db.run("UPDATE ca_certificates SET status = 'REVOKED'").await;
    let damaged = Error::Corrupt { table: "ca_certificates", column: "status" };
    assert_eq!(db.store.ca_certificate(scope(), id(1)).await, Err(damaged));
}

async fn a_ca_certificate_is_in_a_scope_once(db: Db) {
    db.write(|batch| batch.insert_ca_certificate(&ca_certificate(1), "first")).await.unwrap();
    let again = db.write(|batch| batch.insert_ca_certificate(&ca_certificate(1), "second")).await;
    assert_eq!(again, Err(Error::Conflict));
    let elsewhere = CaCertificateRecord { scope: other_scope(), ..ca_certificate(1) };
    db.write(|batch| batch.insert_ca_certificate(&elsewhere, "third")).await.unwrap();
    assert_eq!(db.store.ca_certificate_pem(scope(), id(1)).await, Ok(Some("first".into())));
    let both = vec![(scope(), CertificateMode::SniOnly), (other_scope(), CertificateMode::SniOnly)];
    assert_eq!(db.store.ca_certificate_scopes(id(1)).await, Ok(both));
    assert_eq!(db.store.ca_certificate_scopes(id(2)).await, Ok(vec![]));
    assert_counts_are_right(&db).await;
}

async fn a_default_ca_is_in_one_account_of_a_region(db: Db) {
    let here = CaCertificateRecord { mode: CertificateMode::Default, ..ca_certificate(1) };
    let there = CaCertificateRecord { scope: other_scope(), ..here.clone() };
    db.write(|batch| batch.insert_ca_certificate(&here, "")).await.unwrap();
    let rows = db.rows().await;
    assert_eq!(db.write(|batch| batch.insert_ca_certificate(&there, "")).await, Err(Error::Conflict));
    assert_eq!(db.rows().await, rows);
    let far = Scope::new(other_scope().account, "eu-central-1".parse().unwrap());
    for record in [
        CaCertificateRecord { scope: far, ..there.clone() },
        CaCertificateRecord { mode: CertificateMode::SniOnly, ..there },
    ] {
        db.write(|batch| batch.insert_ca_certificate(&record, "")).await.unwrap();
    }
}

async fn a_ca_certificate_changes_only_as_it_was_read(db: Db) {
    let first = ca_certificate(1);
    db.write(|batch| batch.insert_ca_certificate(&first, "pem")).await.unwrap();
    let changed = CaCertificateRecord {
        status: CaStatus::Active,
        auto_registration: true,
        registration_config: Some("{}".into()),
        generation_id: "next".into(),
        customer_version: 2,
        last_modified_at: NOW.plus_millis(9),
        ..first.clone()
    };
    db.write(|batch| batch.update_ca_certificate(&first, &changed)).await.unwrap();
    assert_eq!(db.store.ca_certificate(scope(), id(1)).await, Ok(Some(changed.clone())));
    assert_eq!(db.write(|batch| batch.update_ca_certificate(&first, &changed)).await, Err(Error::Conflict));
    assert_eq!(db.write(|batch| batch.delete_ca_certificate(&first)).await, Err(Error::Conflict));
    assert_eq!(db.store.ca_certificate(scope(), id(1)).await, Ok(Some(changed.clone())));
    db.write(|batch| batch.delete_ca_certificate(&changed)).await.unwrap();
    assert_eq!(db.store.ca_certificate(scope(), id(1)).await, Ok(None));
    assert_eq!(db.rows().await, 0);
}

async fn a_ca_certificate_registered_again_is_another(db: Db) {
    let first = ca_certificate(1);
    db.write(|batch| batch.insert_ca_certificate(&first, "")).await.unwrap();
    db.write(|batch| batch.delete_ca_certificate(&first)).await.unwrap();
    let second = CaCertificateRecord { generation_id: "again".into(), ..first.clone() };
    db.write(|batch| batch.insert_ca_certificate(&second, "")).await.unwrap();
    assert_eq!(db.write(|batch| batch.delete_ca_certificate(&first)).await, Err(Error::Conflict));
    assert_eq!(db.write(|batch| batch.update_ca_certificate(&first, &first)).await, Err(Error::Conflict));
    assert_eq!(db.write(|batch| batch.require_ca_certificate(&first)).await, Err(Error::Conflict));
    assert_eq!(db.store.ca_certificate(scope(), id(1)).await, Ok(Some(second)));
}

async fn what_hangs_on_a_ca_needs_it_as_it_was_read(db: Db) {
    let ca = ca_certificate(1);
    let register = |number| {
        let ca = ca.clone();
        db.write(move |batch| {
            batch.require_ca_certificate(&ca);
            batch.insert_certificate(&certificate(number), "");
        })
    };
    assert_eq!(register(11).await, Err(Error::Conflict));
    db.write(|batch| batch.insert_ca_certificate(&ca, "")).await.unwrap();
    register(11).await.unwrap();
    // Requiring it changes nothing.
    assert_eq!(db.store.ca_certificate(scope(), id(1)).await, Ok(Some(ca.clone())));
    let inactive = CaCertificateRecord { generation_id: "next".into(), ..ca.clone() };
    db.write(|batch| batch.update_ca_certificate(&ca, &inactive)).await.unwrap();
    assert_eq!(register(12).await, Err(Error::Conflict));
    assert_eq!(db.store.certificate(scope(), id(12)).await, Ok(None));
}

async fn ten_ca_certificates_have_one_subject(db: Db) {
    let register = |record: CaCertificateRecord| {
        let db = db.clone();
        async move { db.write(|batch| batch.insert_ca_certificate(&record, "")).await }
    };
    for number in 0..10 {
        register(ca_certificate(number)).await.unwrap();
    }
    assert_eq!(register(ca_certificate(10)).await, Err(Error::Conflict));
    assert_eq!(db.store.ca_certificate(scope(), id(10)).await, Ok(None));
    // Another subject, another account: other numbers.
    register(CaCertificateRecord { subject_sha256: [7; 32], ..ca_certificate(10) }).await.unwrap();
    register(CaCertificateRecord { scope: other_scope(), ..ca_certificate(11) }).await.unwrap();
    // One that goes makes room for one.
    db.write(|batch| batch.delete_ca_certificate(&ca_certificate(3))).await.unwrap();
    register(ca_certificate(12)).await.unwrap();
    assert_eq!(register(ca_certificate(13)).await, Err(Error::Conflict));
    assert_counts_are_right(&db).await;
}

async fn the_ca_certificates_of_a_subject_come_with_their_pems(db: Db) {
    let subject = ca_certificate(1).subject_sha256;
    for number in [2, 1, 3] {
        let created_at = NOW.plus_millis(i64::from(number));
        let record = CaCertificateRecord { created_at, ..ca_certificate(number) };
        db.write(|batch| batch.insert_ca_certificate(&record, &format!("pem {number}"))).await.unwrap();
    }
    let others = [
        CaCertificateRecord { subject_sha256: [7; 32], ..ca_certificate(4) },
        CaCertificateRecord { scope: other_scope(), ..ca_certificate(5) },
    ];
    for record in others {
        db.write(|batch| batch.insert_ca_certificate(&record, "other")).await.unwrap();
    }
    let found = db.store.ca_certificates_by_subject(scope(), subject).await.unwrap();
    let found: Vec<_> = found.into_iter().map(|(record, pem)| (record.certificate_id, pem)).collect();
    assert_eq!(found, [1, 2, 3].map(|number| (id(number), format!("pem {number}"))));
    assert_eq!(db.store.ca_certificates_by_subject(scope(), [0; 32]).await, Ok(vec![]));
}

/// All pages of a list, and whether each kept to its limit.
pub(crate) async fn all_pages<F>(
    ascending: bool,
    page: impl Fn(Page<(Timestamp, CertificateId)>) -> F,
) -> Vec<(Timestamp, CertificateId)>
where
    F: Future<Output = Vec<(Timestamp, CertificateId)>>,
{
    let mut found = Vec::new();
    loop {
        let rows = page(Page { after: found.last().copied(), ascending, limit: 3 }).await;
        assert!(rows.len() <= 3);
        if rows.is_empty() {
            return found;
        }
        found.extend(rows);
    }
}

async fn lists_of_ca_certificates_are_complete_in_both_orders(db: Db) {
    let mut all = Vec::new();
    for number in 0..10 {
        // Ties, and ids that do not follow the time.
        let created_at = NOW.plus_millis(i64::from(number / 3));
        let record = CaCertificateRecord { created_at, ..ca_certificate((number * 7) % 10) };
        db.write(|batch| batch.insert_ca_certificate(&record, "")).await.unwrap();
        all.push((created_at, record.certificate_id));
    }
    let foreign = CaCertificateRecord { scope: other_scope(), ..ca_certificate(99) };
    db.write(|batch| batch.insert_ca_certificate(&foreign, "")).await.unwrap();
    all.sort();
    for ascending in [true, false] {
        let found = all_pages(ascending, async |page| {
            let records = db.store.ca_certificates(scope(), None, page).await.unwrap();
            records.iter().map(|record| (record.created_at, record.certificate_id)).collect()
        })
        .await;
        assert_eq!(found, all, "ascending: {ascending}");
        all.reverse();
    }
}

async fn a_template_finds_its_ca_certificates(db: Db) {
    let config = |name: &str| Some(format!(r#"{{"roleArn":"arn:aws:iam::1:role/r","templateName":"{name}"}}"#));
    let configs = [config("fleet"), None, config("other"), config("fleet"), Some("{}".into()), Some("not JSON".into())];
    for (number, registration_config) in (0..).zip(configs) {
        let record = CaCertificateRecord { registration_config, ..ca_certificate(number) };
        db.write(|batch| batch.insert_ca_certificate(&record, "")).await.unwrap();
    }
    let of = async |name| {
        let found = db.store.ca_certificates(scope(), Some(name), Page::first(10)).await.unwrap();
        found.into_iter().map(|record| record.certificate_id).collect::<Vec<_>>()
    };
    assert_eq!(of("fleet").await, [id(0), id(3)]);
    assert_eq!(of("other").await, [id(2)]);
    assert_eq!(of("Fleet").await, []);
    let page = Page { after: Some((NOW, id(0))), ..Page::first(10) };
    let behind = db.store.ca_certificates(scope(), Some("fleet"), page).await.unwrap();
    assert_eq!(behind.iter().map(|record| record.certificate_id).collect::<Vec<_>>(), [id(3)]);
    // A change of the configuration changes what finds it.
    let current = db.store.ca_certificate(scope(), id(3)).await.unwrap().unwrap();
    let changed = CaCertificateRecord { registration_config: config("other"), ..current.clone() };
    db.write(|batch| batch.update_ca_certificate(&current, &changed)).await.unwrap();
    assert_eq!((of("fleet").await, of("other").await), (vec![id(0)], vec![id(2), id(3)]));
}

async fn the_certificates_of_a_ca_are_found(db: Db) {
    let mut all = Vec::new();
    for number in 0..10 {
        let created_at = NOW.plus_millis(i64::from(number / 3));
        let ca_certificate_id = if number == 4 { Some(id(51)) } else { Some(id(50)) };
        let record = CertificateRecord { created_at, ca_certificate_id, ..certificate((number * 7) % 10) };
        db.write(|batch| batch.insert_certificate(&record, "")).await.unwrap();
        if number != 4 {
            all.push((created_at, record.certificate_id));
        }
    }
    let foreign = CertificateRecord { scope: other_scope(), ca_certificate_id: Some(id(50)), ..certificate(20) };
    db.write(|batch| batch.insert_certificate(&foreign, "")).await.unwrap();
    db.write(|batch| batch.insert_certificate(&certificate(21), "")).await.unwrap();
    all.sort();
    for ascending in [true, false] {
        let found = all_pages(ascending, async |page| {
            let records = db.store.certificates_by_ca(scope(), id(50), page).await.unwrap();
            records.iter().map(|record| (record.created_at, record.certificate_id)).collect()
        })
        .await;
        assert_eq!(found, all, "ascending: {ascending}");
        all.reverse();
    }
    assert_eq!(db.store.certificates_by_ca(scope(), id(52), Page::first(5)).await, Ok(vec![]));
}

async fn certificates_outlive_their_ca(db: Db) {
    let leaf = CertificateRecord { ca_certificate_id: Some(id(50)), ..certificate(1) };
    db.write(|batch| {
        batch.insert_ca_certificate(&ca_certificate(50), "");
        batch.insert_certificate(&leaf, "");
    })
    .await
    .unwrap();
    db.write(|batch| batch.delete_ca_certificate(&ca_certificate(50))).await.unwrap();
    assert_eq!(db.store.certificate(scope(), id(1)).await, Ok(Some(leaf.clone())));
    assert_eq!(db.store.certificates_by_ca(scope(), id(50), Page::first(5)).await, Ok(vec![leaf]));
}
