//! Certificates: what is written is read, guards hold, pages are complete.

use gatehouse_domain::certificate::{CertificateMode, CertificateStatus};
use gatehouse_domain::time::Timestamp;
use gatehouse_store::{CertificateRecord, Error, Page};

use crate::harness::{
    Db, NOW, certificate, id, on_both_engines, other_scope, policy, policy_name, scope, thing, thing_name,
};

on_both_engines!(
    a_certificate_reads_back_as_it_was_written,
    a_certificate_is_in_a_scope_once,
    a_default_certificate_is_in_one_account_of_a_region,
    a_status_changes_only_as_it_was_read,
    a_certificate_registered_again_is_another,
    a_certificate_with_attachments_is_not_deleted,
    deleting_with_detaching_lowers_the_policies_counts,
    pages_are_complete_in_both_orders,
    admission_has_policies_and_things,
    a_damaged_row_is_named,
    a_required_certificate_is_as_it_was_read,
);

async fn a_certificate_reads_back_as_it_was_written(db: Db) {
    let full = CertificateRecord {
        status: CertificateStatus::PendingTransfer,
        mode: CertificateMode::Default,
        ca_certificate_id: Some(id(9)),
        previous_owned_by: Some(other_scope().account),
        customer_version: 3,
        not_before: Timestamp::from_millis(-5),
        ..certificate(1)
    };
    db.write(|batch| batch.insert_certificate(&full, "PEM ü\n")).await.unwrap();
    assert_eq!(db.store.certificate(scope(), id(1)).await, Ok(Some(full.clone())));
    assert_eq!(db.store.certificate_pem(scope(), id(1)).await, Ok(Some("PEM ü\n".into())));
    assert_eq!(full.registration().status, CertificateStatus::PendingTransfer);
    assert_eq!(db.store.certificate(other_scope(), id(1)).await, Ok(None));
    assert_eq!(db.store.certificate_pem(other_scope(), id(1)).await, Ok(None));
    assert_eq!(db.store.admission(other_scope(), id(1)).await, Ok(None));
}

async fn a_certificate_is_in_a_scope_once(db: Db) {
    db.write(|batch| batch.insert_certificate(&certificate(1), "first")).await.unwrap();
    let again = db.write(|batch| batch.insert_certificate(&certificate(1), "second")).await;
    assert_eq!(again, Err(Error::Conflict));
    let elsewhere = CertificateRecord { scope: other_scope(), ..certificate(1) };
    db.write(|batch| batch.insert_certificate(&elsewhere, "third")).await.unwrap();
    assert_eq!(db.store.certificate_pem(scope(), id(1)).await, Ok(Some("first".into())));
    let both = vec![(scope(), CertificateMode::SniOnly), (other_scope(), CertificateMode::SniOnly)];
    assert_eq!(db.store.certificate_scopes(id(1)).await, Ok(both));
    assert_eq!(db.store.certificate_scopes(id(2)).await, Ok(vec![]));
}

async fn a_default_certificate_is_in_one_account_of_a_region(db: Db) {
    let here = CertificateRecord { mode: CertificateMode::Default, ..certificate(1) };
    let there = CertificateRecord { scope: other_scope(), ..here.clone() };
    db.write(|batch| batch.insert_certificate(&here, "")).await.unwrap();
    assert_eq!(db.write(|batch| batch.insert_certificate(&there, "")).await, Err(Error::Conflict));
    let mut elsewhere = there;
    elsewhere.scope.region = "eu-central-1".parse().unwrap();
    db.write(|batch| batch.insert_certificate(&elsewhere, "")).await.unwrap();
}

async fn a_status_changes_only_as_it_was_read(db: Db) {
    let first = certificate(1);
    db.write(|batch| batch.insert_certificate(&first, "")).await.unwrap();
    let later = NOW.plus_millis(9);
    let to = |status| {
        move |batch: &mut gatehouse_store::Batch| {
            batch.set_certificate_status(&certificate(1), status, "next", later);
        }
    };
    db.write(to(CertificateStatus::Inactive)).await.unwrap();
    assert_eq!(db.write(to(CertificateStatus::Revoked)).await, Err(Error::Conflict));
    let changed = CertificateRecord {
        status: CertificateStatus::Inactive,
        generation_id: "next".into(),
        customer_version: 2,
        last_modified_at: later,
        ..first
    };
    assert_eq!(db.store.certificate(scope(), id(1)).await, Ok(Some(changed)));
}

async fn a_certificate_registered_again_is_another(db: Db) {
    let first = certificate(1);
    db.write(|batch| batch.insert_certificate(&first, "")).await.unwrap();
    db.write(|batch| batch.delete_certificate(&first, false)).await.unwrap();
    let second = CertificateRecord { generation_id: "again".into(), ..certificate(1) };
    db.write(|batch| batch.insert_certificate(&second, "")).await.unwrap();
    let stale = db.write(|batch| batch.delete_certificate(&first, false)).await;
    assert_eq!(stale, Err(Error::Conflict));
    let stale = db.write(|batch| batch.set_certificate_status(&first, CertificateStatus::Active, "g", NOW)).await;
    assert_eq!(stale, Err(Error::Conflict));
    assert_eq!(db.store.certificate(scope(), id(1)).await, Ok(Some(second)));
}

