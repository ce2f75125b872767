//! Thing types: made, changed as they were read, deleted when they are deprecated and have no things.

use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing_type::Properties;
use gatehouse_store::{Error, Page, ThingRecord, ThingTypeRecord};

use crate::harness::{Db, NOW, on_both_engines, other_scope, scope, thing, thing_name, thing_type};
use crate::races::{at_once, batch, wins};

on_both_engines!(
    a_type_reads_back_as_it_was_written,
    a_type_changes_only_as_it_was_read,
    a_type_that_is_in_use_or_has_things_is_not_deleted,
    types_are_listed_by_name_and_within_their_scope,
    holding_a_type_in_place_is_no_change,
    one_of_many_changes_at_once_wins,
    things_of_one_type_are_made_at_once,
    a_type_is_not_deleted_beside_a_thing_that_was_made_first,
    a_type_that_comes_into_use_again_is_not_deleted,
);

fn deprecated(record: &ThingTypeRecord) -> ThingTypeRecord {
    ThingTypeRecord { deprecated_at: Some(NOW), row_version: record.row_version + 1, ..record.clone() }
}

/// Makes a type that may be deleted.
async fn make_deprecated(db: &Db, number: u32) -> ThingTypeRecord {
    let (record, deprecated) = (thing_type(number), deprecated(&thing_type(number)));
    db.write(|batch| batch.insert_thing_type(&record)).await.unwrap();
    db.write(|batch| batch.update_thing_type(&record, &deprecated)).await.unwrap();
    deprecated
}

fn typed(number: u32, type_number: u32) -> ThingRecord {
    ThingRecord { thing_type_name: Some(thing_name(type_number)), ..thing(number) }
}

async fn a_type_reads_back_as_it_was_written(db: Db) {
    let record = ThingTypeRecord {
        properties: Properties {
            description: Some("é \"lamp\"".into()),
            searchable_attributes: ["b", "a#/@"].map(str::to_owned).into(),
        },
        deprecated_at: Some(NOW.plus_millis(1)),
        ..thing_type(1)
    };
    db.write(|batch| batch.insert_thing_type(&record)).await.unwrap();
    assert_eq!(db.write(|batch| batch.insert_thing_type(&thing_type(1))).await, Err(Error::Conflict));
    assert_eq!(db.store.thing_type(scope(), &record.name).await, Ok(Some(record.clone())));
    assert_eq!(db.store.thing_type(other_scope(), &record.name).await, Ok(None));
    db.write(|batch| batch.insert_thing_type(&ThingTypeRecord { scope: other_scope(), ..thing_type(1) }))
        .await
        .unwrap();
}

async fn a_type_changes_only_as_it_was_read(db: Db) {
    let first = thing_type(1);
    db.write(|batch| batch.insert_thing_type(&first)).await.unwrap();
    let properties = Properties { description: Some("d".into()), searchable_attributes: ["a".to_owned()].into() };
    let changed = ThingTypeRecord { properties, ..deprecated(&first) };
    db.write(|batch| batch.update_thing_type(&first, &changed)).await.unwrap();
    assert_eq!(db.store.thing_type(scope(), &first.name).await, Ok(Some(changed.clone())));
    assert_eq!(db.write(|batch| batch.update_thing_type(&first, &changed)).await, Err(Error::Conflict));
    assert_eq!(db.write(|batch| batch.delete_thing_type(&first)).await, Err(Error::Conflict));
    db.write(|batch| batch.delete_thing_type(&changed)).await.unwrap();
    assert_eq!(db.rows().await, 0);
    // Made again, it is another, whatever its version says.
    let again = ThingTypeRecord { thing_type_id: "other".into(), row_version: 2, ..changed.clone() };
    db.write(|batch| batch.insert_thing_type(&again)).await.unwrap();
    assert_eq!(db.write(|batch| batch.update_thing_type(&changed, &first)).await, Err(Error::Conflict));
    assert_eq!(db.write(|batch| batch.delete_thing_type(&changed)).await, Err(Error::Conflict));
}

async fn a_type_that_is_in_use_or_has_things_is_not_deleted(db: Db) {
    db.write(|batch| batch.insert_thing_type(&thing_type(1))).await.unwrap();
    assert_eq!(db.write(|batch| batch.delete_thing_type(&thing_type(1))).await, Err(Error::Conflict));
    let deprecated = make_deprecated(&db, 2).await;
    let (member, elsewhere) = (typed(1, 2), ThingRecord { scope: other_scope(), ..typed(1, 2) });
    for record in [&member, &elsewhere] {
        db.write(|batch| batch.insert_thing(record)).await.unwrap();
    }
    assert_eq!(db.store.has_things_of_type(scope(), &thing_name(2)).await, Ok(true));
    assert_eq!(db.store.has_things_of_type(scope(), &thing_name(1)).await, Ok(false));
    assert_eq!(db.write(|batch| batch.delete_thing_type(&deprecated)).await, Err(Error::Conflict));
    // Another tenant's things of a type of the same name do not count.
    db.write(|batch| batch.update_thing(&member, None, &member.attributes)).await.unwrap();
    assert_eq!(db.store.has_things_of_type(scope(), &thing_name(2)).await, Ok(false));
    assert_eq!(db.store.has_things_of_type(other_scope(), &thing_name(2)).await, Ok(true));
    db.write(|batch| batch.delete_thing_type(&deprecated)).await.unwrap();
}

