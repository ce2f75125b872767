//! Things and the certificates attached to them.

use std::collections::BTreeMap;

use gatehouse_domain::name::ThingName;
use gatehouse_store::{Error, Page, ThingFilter, ThingRecord};

use crate::harness::{Db, NOW, certificate, id, on_both_engines, other_scope, scope, thing, thing_name};

on_both_engines!(
    a_thing_reads_back_as_it_was_written,
    a_thing_changes_only_as_it_was_read,
    things_are_filtered_before_paging,
    a_thing_with_certificates_is_not_deleted,
    principals_and_things_are_paged,
    an_exclusive_certificate_has_one_thing,
    what_is_missing_is_not_attached,
);

fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

async fn a_thing_reads_back_as_it_was_written(db: Db) {
    let record = ThingRecord {
        thing_type_name: Some(thing_name(77)),
        attributes: attributes(&[("a", "1"), ("b", "=[x]")]),
        ..thing(1)
    };
    db.write(|batch| batch.insert_thing(&record)).await.unwrap();
    assert_eq!(db.write(|batch| batch.insert_thing(&record)).await, Err(Error::Conflict));
    assert_eq!(db.store.thing(scope(), &record.name).await, Ok(Some(record.clone())));
    assert_eq!(db.store.thing(other_scope(), &record.name).await, Ok(None));
}

async fn a_thing_changes_only_as_it_was_read(db: Db) {
    let first = ThingRecord { attributes: attributes(&[("a", "1"), ("b", "2")]), ..thing(1) };
    db.write(|batch| batch.insert_thing(&first)).await.unwrap();
    let next = attributes(&[("b", "3")]);
    db.write(|batch| batch.update_thing(&first, Some(&thing_name(9)), &next)).await.unwrap();
    let stale = db.write(|batch| batch.update_thing(&first, None, &next)).await;
    assert_eq!(stale, Err(Error::Conflict));
    let changed = ThingRecord { thing_type_name: Some(thing_name(9)), attributes: next, version: 2, ..first.clone() };
    assert_eq!(db.store.thing(scope(), &first.name).await, Ok(Some(changed.clone())));
    assert_eq!(db.number("SELECT COUNT(*) FROM thing_attributes WHERE value = '3'").await, 1);
    assert_eq!(db.number("SELECT COUNT(*) FROM thing_attributes").await, 1);
    assert_eq!(db.write(|batch| batch.delete_thing(&first)).await, Err(Error::Conflict));
    db.write(|batch| batch.delete_thing(&changed)).await.unwrap();
    assert_eq!(db.rows().await, 0);
    // Made again, it is another, whatever its version says.
    let again = ThingRecord { thing_id: "other".into(), version: 2, ..thing(1) };
    db.write(|batch| batch.insert_thing(&again)).await.unwrap();
    assert_eq!(db.write(|batch| batch.delete_thing(&changed)).await, Err(Error::Conflict));
}

async fn things_are_filtered_before_paging(db: Db) {
    for (number, type_name, pairs) in [
        (1, None, &[("color", "red")][..]),
        (2, Some(1), &[("color", "red"), ("size", "red")]),
        (3, Some(1), &[("color", "reddish")]),
        (4, Some(2), &[("size", "red")]),
        (5, Some(2), &[("color", "blue")]),
    ] {
        let record = ThingRecord {
            thing_type_name: type_name.map(|number: u32| thing_name(number + 100)),
            attributes: attributes(pairs),
            ..thing(number)
        };
        db.write(|batch| batch.insert_thing(&record)).await.unwrap();
    }
    let filter = |attribute: Option<(&str, &str)>, prefix_value, type_number: Option<u32>| ThingFilter {
        attribute: attribute.map(|(key, value)| (key.into(), value.into())),
        prefix_value,
        thing_type_name: type_number.map(|number| thing_name(number + 100)),
    };
    for (filter, expected) in [
        (ThingFilter::default(), &[1, 2, 3, 4, 5][..]),
        (filter(Some(("color", "red")), false, None), &[1, 2]),
        (filter(Some(("color", "red")), true, None), &[1, 2, 3]),
        (filter(Some(("color", "")), true, None), &[1, 2, 3, 5]),
        (filter(Some(("color", "red")), true, Some(1)), &[2, 3]),
        (filter(None, false, Some(2)), &[4, 5]),
        (filter(Some(("shape", "red")), false, None), &[]),
        (filter(Some(("color", "r%")), true, None), &[]),
    ] {
        for ascending in [true, false] {
            let mut found: Vec<ThingName> = Vec::new();
            loop {
                let page = Page { after: found.last().cloned(), ascending, limit: 2 };
                let page = db.store.things(scope(), &filter, page).await.unwrap();
                if page.is_empty() {
                    break;
                }
                found.extend(page.into_iter().map(|record| record.name));
            }
            if !ascending {
                found.reverse();
            }
            let expected: Vec<ThingName> = expected.iter().map(|number| thing_name(*number)).collect();
            assert_eq!(found, expected, "{filter:?}");
        }
    }
    assert_eq!(db.store.things(other_scope(), &ThingFilter::default(), Page::first(9)).await, Ok(vec![]));
}

