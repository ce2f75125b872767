//! Thing groups: their tree, their things and their policies.

use gatehouse_domain::limits;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing_group::GroupConfiguration;
use gatehouse_store::{Error, GroupPosition, Page, ThingGroupFilter, ThingGroupRecord};

use crate::harness::{
    Db, NOW, on_both_engines, other_scope, policy, policy_name, scope, thing, thing_group, thing_name,
};

on_both_engines!(
    a_group_reads_back_changes_and_goes,
    a_group_with_children_stays,
    a_group_has_a_hundred_children_however_many_come_at_once,
    groups_are_listed_by_their_place_and_name,
    things_enter_and_leave_as_they_were_read,
    a_group_that_is_gone_has_no_things_and_is_swept,
    things_below_a_group_are_told_once,
    policies_go_with_their_group,
    a_group_has_ten_policies_however_many_come_at_once,
);

fn name(text: &str) -> ThingName {
    text.parse().unwrap()
}

async fn insert(db: &Db, groups: &[(&str, &[&str])]) {
    for (name, ancestors) in groups {
        db.write(|batch| batch.insert_thing_group(&thing_group(name, ancestors))).await.unwrap();
    }
}

async fn read(db: &Db, text: &str) -> ThingGroupRecord {
    db.store.thing_group(scope(), &name(text)).await.unwrap().unwrap()
}

async fn enter(db: &Db, number: u32, groups: &[&str]) {
    let memberships = db.store.memberships(scope(), &thing_name(number)).await.unwrap().unwrap();
    let mut entered = Vec::new();
    for group in groups {
        entered.push(read(db, group).await);
    }
    db.write(|batch| batch.change_memberships(&memberships, &entered, &[])).await.unwrap();
}

async fn groups_of(db: &Db, number: u32) -> Vec<String> {
    let groups = db.store.groups_of_thing(scope(), &thing_name(number)).await.unwrap();
    groups.iter().map(|group| group.name.as_str().to_owned()).collect()
}

async fn a_group_reads_back_changes_and_goes(db: Db) {
    let made = ThingGroupRecord {
        description: Some("d".into()),
        attributes: [("a".into(), "1".into())].into(),
        ..thing_group("g", &[])
    };
    db.write(|batch| batch.insert_thing_group(&made)).await.unwrap();
    assert_eq!(db.write(|batch| batch.insert_thing_group(&made)).await, Err(Error::Conflict));
    assert_eq!(read(&db, "g").await, made);
    assert_eq!(db.store.thing_group(other_scope(), &made.name).await, Ok(None));
    let changed = GroupConfiguration { parent: None, description: None, attributes: [].into() };
    db.write(|batch| batch.update_thing_group(&made, &changed)).await.unwrap();
    assert_eq!(db.write(|batch| batch.update_thing_group(&made, &changed)).await, Err(Error::Conflict));
    assert_eq!(db.write(|batch| batch.delete_thing_group(&made)).await, Err(Error::Conflict));
    let read = read(&db, "g").await;
    assert_eq!(read, ThingGroupRecord { description: None, attributes: [].into(), version: 2, ..made });
    db.write(|batch| batch.require_thing_group(scope(), &read.name)).await.unwrap();
    db.write(|batch| batch.delete_thing_group(&read)).await.unwrap();
    assert_eq!(db.write(|batch| batch.require_thing_group(scope(), &read.name)).await, Err(Error::Conflict));
    assert_eq!(db.store.sweep_thing_groups(NOW).await, Ok(false));
    assert_eq!(db.rows().await, 0);
}

async fn a_group_with_children_stays(db: Db) {
    insert(&db, &[("a", &[]), ("b", &["a"]), ("c", &["a", "b"])]).await;
    for group in ["a", "b"] {
        let record = read(&db, group).await;
        assert_eq!(record.child_count, 1);
        assert_eq!(db.write(|batch| batch.delete_thing_group(&record)).await, Err(Error::Conflict));
    }
    let orphan = db.write(|batch| batch.insert_thing_group(&thing_group("x", &["missing"]))).await;
    assert_eq!(orphan, Err(Error::Conflict));
    // A parent that was deleted and made again elsewhere is another one.
    for elsewhere in [thing_group("x", &["b"]), thing_group("x", &["b", "a"]), thing_group("x", &["a", "b", "a"])] {
        assert_eq!(db.write(|batch| batch.insert_thing_group(&elsewhere)).await, Err(Error::Conflict));
    }
    for group in ["c", "b", "a"] {
        let record = read(&db, group).await;
        db.write(|batch| batch.delete_thing_group(&record)).await.unwrap();
    }
    while db.store.sweep_thing_groups(NOW).await.unwrap() {}
    assert_eq!(db.rows().await, 0);
}

