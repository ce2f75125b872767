//! Billing groups: made, changed as they were read, counted, and deleted without touching the things in them.

use gatehouse_domain::limits;
use gatehouse_domain::name::ThingName;
use gatehouse_store::{BillingGroupRecord, CountedKind, Error, Page, ThingRecord};

use crate::harness::{Db, billing_group, on_both_engines, other_scope, scope, thing, thing_name};
use crate::races::{at_once, batch, wins};

on_both_engines!(
    a_group_is_made_changed_and_deleted,
    groups_are_found_by_prefix_before_paging,
    a_thing_is_in_one_group_at_most,
    a_group_made_again_has_none_of_the_things_of_the_former,
    membership_leaves_the_things_version_alone,
    a_scope_has_twenty_thousand_groups_however_many_come_at_once,
    a_thing_that_comes_in_while_the_group_goes_is_in_none,
    no_membership_is_lost_beside_updates_of_the_thing,
);

/// The name of the group that a thing is in.
async fn group_of(db: &Db, number: u32) -> Option<ThingName> {
    let thing = db.store.thing(scope(), &thing_name(number)).await.unwrap().unwrap();
    db.store.billing_group_of(&thing).await.unwrap().map(|group| group.name)
}

async fn members(db: &Db, group: &BillingGroupRecord) -> Vec<ThingName> {
    db.store.things_in_billing_group(group, Page::first(99)).await.unwrap()
}

async fn a_group_is_made_changed_and_deleted(db: Db) {
    let made = BillingGroupRecord { description: Some("é".into()), ..billing_group(1) };
    db.write(|batch| batch.insert_billing_group(&made)).await.unwrap();
    assert_eq!(db.write(|batch| batch.insert_billing_group(&billing_group(1))).await, Err(Error::Conflict));
    assert_eq!(db.store.billing_group(scope(), &made.name).await, Ok(Some(made.clone())));
    assert_eq!(db.store.billing_group(other_scope(), &made.name).await, Ok(None));
    db.write(|batch| batch.update_billing_group(&made, None)).await.unwrap();
    let changed = BillingGroupRecord { description: None, version: 2, ..made.clone() };
    assert_eq!(db.store.billing_group(scope(), &made.name).await, Ok(Some(changed.clone())));
    assert_eq!(db.write(|batch| batch.update_billing_group(&made, None)).await, Err(Error::Conflict));
    assert_eq!(db.write(|batch| batch.delete_billing_group(&made)).await, Err(Error::Conflict));
    db.write(|batch| batch.require_billing_group(scope(), &made.name)).await.unwrap();
    let elsewhere = db.write(|batch| batch.require_billing_group(other_scope(), &made.name)).await;
    assert_eq!(elsewhere, Err(Error::Conflict));
    assert_eq!(db.store.count_of(scope(), CountedKind::BillingGroup).await, Ok(1));
    db.write(|batch| batch.delete_billing_group(&changed)).await.unwrap();
    assert_eq!(db.store.count_of(scope(), CountedKind::BillingGroup).await, Ok(0));
    // Made again, it is another, whatever its version says.
    let again = BillingGroupRecord { billing_group_id: "other".into(), version: 2, ..changed.clone() };
    db.write(|batch| batch.insert_billing_group(&again)).await.unwrap();
    assert_eq!(db.write(|batch| batch.delete_billing_group(&changed)).await, Err(Error::Conflict));
    assert_eq!(db.write(|batch| batch.update_billing_group(&changed, None)).await, Err(Error::Conflict));
}