async fn a_certificate_with_attachments_is_not_deleted(db: Db) {
    let read = || async { db.store.certificate(scope(), id(1)).await.unwrap().unwrap() };
    db.write(|batch| {
        batch.insert_certificate(&certificate(1), "");
        batch.insert_policy(&policy(1), "{}");
        batch.insert_thing(&thing(1));
        batch.attach_policy(scope(), &policy_name(1), id(1), NOW);
    })
    .await
    .unwrap();
    let record = read().await;
    assert_eq!(record.policy_count, 1);
    assert_eq!(db.write(|batch| batch.delete_certificate(&record, false)).await, Err(Error::Conflict));
    // A thing stands against deletion even with detaching.
    db.write(|batch| batch.attach_thing_principal(scope(), &thing_name(1), id(1), false, NOW)).await.unwrap();
    let rows = db.rows().await;
    for record in [record, read().await] {
        assert_eq!(db.write(|batch| batch.delete_certificate(&record, true)).await, Err(Error::Conflict));
    }
    assert_eq!(db.rows().await, rows);
    assert_eq!(db.store.policy(scope(), &policy_name(1)).await.unwrap().unwrap().attachment_count, 1);
}

async fn deleting_with_detaching_lowers_the_policies_counts(db: Db) {
    db.write(|batch| {
        for number in 1..=2 {
            batch.insert_certificate(&certificate(number), "");
        }
        for number in 1..=3 {
            batch.insert_policy(&policy(number), "{}");
            batch.attach_policy(scope(), &policy_name(number), id(1), NOW);
        }
        batch.attach_policy(scope(), &policy_name(1), id(2), NOW);
    })
    .await
    .unwrap();
    let record = db.store.certificate(scope(), id(1)).await.unwrap().unwrap();
    db.write(|batch| batch.delete_certificate(&record, true)).await.unwrap();
    for (number, left) in [(1, 1), (2, 0), (3, 0)] {
        let policy = db.store.policy(scope(), &policy_name(number)).await.unwrap().unwrap();
        assert_eq!(policy.attachment_count, left, "{number}");
    }
    assert_eq!(db.store.admission(scope(), id(1)).await, Ok(None));
    assert_eq!(db.store.certificate_pem(scope(), id(1)).await, Ok(None));
    assert_eq!(db.number("SELECT COUNT(*) FROM policy_attachments").await, 1);
}

async fn pages_are_complete_in_both_orders(db: Db) {
    // Three of each time, so that pages end within ties.
    let mut all = Vec::new();
    for number in 0..12 {
        let created_at = NOW.plus_millis(i64::from(number / 3));
        // Ids that do not follow the time.
        let record = CertificateRecord { created_at, ..certificate((number * 7) % 12) };
        db.write(|batch| batch.insert_certificate(&record, "")).await.unwrap();
        all.push((created_at, record.certificate_id));
    }
    let foreign = CertificateRecord { scope: other_scope(), ..certificate(99) };
    db.write(|batch| batch.insert_certificate(&foreign, "")).await.unwrap();
    all.sort();
    for ascending in [true, false] {
        let mut found = Vec::new();
        loop {
            let after = found.last().copied();
            let page = db.store.certificates(scope(), Page { after, ascending, limit: 5 }).await.unwrap();
            assert!(page.len() <= 5);
            if page.is_empty() {
                break;
            }
            found.extend(page.iter().map(|record| (record.created_at, record.certificate_id)));
        }
        if !ascending {
            found.reverse();
        }
        assert_eq!(found, all, "ascending: {ascending}");
    }
}

async fn admission_has_policies_and_things(db: Db) {
    db.write(|batch| {
        batch.insert_certificate(&certificate(1), "");
        for number in 1..=2 {
            batch.insert_policy(&policy(number), "{}");
            batch.insert_thing(&thing(number));
        }
    })
    .await
    .unwrap();
    let bare = db.store.admission(scope(), id(1)).await.unwrap().unwrap();
    assert_eq!((bare.certificate, bare.policies, bare.things), (certificate(1), vec![], vec![]));
    db.write(|batch| {
        for number in [2, 1] {
            batch.attach_policy(scope(), &policy_name(number), id(1), NOW);
            batch.attach_thing_principal(scope(), &thing_name(number), id(1), false, NOW);
        }
    })
    .await
    .unwrap();
    let full = db.store.admission(scope(), id(1)).await.unwrap().unwrap();
    assert_eq!((full.certificate.policy_count, full.certificate.thing_count), (2, 2));
    assert_eq!(full.policies, [policy_name(1), policy_name(2)]);
    let things: Vec<_> = full.things.iter().map(|thing| thing.thing_name.clone()).collect();
    assert_eq!(things, [thing_name(1), thing_name(2)]);
}

async fn a_damaged_row_is_named(db: Db) {
    db.write(|batch| batch.insert_certificate(&certificate(1), "")).await.unwrap();
    db.run("UPDATE certificates SET status = 'GOOD'").await;
    let damaged = Error::Corrupt { table: "certificates", column: "status" };
    assert_eq!(db.store.certificate(scope(), id(1)).await, Err(damaged));
}

async fn a_required_certificate_is_as_it_was_read(db: Db) {
    let read = certificate(1);
    assert_eq!(db.write(|batch| batch.require_certificate(&read)).await, Err(Error::Conflict));
    db.write(|batch| batch.insert_certificate(&read, "")).await.unwrap();
    for _ in 0..2 {
        db.write(|batch| batch.require_certificate(&read)).await.unwrap();
    }
    assert_eq!(db.store.certificate(scope(), id(1)).await, Ok(Some(read.clone())));
    let status = CertificateStatus::Revoked;
    db.write(|batch| batch.set_certificate_status(&read, status, "next", NOW)).await.unwrap();
    assert_eq!(db.write(|batch| batch.require_certificate(&read)).await, Err(Error::Conflict));
}