async fn a_group_has_a_hundred_children_however_many_come_at_once(db: Db) {
    insert(&db, &[("p", &[])]).await;
    for number in 1..limits::THING_GROUP_CHILDREN {
        let child = thing_group(&format!("c{number}"), &["p"]);
        db.write(|batch| batch.insert_thing_group(&child)).await.unwrap();
    }
    let rivals = (0..4).map(|number| {
        let db = db.clone();
        let child = thing_group(&format!("x{number}"), &["p"]);
        tokio::spawn(async move { db.write(|batch| batch.insert_thing_group(&child)).await })
    });
    let mut made = 0;
    for rival in rivals.collect::<Vec<_>>() {
        match rival.await.unwrap() {
            Ok(()) => made += 1,
            Err(error) => assert_eq!(error, Error::Conflict),
        }
    }
    assert_eq!(made, 1);
    assert_eq!(read(&db, "p").await.child_count, limits::THING_GROUP_CHILDREN);
}

async fn groups_are_listed_by_their_place_and_name(db: Db) {
    insert(&db, &[("a", &[]), ("b", &["a"]), ("ba", &["a", "b"]), ("c", &["a"]), ("d", &[])]).await;
    let elsewhere = ThingGroupRecord { scope: other_scope(), group_id: "other".into(), ..thing_group("a", &[]) };
    db.write(|batch| batch.insert_thing_group(&elsewhere)).await.unwrap();
    for (position, prefix, after, listed) in [
        (GroupPosition::Any, None, None, vec!["a", "b", "ba", "c", "d"]),
        (GroupPosition::Any, Some("b"), None, vec!["b", "ba"]),
        (GroupPosition::Any, Some("b"), Some("b"), vec!["ba"]),
        (GroupPosition::Root, None, None, vec!["a", "d"]),
        (GroupPosition::ChildOf(name("a")), None, None, vec!["b", "c"]),
        (GroupPosition::ChildOf(name("a")), Some("c"), None, vec!["c"]),
        (GroupPosition::Below(name("a")), None, None, vec!["b", "ba", "c"]),
        (GroupPosition::Below(name("a")), Some("ba"), None, vec!["ba"]),
        (GroupPosition::Below(name("a")), None, Some("b"), vec!["ba", "c"]),
        (GroupPosition::Below(name("d")), None, None, vec![]),
    ] {
        let filter = ThingGroupFilter { position, name_prefix: prefix.map(name) };
        let page = Page { after: after.map(name), ..Page::first(9) };
        let groups = db.store.thing_groups(scope(), &filter, page).await.unwrap();
        assert_eq!(groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), listed, "{filter:?}");
    }
}

async fn things_enter_and_leave_as_they_were_read(db: Db) {
    insert(&db, &[("a", &[]), ("b", &[])]).await;
    db.write(|batch| batch.insert_thing(&thing(1))).await.unwrap();
    assert_eq!(db.store.memberships(scope(), &thing_name(2)).await, Ok(None));
    let stale = db.store.memberships(scope(), &thing_name(1)).await.unwrap().unwrap();
    enter(&db, 1, &["a", "b"]).await;
    assert_eq!(groups_of(&db, 1).await, ["a", "b"]);
    let a = read(&db, "a").await;
    let late = db.write(|batch| batch.change_memberships(&stale, &[], std::slice::from_ref(&a))).await;
    assert_eq!(late, Err(Error::Conflict));
    let current = db.store.memberships(scope(), &thing_name(1)).await.unwrap().unwrap();
    db.write(|batch| batch.change_memberships(&current, &[], &[a])).await.unwrap();
    assert_eq!(groups_of(&db, 1).await, ["b"]);
    let things = db.store.things_in_group(&read(&db, "b").await, Page::first(9)).await;
    assert_eq!(things, Ok(vec![thing_name(1)]));
    // A deleted thing is in no group, and one made again under its name is not either.
    let record = db.store.thing(scope(), &thing_name(1)).await.unwrap().unwrap();
    db.write(|batch| batch.delete_thing(&record)).await.unwrap();
    db.write(|batch| batch.insert_thing(&thing(1))).await.unwrap();
    assert!(groups_of(&db, 1).await.is_empty());
}

async fn a_group_that_is_gone_has_no_things_and_is_swept(db: Db) {
    insert(&db, &[("a", &[])]).await;
    for number in 0..1_100 {
        db.write(|batch| batch.insert_thing(&thing(number))).await.unwrap();
        enter(&db, number, &["a"]).await;
    }
    let record = read(&db, "a").await;
    let memberships = db.store.memberships(scope(), &thing_name(1)).await.unwrap().unwrap();
    db.write(|batch| batch.delete_thing_group(&record)).await.unwrap();
    assert!(groups_of(&db, 1).await.is_empty());
    // Whoever read it while it was there does not enter it any more, nor the one that comes after it.
    let late = db.write(|batch| batch.change_memberships(&memberships, std::slice::from_ref(&record), &[])).await;
    assert_eq!(late, Err(Error::Conflict));
    let again = ThingGroupRecord { group_id: "another".into(), ..record };
    db.write(|batch| batch.insert_thing_group(&again)).await.unwrap();
    assert_eq!(db.store.things_in_group(&again, Page::first(9)).await, Ok(vec![]));
    assert!(groups_of(&db, 1).await.is_empty());
    assert_eq!(db.store.sweep_thing_groups(NOW).await, Ok(true));
    assert_eq!(db.number("SELECT COUNT(*) FROM thing_group_members").await, 100);
    assert_eq!(db.store.sweep_thing_groups(NOW).await, Ok(false));
    assert_eq!(db.number("SELECT COUNT(*) FROM thing_group_members").await, 0);
    enter(&db, 1, &["a"]).await;
    assert_eq!(groups_of(&db, 1).await, ["a"]);
}