async fn groups_are_found_by_prefix_before_paging(db: Db) {
    for (number, name) in (0..).zip(["B", "a", "a_", "aa", "ab", "b"]) {
        let record = BillingGroupRecord { name: name.parse().unwrap(), ..billing_group(number) };
        db.write(|batch| batch.insert_billing_group(&record)).await.unwrap();
    }
    let found = async |prefix: Option<&str>, after: Option<&str>, ascending| -> Vec<String> {
        let prefix = prefix.map(|prefix| prefix.parse().unwrap());
        let page = Page { after: after.map(|after| after.parse().unwrap()), ascending, limit: 3 };
        let found = db.store.billing_groups(scope(), prefix.as_ref(), page).await.unwrap();
        found.into_iter().map(|record| record.name.to_string()).collect()
    };
    assert_eq!(found(None, None, true).await, ["B", "a", "a_"]);
    assert_eq!(found(None, Some("a_"), true).await, ["aa", "ab", "b"]);
    assert_eq!(found(Some("a"), None, true).await, ["a", "a_", "aa"]);
    assert_eq!(found(Some("a"), Some("aa"), true).await, ["ab"]);
    assert_eq!(found(Some("a"), Some("aa"), false).await, ["a_", "a"]);
    // A prefix is text and no pattern.
    assert_eq!(found(Some("a_"), None, true).await, ["a_"]);
    assert!(found(Some("c"), None, true).await.is_empty());
    assert_eq!(db.store.billing_groups(other_scope(), None, Page::first(9)).await, Ok(vec![]));
}

async fn a_thing_is_in_one_group_at_most(db: Db) {
    let (first, second) = (billing_group(1), billing_group(2));
    db.write(|batch| {
        batch.insert_billing_group(&first);
        batch.insert_billing_group(&second);
        for number in 1..=4 {
            batch.insert_thing(&thing(number));
        }
        batch.insert_thing(&ThingRecord { billing_group_id: Some(first.billing_group_id.clone()), ..thing(5) });
    })
    .await
    .unwrap();
    for number in 1..=4 {
        db.write(|batch| batch.add_to_billing_group(&thing(number), &first)).await.unwrap();
    }
    assert_eq!(members(&db, &first).await, [1, 2, 3, 4, 5].map(thing_name));
    let page = Page { after: Some(thing_name(4)), ascending: false, limit: 2 };
    assert_eq!(db.store.things_in_billing_group(&first, page).await.unwrap(), [3, 2].map(thing_name));
    // Added elsewhere, it moves.
    db.write(|batch| batch.add_to_billing_group(&thing(2), &second)).await.unwrap();
    assert_eq!((group_of(&db, 2).await, group_of(&db, 1).await), (Some(second.name.clone()), Some(first.name.clone())));
    assert_eq!(members(&db, &first).await, [1, 3, 4, 5].map(thing_name));
    assert_eq!(members(&db, &second).await, [thing_name(2)]);
    // It leaves the group that it is in, and no other.
    assert_eq!(db.write(|batch| batch.remove_from_billing_group(&thing(2), &first)).await, Err(Error::Conflict));
    db.write(|batch| batch.remove_from_billing_group(&thing(2), &second)).await.unwrap();
    assert_eq!(group_of(&db, 2).await, None);
    assert_eq!(db.write(|batch| batch.remove_from_billing_group(&thing(2), &second)).await, Err(Error::Conflict));
    // What is gone, or is another of the same name, is not added.
    let another = ThingRecord { thing_id: "other".into(), ..thing(2) };
    assert_eq!(db.write(|batch| batch.add_to_billing_group(&another, &first)).await, Err(Error::Conflict));
    assert_eq!(db.write(|batch| batch.add_to_billing_group(&thing(9), &first)).await, Err(Error::Conflict));
    db.write(|batch| batch.delete_thing(&thing(1))).await.unwrap();
    assert_eq!(members(&db, &first).await, [3, 4, 5].map(thing_name));
}

async fn a_group_made_again_has_none_of_the_things_of_the_former(db: Db) {
    let former = billing_group(1);
    db.write(|batch| {
        batch.insert_billing_group(&former);
        batch.insert_thing(&thing(1));
        batch.add_to_billing_group(&thing(1), &former);
    })
    .await
    .unwrap();
    db.write(|batch| batch.delete_billing_group(&former)).await.unwrap();
    assert_eq!(group_of(&db, 1).await, None);
    let again = BillingGroupRecord { billing_group_id: "another".into(), ..billing_group(1) };
    db.write(|batch| batch.insert_billing_group(&again)).await.unwrap();
    assert_eq!((group_of(&db, 1).await, members(&db, &again).await), (None, vec![]));
    db.write(|batch| batch.add_to_billing_group(&thing(1), &again)).await.unwrap();
    assert_eq!((group_of(&db, 1).await, members(&db, &again).await), (Some(again.name.clone()), vec![thing_name(1)]));
}

