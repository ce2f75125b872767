//! Policies, their versions and their attachments.

use gatehouse_store::{Error, Page, PolicyRecord, PolicyVersionRecord};

use crate::harness::{Db, NOW, certificate, id, on_both_engines, other_scope, policy, policy_name, scope};

on_both_engines!(
    a_policy_reads_back_as_it_was_written,
    versions_count_up_to_five,
    another_version_is_put_in_force,
    a_version_in_force_is_not_deleted,
    a_policy_with_versions_or_attachments_is_not_deleted,
    policies_are_paged_by_creation,
    attachments_are_paged_by_time,
    a_policy_is_attached_once,
    the_eleventh_policy_is_not_attached,
    what_is_missing_is_not_attached,
);

async fn read(db: &Db, number: u32) -> PolicyRecord {
    db.store.policy(scope(), &policy_name(number)).await.unwrap().unwrap()
}

async fn a_policy_reads_back_as_it_was_written(db: Db) {
    let name = policy_name(1);
    db.write(|batch| batch.insert_policy(&policy(1), "{ \"a\": 1}\n")).await.unwrap();
    assert_eq!(db.write(|batch| batch.insert_policy(&policy(1), "{}")).await, Err(Error::Conflict));
    assert_eq!(read(&db, 1).await, policy(1));
    assert_eq!(db.store.policy(other_scope(), &name).await, Ok(None));
    let version = PolicyVersionRecord { version: 1, document: "{ \"a\": 1}\n".into(), created_at: NOW };
    assert_eq!(db.store.policy_version(scope(), &name, 1).await, Ok(Some(version.clone())));
    assert_eq!(db.store.policy_version(scope(), &name, 2).await, Ok(None));
    assert_eq!(db.store.policy_versions(scope(), &name).await, Ok(vec![version.clone()]));
    assert_eq!(db.store.default_policy_document(scope(), &name).await, Ok(Some((1, version.document))));
    assert_eq!(db.store.default_policy_document(other_scope(), &name).await, Ok(None));
}

async fn versions_count_up_to_five(db: Db) {
    let name = policy_name(1);
    db.write(|batch| batch.insert_policy(&policy(1), "1")).await.unwrap();
    for version in 2..=5 {
        let current = read(&db, 1).await;
        let document = version.to_string();
        let later = NOW.plus_millis(version);
        db.write(|batch| batch.insert_policy_version(&current, &document, version == 3, later)).await.unwrap();
        let stale = db.write(|batch| batch.insert_policy_version(&current, "", true, later)).await;
        assert_eq!(stale, Err(Error::Conflict));
    }
    let full = read(&db, 1).await;
    assert_eq!((full.default_version, full.next_version, full.version_count, full.row_version), (3, 6, 5, 5));
    assert_eq!(full.last_modified_at, NOW.plus_millis(5));
    let sixth = db.write(|batch| batch.insert_policy_version(&full, "6", true, NOW)).await;
    assert_eq!(sixth, Err(Error::Conflict));
    let versions = db.store.policy_versions(scope(), &name).await.unwrap();
    assert_eq!(versions.iter().map(|version| version.version).collect::<Vec<_>>(), [5, 4, 3, 2, 1]);
    assert_eq!(db.store.default_policy_document(scope(), &name).await, Ok(Some((3, "3".into()))));
    // A number is not used again.
    db.write(|batch| batch.delete_policy_version(&full, 5)).await.unwrap();
    let current = read(&db, 1).await;
    db.write(|batch| batch.insert_policy_version(&current, "6", false, NOW)).await.unwrap();
    assert!(db.store.policy_version(scope(), &name, 6).await.unwrap().is_some());
}

