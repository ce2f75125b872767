//! Role aliases: made, changed as they were read, counted.

use gatehouse_domain::limits;
use gatehouse_store::{CountedKind, Error, Page, RoleAliasRecord};

use crate::harness::{Db, NOW, on_both_engines, other_scope, scope};

on_both_engines!(
    an_alias_is_made_changed_and_deleted,
    aliases_are_listed_by_name_and_within_their_scope,
    a_scope_has_a_hundred_aliases_however_many_come_at_once,
);

fn alias(name: &str) -> RoleAliasRecord {
    RoleAliasRecord {
        scope: scope(),
        alias: name.parse().unwrap(),
        role_arn: "arn:aws:iam::123456789012:role/r".parse().unwrap(),
        duration_secs: 900,
        generation_id: format!("generation-{name}"),
        created_at: NOW,
        last_modified_at: NOW,
    }
}

async fn an_alias_is_made_changed_and_deleted(db: Db) {
    let made = alias("a");
    db.write(|batch| batch.insert_role_alias(&made)).await.unwrap();
    assert_eq!(db.write(|batch| batch.insert_role_alias(&made)).await, Err(Error::Conflict));
    // Capitals count.
    assert_eq!(db.store.role_alias(scope(), &"A".parse().unwrap()).await, Ok(None));
    let changed = RoleAliasRecord {
        role_arn: "arn:aws:iam::123456789012:role/other".parse().unwrap(),
        duration_secs: 43_200,
        generation_id: "changed".into(),
        last_modified_at: NOW.plus_millis(1),
        ..made.clone()
    };
    db.write(|batch| batch.update_role_alias(&made, &changed)).await.unwrap();
    assert_eq!(db.store.role_alias(scope(), &made.alias).await, Ok(Some(changed.clone())));
    assert_eq!(db.write(|batch| batch.update_role_alias(&made, &changed)).await, Err(Error::Conflict));
    assert_eq!(db.write(|batch| batch.delete_role_alias(&made)).await, Err(Error::Conflict));
    db.write(|batch| batch.require_role_alias(scope(), &made.alias)).await.unwrap();
    let elsewhere = db.write(|batch| batch.require_role_alias(other_scope(), &made.alias)).await;
    assert_eq!(elsewhere, Err(Error::Conflict));
    db.write(|batch| batch.delete_role_alias(&changed)).await.unwrap();
    assert_eq!(db.store.role_alias(scope(), &made.alias).await, Ok(None));
    assert_eq!(db.store.count_of(scope(), CountedKind::RoleAlias).await, Ok(0));
}

async fn aliases_are_listed_by_name_and_within_their_scope(db: Db) {
    for name in ["b", "B", "a", "c"] {
        db.write(|batch| batch.insert_role_alias(&alias(name))).await.unwrap();
    }
    db.write(|batch| batch.insert_role_alias(&RoleAliasRecord { scope: other_scope(), ..alias("a") })).await.unwrap();
    let listed = |page| async {
        let listed = db.store.role_aliases(scope(), page).await.unwrap();
        listed.iter().map(|record| record.alias.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed(Page::first(9)).await, ["B", "a", "b", "c"]);
    assert_eq!(listed(Page { after: Some("a".parse().unwrap()), ascending: true, limit: 1 }).await, ["b"]);
    assert_eq!(listed(Page { after: Some("a".parse().unwrap()), ascending: false, limit: 9 }).await, ["B"]);
    assert_eq!(db.store.count_of(other_scope(), CountedKind::RoleAlias).await, Ok(1));
}

async fn a_scope_has_a_hundred_aliases_however_many_come_at_once(db: Db) {
    for number in 1..limits::ROLE_ALIASES {
        db.write(|batch| batch.insert_role_alias(&alias(&format!("a{number}")))).await.unwrap();
    }
    let rivals: Vec<_> = (0..4)
        .map(|number| {
            let db = db.clone();
            tokio::spawn(async move { db.write(|batch| batch.insert_role_alias(&alias(&format!("b{number}")))).await })
        })
        .collect();
    let mut made = 0;
    for rival in rivals {
        match rival.await.unwrap() {
            Ok(()) => made += 1,
            Err(error) => assert_eq!(error, Error::Conflict),
        }
    }
    assert_eq!(made, 1);
    assert_eq!(db.store.count_of(scope(), CountedKind::RoleAlias).await, Ok(limits::ROLE_ALIASES));
    db.write(|batch| batch.insert_role_alias(&RoleAliasRecord { scope: other_scope(), ..alias("a") })).await.unwrap();
}