async fn types_are_listed_by_name_and_within_their_scope(db: Db) {
    for number in [3, 1, 2] {
        db.write(|batch| batch.insert_thing_type(&thing_type(number))).await.unwrap();
    }
    db.write(|batch| batch.insert_thing_type(&ThingTypeRecord { scope: other_scope(), ..thing_type(9) }))
        .await
        .unwrap();
    let listed = async |page| -> Vec<ThingName> {
        let found = db.store.thing_types(scope(), page).await.unwrap();
        found.into_iter().map(|record| record.name).collect()
    };
    assert_eq!(listed(Page::first(2)).await, [1, 2].map(thing_name));
    assert_eq!(listed(Page { after: Some(thing_name(2)), ascending: true, limit: 9 }).await, [thing_name(3)]);
    assert_eq!(listed(Page { after: Some(thing_name(2)), ascending: false, limit: 9 }).await, [thing_name(1)]);
}

async fn holding_a_type_in_place_is_no_change(db: Db) {
    let deprecated = make_deprecated(&db, 1).await;
    db.write(|batch| batch.require_thing_type(scope(), &deprecated.name)).await.unwrap();
    db.write(|batch| batch.delete_thing_type(&deprecated)).await.unwrap();
    let gone = db.write(|batch| batch.require_thing_type(scope(), &deprecated.name)).await;
    assert_eq!(gone, Err(Error::Conflict));
}

async fn one_of_many_changes_at_once_wins(db: Db) {
    let first = thing_type(1);
    db.write(|batch| batch.insert_thing_type(&first)).await.unwrap();
    let change = |_| batch(|batch| batch.update_thing_type(&first, &deprecated(&first)));
    assert_eq!(wins(&at_once(&db, (0..16).map(change).collect()).await), 1);
    assert_eq!(db.store.thing_type(scope(), &first.name).await.unwrap().unwrap().row_version, 2);
}

async fn things_of_one_type_are_made_at_once(db: Db) {
    db.write(|batch| batch.insert_thing_type(&thing_type(1))).await.unwrap();
    let make = |number| batch(|batch| batch.insert_thing(&typed(number, 1)));
    let outcomes = at_once(&db, (0..20).map(make).collect()).await;
    assert_eq!(wins(&outcomes), 20);
    // The type's row was left alone.
    assert_eq!(db.store.thing_type(scope(), &thing_name(1)).await, Ok(Some(thing_type(1))));
}

async fn a_type_is_not_deleted_beside_a_thing_that_was_made_first(db: Db) {
    for number in 0..10 {
        let deprecated = make_deprecated(&db, number).await;
        // It had been on its way since before the deprecation, and is there when the five minutes are over.
        db.write(|batch| batch.insert_thing(&typed(number, number))).await.unwrap();
        let member = typed(number, number);
        let delete = batch(|batch| batch.delete_thing_type(&deprecated));
        let keep = batch(|batch| batch.update_thing(&member, Some(&thing_name(number)), &member.attributes));
        let outcomes = at_once(&db, vec![delete, keep]).await;
        assert_eq!(outcomes, [Err(Error::Conflict), Ok(())]);
        // Of letting go and deleting, the deletion wins only when it comes second.
        let member = ThingRecord { version: 2, ..member };
        let delete = batch(|batch| batch.delete_thing_type(&deprecated));
        let release = batch(|batch| batch.update_thing(&member, None, &member.attributes));
        let outcomes = at_once(&db, vec![delete, release]).await;
        assert_eq!(outcomes[1], Ok(()));
        let left = db.store.thing_type(scope(), &thing_name(number)).await.unwrap();
        assert_eq!(left.is_none(), outcomes[0].is_ok());
    }
}

async fn a_type_that_comes_into_use_again_is_not_deleted(db: Db) {
    for number in 0..10 {
        let deprecated = make_deprecated(&db, number).await;
        let in_use = ThingTypeRecord { deprecated_at: None, ..deprecated.clone() };
        let delete = batch(|batch| batch.delete_thing_type(&deprecated));
        let undo = batch(|batch| batch.update_thing_type(&deprecated, &in_use));
        let outcomes = at_once(&db, vec![delete, undo]).await;
        assert_eq!(wins(&outcomes), 1, "{outcomes:?}");
        let left = db.store.thing_type(scope(), &thing_name(number)).await.unwrap();
        assert_eq!(left.is_none(), outcomes[0].is_ok());
    }
}