async fn another_version_is_put_in_force(db: Db) {
    db.write(|batch| batch.insert_policy(&policy(1), "1")).await.unwrap();
    let first = read(&db, 1).await;
    assert_eq!(db.write(|batch| batch.set_default_version(&first, 2, "g", NOW)).await, Err(Error::Conflict));
    db.write(|batch| batch.insert_policy_version(&first, "2", false, NOW)).await.unwrap();
    assert_eq!(db.write(|batch| batch.set_default_version(&first, 2, "g", NOW)).await, Err(Error::Conflict));
    let current = read(&db, 1).await;
    db.write(|batch| batch.set_default_version(&current, 2, "g", NOW.plus_millis(1))).await.unwrap();
    let changed = read(&db, 1).await;
    assert_eq!((changed.default_version, changed.generation_id.as_str()), (2, "g"));
    assert_eq!(changed.last_modified_at, NOW.plus_millis(1));
}

async fn a_version_in_force_is_not_deleted(db: Db) {
    db.write(|batch| batch.insert_policy(&policy(1), "1")).await.unwrap();
    let first = read(&db, 1).await;
    db.write(|batch| batch.insert_policy_version(&first, "2", false, NOW)).await.unwrap();
    let current = read(&db, 1).await;
    for version in [1, 3] {
        let refused = db.write(|batch| batch.delete_policy_version(&current, version)).await;
        assert_eq!(refused, Err(Error::Conflict), "{version}");
    }
    db.write(|batch| batch.delete_policy_version(&current, 2)).await.unwrap();
    assert_eq!(read(&db, 1).await.version_count, 1);
    assert_eq!(db.store.policy_version(scope(), &policy_name(1), 2).await, Ok(None));
}

async fn a_policy_with_versions_or_attachments_is_not_deleted(db: Db) {
    db.write(|batch| {
        batch.insert_policy(&policy(1), "1");
        batch.insert_certificate(&certificate(1), "");
        batch.attach_policy(scope(), &policy_name(1), id(1), NOW);
    })
    .await
    .unwrap();
    let attached = read(&db, 1).await;
    assert_eq!(db.write(|batch| batch.delete_policy(&attached)).await, Err(Error::Conflict));
    db.write(|batch| batch.detach_policy(scope(), &policy_name(1), id(1))).await.unwrap();
    db.write(|batch| batch.insert_policy_version(&attached, "2", false, NOW)).await.unwrap();
    let versions = read(&db, 1).await;
    assert_eq!(db.write(|batch| batch.delete_policy(&versions)).await, Err(Error::Conflict));
    db.write(|batch| batch.delete_policy_version(&versions, 2)).await.unwrap();
    let current = read(&db, 1).await;
    db.write(|batch| batch.delete_policy(&current)).await.unwrap();
    assert_eq!(db.store.policy(scope(), &policy_name(1)).await, Ok(None));
    assert_eq!(db.number("SELECT COUNT(*) FROM policy_versions").await, 0);
}

async fn policies_are_paged_by_creation(db: Db) {
    // Names whose order by bytes differs from that of a dictionary.
    let names = ["b", "B", "a.b", "a_b", "aB", "A", "_"];
    let mut all = Vec::new();
    for (number, name) in (0_i64..).zip(names) {
        let created_at = NOW.plus_millis(number / 4);
        let record = PolicyRecord { name: name.parse().unwrap(), created_at, ..policy(1) };
        db.write(|batch| batch.insert_policy(&record, "")).await.unwrap();
        all.push((created_at, record.name));
    }
    all.sort();
    for ascending in [true, false] {
        let mut found = Vec::new();
        loop {
            let page = Page { after: found.last().cloned(), ascending, limit: 2 };
            let page = db.store.policies(scope(), page).await.unwrap();
            if page.is_empty() {
                break;
            }
            found.extend(page.into_iter().map(|record| (record.created_at, record.name)));
        }
        if !ascending {
            found.reverse();
        }
        assert_eq!(found, all, "ascending: {ascending}");
    }
}