async fn a_thing_with_certificates_is_not_deleted(db: Db) {
    db.write(|batch| {
        batch.insert_thing(&thing(1));
        batch.insert_certificate(&certificate(1), "");
        batch.attach_thing_principal(scope(), &thing_name(1), id(1), false, NOW);
    })
    .await
    .unwrap();
    let record = db.store.thing(scope(), &thing_name(1)).await.unwrap().unwrap();
    assert_eq!(record.principal_count, 1);
    assert_eq!(db.write(|batch| batch.delete_thing(&record)).await, Err(Error::Conflict));
    db.write(|batch| batch.detach_thing_principal(scope(), &thing_name(1), id(1))).await.unwrap();
    db.write(|batch| batch.delete_thing(&record)).await.unwrap();
}

async fn principals_and_things_are_paged(db: Db) {
    db.write(|batch| {
        for number in 1..=5 {
            batch.insert_thing(&thing(number));
            batch.insert_certificate(&certificate(number), "");
        }
        for number in 1..=5 {
            batch.attach_thing_principal(scope(), &thing_name(number), id(1), false, NOW);
            if number > 1 {
                batch.attach_thing_principal(scope(), &thing_name(1), id(number), number == 3, NOW);
            }
        }
    })
    .await
    .unwrap();
    let things = async |exclusive, after: Option<u32>, ascending| -> Vec<ThingName> {
        let page = Page { after: after.map(thing_name), ascending, limit: 3 };
        let found = db.store.principal_things(scope(), id(1), exclusive, page).await.unwrap();
        found.into_iter().map(|attachment| attachment.thing_name).collect()
    };
    assert_eq!(things(None, None, true).await, [1, 2, 3].map(thing_name));
    assert_eq!(things(None, Some(3), true).await, [4, 5].map(thing_name));
    assert_eq!(things(Some(false), Some(3), false).await, [2, 1].map(thing_name));
    assert_eq!(things(Some(true), None, true).await, []);
    let principals = async |exclusive, after: Option<u32>, ascending| {
        let page = Page { after: after.map(id), ascending, limit: 3 };
        let found = db.store.thing_principals(scope(), &thing_name(1), exclusive, page).await.unwrap();
        found.into_iter().map(|attachment| attachment.certificate_id).collect::<Vec<_>>()
    };
    assert_eq!(principals(None, None, true).await, [1, 2, 3].map(id));
    assert_eq!(principals(None, Some(4), false).await, [3, 2, 1].map(id));
    assert_eq!(principals(Some(false), Some(2), true).await, [4, 5].map(id));
    assert_eq!(principals(Some(true), None, true).await, [id(3)]);
    let one = db.store.thing_attachment(scope(), &thing_name(1), id(3)).await.unwrap().unwrap();
    assert!(one.exclusive && one.attached_at == NOW);
    assert_eq!(db.store.thing_attachment(scope(), &thing_name(2), id(3)).await, Ok(None));
}

async fn an_exclusive_certificate_has_one_thing(db: Db) {
    db.write(|batch| {
        for number in 1..=2 {
            batch.insert_thing(&thing(number));
            batch.insert_certificate(&certificate(number), "");
        }
    })
    .await
    .unwrap();
    let attach = async |thing, certificate, exclusive| {
        db.write(|batch| {
            batch.attach_thing_principal(scope(), &thing_name(thing), id(certificate), exclusive, NOW);
        })
        .await
    };
    attach(1, 1, true).await.unwrap();
    for exclusive in [true, false] {
        assert_eq!(attach(2, 1, exclusive).await, Err(Error::Conflict));
        assert_eq!(attach(1, 1, exclusive).await, Err(Error::Conflict));
    }
    // A thing may have many.
    attach(1, 2, true).await.unwrap();
    db.write(|batch| batch.detach_thing_principal(scope(), &thing_name(1), id(1))).await.unwrap();
    attach(2, 1, false).await.unwrap();
    assert_eq!(attach(1, 1, true).await, Err(Error::Conflict));
    attach(1, 1, false).await.unwrap();
    assert_eq!(db.store.certificate(scope(), id(1)).await.unwrap().unwrap().thing_count, 2);
    assert_eq!(db.store.thing(scope(), &thing_name(1)).await.unwrap().unwrap().principal_count, 2);
}

async fn what_is_missing_is_not_attached(db: Db) {
    db.write(|batch| {
        batch.insert_thing(&thing(1));
        batch.insert_certificate(&certificate(1), "");
    })
    .await
    .unwrap();
    let rows = db.rows().await;
    for (thing, certificate) in [(1, 2), (2, 1)] {
        let refused = db
            .write(|batch| batch.attach_thing_principal(scope(), &thing_name(thing), id(certificate), false, NOW))
            .await;
        assert_eq!(refused, Err(Error::Conflict));
    }
    let refused = db.write(|batch| batch.detach_thing_principal(scope(), &thing_name(1), id(1))).await;
    assert_eq!(refused, Err(Error::Conflict));
    assert_eq!(db.rows().await, rows);
    assert_eq!(db.store.thing(scope(), &thing_name(1)).await, Ok(Some(thing(1))));
    assert_eq!(db.store.certificate(scope(), id(1)).await, Ok(Some(certificate(1))));
}