async fn things_below_a_group_are_told_once(db: Db) {
    insert(&db, &[("a", &[]), ("b", &["a"]), ("c", &["a"]), ("d", &["a", "c"])]).await;
    for number in 1..5 {
        db.write(|batch| batch.insert_thing(&thing(number))).await.unwrap();
    }
    enter(&db, 1, &["b", "c"]).await;
    enter(&db, 2, &["a"]).await;
    enter(&db, 3, &["d"]).await;
    let group = read(&db, "a").await;
    let all = db.store.things_below_group(&group, Page::first(9)).await;
    assert_eq!(all, Ok(vec![thing_name(1), thing_name(2), thing_name(3)]));
    let rest = db.store.things_below_group(&group, Page { after: Some(thing_name(1)), ..Page::first(1) }).await;
    assert_eq!(rest, Ok(vec![thing_name(2)]));
    assert_eq!(db.store.things_in_group(&group, Page::first(9)).await, Ok(vec![thing_name(2)]));
}

async fn policies_go_with_their_group(db: Db) {
    insert(&db, &[("a", &[]), ("b", &["a"])]).await;
    for number in 1..4 {
        db.write(|batch| batch.insert_policy(&policy(number), "{}")).await.unwrap();
    }
    for (number, group) in [(1, "a"), (2, "a"), (2, "b"), (3, "b")] {
        db.write(|batch| batch.attach_group_policy(scope(), &policy_name(number), &name(group), NOW)).await.unwrap();
    }
    let again = db.write(|batch| batch.attach_group_policy(scope(), &policy_name(1), &name("a"), NOW)).await;
    assert_eq!(again, Err(Error::Conflict));
    let of = async |groups: &[&str]| {
        let groups: Vec<ThingName> = groups.iter().map(|text| name(text)).collect();
        db.store.policies_of_groups(scope(), &groups).await.unwrap()
    };
    assert_eq!(of(&[]).await, []);
    assert_eq!(of(&["a"]).await, [policy_name(1), policy_name(2)]);
    assert_eq!(of(&["a", "b", "x"]).await, [policy_name(1), policy_name(2), policy_name(3)]);
    let of_two = db.store.policy_groups(scope(), &policy_name(2), Page::first(9)).await;
    assert_eq!(of_two, Ok(vec![(NOW, name("a")), (NOW, name("b"))]));
    assert_eq!(db.store.is_attached_to_group(scope(), &policy_name(3), &name("b")).await, Ok(true));
    assert_eq!(db.store.is_attached_to_group(scope(), &policy_name(3), &name("a")).await, Ok(false));
    db.write(|batch| batch.detach_group_policy(scope(), &policy_name(3), &name("b"))).await.unwrap();
    let not_attached = db.write(|batch| batch.detach_group_policy(scope(), &policy_name(3), &name("b"))).await;
    assert_eq!(not_attached, Err(Error::Conflict));
    // The count in the record is the one that was read: with another policy, the group is another.
    let b = read(&db, "b").await;
    let outdated = ThingGroupRecord { policy_count: 0, ..b.clone() };
    assert_eq!(db.write(|batch| batch.delete_thing_group(&outdated)).await, Err(Error::Conflict));
    db.write(|batch| batch.delete_thing_group(&b)).await.unwrap();
    let counts = async |number| db.store.policy(scope(), &policy_name(number)).await.unwrap().unwrap().attachment_count;
    assert_eq!((counts(1).await, counts(2).await, counts(3).await), (1, 1, 0));
}

async fn a_group_has_ten_policies_however_many_come_at_once(db: Db) {
    insert(&db, &[("a", &[])]).await;
    for number in 0..13 {
        db.write(|batch| batch.insert_policy(&policy(number), "{}")).await.unwrap();
    }
    for number in 0..9 {
        db.write(|batch| batch.attach_group_policy(scope(), &policy_name(number), &name("a"), NOW)).await.unwrap();
    }
    let rivals = (9..13).map(|number| {
        let db = db.clone();
        tokio::spawn(async move {
            db.write(|batch| batch.attach_group_policy(scope(), &policy_name(number), &name("a"), NOW)).await
        })
    });
    let mut attached = 0;
    for rival in rivals.collect::<Vec<_>>() {
        match rival.await.unwrap() {
            Ok(()) => attached += 1,
            Err(error) => assert_eq!(error, Error::Conflict),
        }
    }
    assert_eq!((attached, read(&db, "a").await.policy_count), (1, limits::POLICIES_PER_THING_GROUP));
}