async fn attachments_are_paged_by_time(db: Db) {
    db.write(|batch| {
        for number in 1..=5 {
            batch.insert_policy(&policy(number), "");
            batch.insert_certificate(&certificate(number), "");
        }
        for number in 1..=5 {
            // The later the number, the earlier, two at a time.
            let at = NOW.plus_millis(i64::from((6 - number) / 2));
            batch.attach_policy(scope(), &policy_name(number), id(1), at);
            if number > 1 {
                batch.attach_policy(scope(), &policy_name(1), id(number), at);
            }
        }
    })
    .await
    .unwrap();
    let at = |millis| NOW.plus_millis(millis);
    let page = |after, ascending| Page { after, ascending, limit: 3 };
    let first = db.store.attached_policies(scope(), id(1), page(None, true)).await.unwrap();
    assert_eq!(first, [(at(0), policy_name(5)), (at(1), policy_name(3)), (at(1), policy_name(4))]);
    let rest = db.store.attached_policies(scope(), id(1), page(first.last().cloned(), true)).await.unwrap();
    assert_eq!(rest, [(at(2), policy_name(1)), (at(2), policy_name(2))]);
    let back = db.store.attached_policies(scope(), id(1), page(rest.first().cloned(), false)).await.unwrap();
    assert_eq!(back, first.into_iter().rev().collect::<Vec<_>>());

    let page = |after, ascending| Page { after, ascending, limit: 3 };
    let first = db.store.policy_targets(scope(), &policy_name(1), page(None, false)).await.unwrap();
    assert_eq!(first, [(at(2), id(2)), (at(2), id(1)), (at(1), id(4))]);
    let rest = db.store.policy_targets(scope(), &policy_name(1), page(first.last().copied(), false)).await.unwrap();
    assert_eq!(rest, [(at(1), id(3)), (at(0), id(5))]);
    assert_eq!(db.store.policy_targets(other_scope(), &policy_name(1), page(None, true)).await, Ok(vec![]));
}

async fn a_policy_is_attached_once(db: Db) {
    db.write(|batch| {
        batch.insert_policy(&policy(1), "");
        batch.insert_certificate(&certificate(1), "");
    })
    .await
    .unwrap();
    let attach = |batch: &mut gatehouse_store::Batch| batch.attach_policy(scope(), &policy_name(1), id(1), NOW);
    let detach = |batch: &mut gatehouse_store::Batch| batch.detach_policy(scope(), &policy_name(1), id(1));
    let attached = async || db.store.is_attached(scope(), &policy_name(1), id(1)).await;
    assert_eq!(attached().await, Ok(false));
    assert_eq!(db.write(detach).await, Err(Error::Conflict));
    db.write(attach).await.unwrap();
    assert_eq!(db.write(attach).await, Err(Error::Conflict));
    assert_eq!(attached().await, Ok(true));
    assert_eq!(read(&db, 1).await.attachment_count, 1);
    db.write(detach).await.unwrap();
    assert_eq!(db.write(detach).await, Err(Error::Conflict));
    assert_eq!(attached().await, Ok(false));
    assert_eq!(read(&db, 1).await.attachment_count, 0);
}

async fn the_eleventh_policy_is_not_attached(db: Db) {
    db.write(|batch| {
        batch.insert_certificate(&certificate(1), "");
        for number in 1..=11 {
            batch.insert_policy(&policy(number), "");
        }
        for number in 1..=10 {
            batch.attach_policy(scope(), &policy_name(number), id(1), NOW);
        }
    })
    .await
    .unwrap();
    let eleventh = db.write(|batch| batch.attach_policy(scope(), &policy_name(11), id(1), NOW)).await;
    assert_eq!(eleventh, Err(Error::Conflict));
    assert_eq!(read(&db, 11).await.attachment_count, 0);
}

async fn what_is_missing_is_not_attached(db: Db) {
    db.write(|batch| batch.insert_policy(&policy(1), "")).await.unwrap();
    db.write(|batch| batch.insert_certificate(&certificate(1), "")).await.unwrap();
    for (name, certificate) in [(policy_name(2), id(1)), (policy_name(1), id(2))] {
        let refused = db.write(|batch| batch.attach_policy(scope(), &name, certificate, NOW)).await;
        assert_eq!(refused, Err(Error::Conflict));
        let foreign = db.write(|batch| batch.attach_policy(other_scope(), &policy_name(1), id(1), NOW)).await;
        assert_eq!(foreign, Err(Error::Conflict));
    }
    assert_eq!(read(&db, 1).await.attachment_count, 0);
}