async fn membership_leaves_the_things_version_alone(db: Db) {
    db.write(|batch| {
        batch.insert_billing_group(&billing_group(1));
        batch.insert_thing(&thing(1));
        batch.add_to_billing_group(&thing(1), &billing_group(1));
    })
    .await
    .unwrap();
    let member = ThingRecord { billing_group_id: Some(billing_group(1).billing_group_id), ..thing(1) };
    assert_eq!(db.store.thing(scope(), &thing_name(1)).await, Ok(Some(member)));
    // An update of the thing as it was read before keeps the group.
    db.write(|batch| batch.update_thing(&thing(1), None, &[("a".to_owned(), "1".to_owned())].into())).await.unwrap();
    assert_eq!(group_of(&db, 1).await, Some(thing_name(1)));
}

async fn a_scope_has_twenty_thousand_groups_however_many_come_at_once(db: Db) {
    db.write(|batch| batch.insert_billing_group(&billing_group(0))).await.unwrap();
    db.run(&format!("UPDATE scope_counts SET item_count = {}", limits::BILLING_GROUPS - 1)).await;
    let make = |number| batch(|batch| batch.insert_billing_group(&billing_group(number)));
    assert_eq!(wins(&at_once(&db, (1..9).map(make).collect()).await), 1);
    assert_eq!(db.store.count_of(scope(), CountedKind::BillingGroup).await, Ok(limits::BILLING_GROUPS));
    let elsewhere = BillingGroupRecord { scope: other_scope(), ..billing_group(0) };
    db.write(|batch| batch.insert_billing_group(&elsewhere)).await.unwrap();
}

async fn a_thing_that_comes_in_while_the_group_goes_is_in_none(db: Db) {
    let mut batches = Vec::new();
    for number in 0..10 {
        let group = billing_group(number);
        db.write(|batch| {
            batch.insert_billing_group(&group);
            batch.insert_thing(&thing(number));
        })
        .await
        .unwrap();
        batches.push(batch(|batch| batch.add_to_billing_group(&thing(number), &group)));
        batches.push(batch(|batch| batch.delete_billing_group(&group)));
        batches.push(batch(|batch| {
            let id = Some(group.billing_group_id.clone());
            batch.insert_thing(&ThingRecord { billing_group_id: id, ..thing(100 + number) });
        }));
    }
    let outcomes = at_once(&db, batches).await;
    assert_eq!(wins(&outcomes), 30, "neither waits for the other");
    for number in 0..10 {
        assert_eq!((group_of(&db, number).await, group_of(&db, 100 + number).await), (None, None));
    }
    assert_eq!(db.store.count_of(scope(), CountedKind::BillingGroup).await, Ok(0));
}

async fn no_membership_is_lost_beside_updates_of_the_thing(db: Db) {
    db.write(|batch| batch.insert_billing_group(&billing_group(1))).await.unwrap();
    let mut batches = Vec::new();
    for number in 0..10 {
        db.write(|batch| batch.insert_thing(&thing(number))).await.unwrap();
        batches.push(batch(|batch| batch.add_to_billing_group(&thing(number), &billing_group(1))));
        let attributes = [("a".to_owned(), "1".to_owned())].into();
        batches.push(batch(|batch| batch.update_thing(&thing(number), None, &attributes)));
    }
    assert_eq!(wins(&at_once(&db, batches).await), 20);
    for number in 0..10 {
        let thing = db.store.thing(scope(), &thing_name(number)).await.unwrap().unwrap();
        assert_eq!((thing.version, thing.attributes.len()), (2, 1));
    }
    assert_eq!(members(&db, &billing_group(1)).await.len(), 10);
}
