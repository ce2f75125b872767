//! Guards under real races: many tasks at once, on handles that share nothing but the database.

use std::collections::BTreeMap;

use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::{CertificateMode, CertificateStatus};
use gatehouse_store::{Batch, CertificateRecord, Error, Store};

use crate::harness::{
    Db, NOW, certificate, id, on_both_engines, other_scope, policy, policy_name, scope, thing, thing_name,
};
use crate::model::assert_counts_are_right;

on_both_engines!(
    of_many_attached_at_once_ten_stay,
    a_policy_is_not_deleted_while_it_is_attached,
    no_tags_outlive_their_policy,
    one_of_two_exclusive_attachments_wins,
    exclusive_and_shared_attachments_exclude_each_other,
    one_of_many_sixth_versions_wins,
    one_of_many_registrations_wins,
    one_of_two_default_registrations_wins,
    one_of_many_status_changes_wins,
    a_certificate_is_not_deleted_while_it_is_attached,
    crossed_deletions_and_attachments_keep_counts_right,
);

/// Commits all batches at once, over two handles; says what became of each.
pub(crate) async fn at_once(db: &Db, batches: Vec<Batch>) -> Vec<Result<(), Error>> {
    let second = db.reopen().await.unwrap();
    let tasks: Vec<_> = batches
        .into_iter()
        .enumerate()
        .map(|(index, batch)| {
            let store: Store = if index % 2 == 0 { db.store.clone() } else { second.clone() };
            tokio::spawn(async move { store.commit(batch, NOW).await })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        let outcome = task.await.unwrap();
        assert!(matches!(outcome, Ok(()) | Err(Error::Conflict)), "{outcome:?}");
        outcomes.push(outcome);
    }
    outcomes
}

pub(crate) fn batch(fill: impl FnOnce(&mut Batch)) -> Batch {
    let mut batch = Batch::new();
    fill(&mut batch);
    batch
}

pub(crate) fn wins(outcomes: &[Result<(), Error>]) -> usize {
    outcomes.iter().filter(|outcome| outcome.is_ok()).count()
}

async fn of_many_attached_at_once_ten_stay(db: Db) {
    db.write(|batch| {
        batch.insert_certificate(&certificate(1), "");
        (0..30).for_each(|number| batch.insert_policy(&policy(number), ""));
    })
    .await
    .unwrap();
    let attach = |number| batch(|batch| batch.attach_policy(scope(), &policy_name(number), id(1), NOW));
    let outcomes = at_once(&db, (0..30).map(attach).collect()).await;
    assert_eq!(wins(&outcomes), 10);
    assert_eq!(db.store.admission(scope(), id(1)).await.unwrap().unwrap().policies.len(), 10);
    assert_counts_are_right(&db).await;
}

async fn a_policy_is_not_deleted_while_it_is_attached(db: Db) {
    db.write(|batch| (0..10).for_each(|number| batch.insert_policy(&policy(number), ""))).await.unwrap();
    db.write(|batch| (0..10).for_each(|number| batch.insert_certificate(&certificate(number), ""))).await.unwrap();
    let mut batches = Vec::new();
    for number in 0..10 {
        batches.push(batch(|batch| batch.attach_policy(scope(), &policy_name(number), id(number), NOW)));
        batches.push(batch(|batch| batch.delete_policy(&policy(number))));
    }
    let outcomes = at_once(&db, batches).await;
    for pair in outcomes.chunks(2) {
        assert_eq!(wins(pair), 1, "{pair:?}");
    }
    assert_counts_are_right(&db).await;
}

async fn no_tags_outlive_their_policy(db: Db) {
    db.write(|batch| (0..10).for_each(|number| batch.insert_policy(&policy(number), ""))).await.unwrap();
    let tags = BTreeMap::from([("key".to_owned(), "value".to_owned())]);
    let arn = |number| Arn::policy(scope(), policy_name(number));
    let mut batches = Vec::new();
    for number in 0..10 {
        batches.push(batch(|batch| {
            batch.require_policy(scope(), &policy_name(number));
            batch.set_tags(&arn(number), &tags, None);
        }));
        batches.push(batch(|batch| {
            batch.delete_policy(&policy(number));
            batch.delete_tags(&arn(number));
        }));
    }
    let outcomes = at_once(&db, batches).await;
    for number in 0..10 {
        // Tagging does not stand against deleting.
        assert_eq!(db.store.policy(scope(), &policy_name(number)).await, Ok(None), "{outcomes:?}");
        assert_eq!(db.store.tags(&arn(number)).await, Ok(None));
    }
    let gone = db.write(|batch| batch.require_policy(scope(), &policy_name(1))).await;
    assert_eq!(gone, Err(Error::Conflict));
}

async fn one_of_two_exclusive_attachments_wins(db: Db) {
    for number in 0..10 {
        db.write(|batch| {
            batch.insert_certificate(&certificate(number), "");
            batch.insert_thing(&thing(2 * number));
            batch.insert_thing(&thing(2 * number + 1));
        })
        .await
        .unwrap();
    }
    let attach =
        |number| batch(|batch| batch.attach_thing_principal(scope(), &thing_name(number), id(number / 2), true, NOW));
    let outcomes = at_once(&db, (0..20).map(attach).collect()).await;
    for pair in outcomes.chunks(2) {
        assert_eq!(wins(pair), 1, "{pair:?}");
    }
    assert_counts_are_right(&db).await;
}

async fn exclusive_and_shared_attachments_exclude_each_other(db: Db) {
    for number in 0..10 {
        db.write(|batch| {
            batch.insert_certificate(&certificate(number), "");
            batch.insert_thing(&thing(2 * number));
            batch.insert_thing(&thing(2 * number + 1));
        })
        .await
        .unwrap();
    }
    let attach = |number| {
        batch(|batch| batch.attach_thing_principal(scope(), &thing_name(number), id(number / 2), number % 2 == 0, NOW))
    };
    let outcomes = at_once(&db, (0..20).map(attach).collect()).await;
    for pair in outcomes.chunks(2) {
        assert_eq!(wins(pair), 1, "{pair:?}");
    }
    assert_counts_are_right(&db).await;
}

async fn one_of_many_sixth_versions_wins(db: Db) {
    db.write(|batch| batch.insert_policy(&policy(1), "")).await.unwrap();
    let read = async || db.store.policy(scope(), &policy_name(1)).await.unwrap().unwrap();
    // Four more fit, whoever races: each round one wins.
    for expected in [1, 1, 1, 1, 0] {
        let current = read().await;
        let version = |_| batch(|batch| batch.insert_policy_version(&current, "", true, NOW));
        assert_eq!(wins(&at_once(&db, (0..8).map(version).collect()).await), expected);
    }
    assert_eq!(db.number("SELECT COUNT(*) FROM policy_versions").await, 5);
    assert_eq!(read().await.version_count, 5);
}

async fn one_of_many_registrations_wins(db: Db) {
    let register = |number: u32| {
        let record = CertificateRecord { generation_id: number.to_string(), ..certificate(1) };
        batch(|batch| batch.insert_certificate(&record, &number.to_string()))
    };
    let outcomes = at_once(&db, (0..16).map(register).collect()).await;
    assert_eq!(wins(&outcomes), 1);
    let pem = db.store.certificate_pem(scope(), id(1)).await.unwrap();
    let record = db.store.certificate(scope(), id(1)).await.unwrap().unwrap();
    assert_eq!(pem, Some(record.generation_id));
}

async fn one_of_two_default_registrations_wins(db: Db) {
    let register = |number: u32| {
        let scope = if number.is_multiple_of(2) { scope() } else { other_scope() };
        let record = CertificateRecord { mode: CertificateMode::Default, scope, ..certificate(number / 2) };
        batch(|batch| batch.insert_certificate(&record, ""))
    };
    let outcomes = at_once(&db, (0..20).map(register).collect()).await;
    for pair in outcomes.chunks(2) {
        assert_eq!(wins(pair), 1, "{pair:?}");
    }
}

async fn one_of_many_status_changes_wins(db: Db) {
    db.write(|batch| batch.insert_certificate(&certificate(1), "")).await.unwrap();
    let change =
        |_| batch(|batch| batch.set_certificate_status(&certificate(1), CertificateStatus::Inactive, "g", NOW));
    assert_eq!(wins(&at_once(&db, (0..16).map(change).collect()).await), 1);
    assert_eq!(db.store.certificate(scope(), id(1)).await.unwrap().unwrap().customer_version, 2);
}

async fn a_certificate_is_not_deleted_while_it_is_attached(db: Db) {
    db.write(|batch| {
        (0..10).for_each(|number| batch.insert_certificate(&certificate(number), ""));
        batch.insert_policy(&policy(1), "");
        batch.insert_thing(&thing(1));
    })
    .await
    .unwrap();
    let mut batches = Vec::new();
    for number in 0..10 {
        batches.push(batch(|batch| match number % 2 {
            0 => batch.attach_policy(scope(), &policy_name(1), id(number), NOW),
            _ => batch.attach_thing_principal(scope(), &thing_name(1), id(number), true, NOW),
        }));
        batches.push(batch(|batch| batch.delete_certificate(&certificate(number), true)));
    }
    let outcomes = at_once(&db, batches).await;
    for pair in outcomes.chunks(2) {
        assert_eq!(wins(pair), 1, "{pair:?}");
    }
    assert_counts_are_right(&db).await;
}

async fn crossed_deletions_and_attachments_keep_counts_right(db: Db) {
    db.write(|batch| {
        (0..4).for_each(|number| batch.insert_policy(&policy(number), ""));
        (0..8).for_each(|number| batch.insert_certificate(&certificate(number), ""));
        for number in 0..8 {
            batch.attach_policy(scope(), &policy_name(number % 4), id(number), NOW);
            batch.attach_policy(scope(), &policy_name((number + 1) % 4), id(number), NOW);
        }
    })
    .await
    .unwrap();
    let mut batches = Vec::new();
    for number in 0..8 {
        let record = db.store.certificate(scope(), id(number)).await.unwrap().unwrap();
        batches.push(batch(|batch| batch.delete_certificate(&record, true)));
        batches.push(batch(|batch| batch.detach_policy(scope(), &policy_name(number % 4), id(number))));
        batches.push(batch(|batch| batch.attach_policy(scope(), &policy_name((number + 2) % 4), id(number), NOW)));
    }
    let outcomes = at_once(&db, batches).await;
    assert!(wins(&outcomes) >= 8, "{outcomes:?}");
    assert_counts_are_right(&db).await;
}
