//! Messages that wait to be published: there when the change is, in their order, until somebody removes them.

use gatehouse_domain::event::Event;
use gatehouse_domain::registry_event::RegistryMessage;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use gatehouse_domain::topic::TopicName;
use gatehouse_store::Error;

use crate::harness::{Db, NOW, on_both_engines, other_scope, scope, thing, thing_group, thing_name};

on_both_engines!(
    a_message_comes_with_the_change,
    scopes_are_found_one_by_one,
    old_messages_are_dropped,
    memberships_are_held_as_they_were_read,
);

fn message(scope: Scope, number: u32, told_at: Timestamp) -> RegistryMessage {
    let topic = TopicName::of_service(&format!("$aws/events/thing/t{number}/created")).unwrap();
    RegistryMessage { scope, topic, payload: format!("{{\"number\":\"{number} \u{fc}\"}}"), told_at }
}

/// The messages that wait in a scope.
async fn waiting(db: &Db, scope: Scope) -> Vec<RegistryMessage> {
    db.store.registry_messages(scope, 100).await.unwrap().into_iter().map(|waiting| waiting.message).collect()
}

async fn a_message_comes_with_the_change(db: Db) {
    let before = db.store.last_epoch().await.unwrap();
    let told: Vec<_> = (0..3).map(|number| message(scope(), number, NOW)).collect();
    db.write(|batch| {
        batch.tell(&told[0]);
        batch.insert_thing(&thing(1));
        batch.tell(&told[1]);
        batch.tell(&message(other_scope(), 9, NOW));
    })
    .await
    .unwrap();
    db.write(|batch| batch.tell(&told[2])).await.unwrap();
    assert_eq!(waiting(&db, scope()).await, told);
    assert_eq!(waiting(&db, other_scope()).await, [message(other_scope(), 9, NOW)]);
    // A scope is announced once for each commit.
    let events: Vec<Event> =
        db.store.events_after(before, 100).await.unwrap().into_iter().map(|logged| logged.event).collect();
    let [here, there] = [scope(), other_scope()].map(|scope| Event::Outbox { scope });
    assert_eq!(events, [here.clone(), there, here]);

    // What loses a race says nothing.
    let lost = db
        .write(|batch| {
            batch.tell(&told[0]);
            batch.insert_thing(&thing(1));
        })
        .await;
    assert_eq!(lost, Err(Error::Conflict));
    assert_eq!(waiting(&db, scope()).await, told);

    // A part of them, and again what is gone already.
    let first = db.store.registry_messages(scope(), 2).await.unwrap();
    let ids: Vec<i64> = first.iter().map(|waiting| waiting.message_id).collect();
    for _ in 0..2 {
        db.write(|batch| batch.forget_registry_messages(&ids)).await.unwrap();
        assert_eq!(waiting(&db, scope()).await, told[2..]);
    }
    assert_eq!(waiting(&db, other_scope()).await.len(), 1);
    // An id that is gone does not come again, so that removing it twice takes nothing else.
    let last = db.store.registry_messages(scope(), 1).await.unwrap()[0].message_id;
    db.write(|batch| batch.forget_registry_messages(&[last])).await.unwrap();
    let other = db.store.registry_messages(other_scope(), 1).await.unwrap()[0].message_id;
    db.write(|batch| batch.forget_registry_messages(&[other])).await.unwrap();
    db.write(|batch| batch.tell(&told[0])).await.unwrap();
    assert!(db.store.registry_messages(scope(), 1).await.unwrap()[0].message_id > last.max(other));
}

async fn scopes_are_found_one_by_one(db: Db) {
    assert_eq!(db.store.scope_with_registry_messages(None).await, Ok(None));
    let elsewhere = Scope { region: "eu-west-1".parse().unwrap(), ..scope() };
    for scope in [other_scope(), scope(), elsewhere, scope()] {
        db.write(|batch| batch.tell(&message(scope, 1, NOW))).await.unwrap();
    }
    let (mut found, mut after) = (Vec::new(), None);
    while let Some(scope) = db.store.scope_with_registry_messages(after).await.unwrap() {
        found.push(scope);
        after = Some(scope);
    }
    assert_eq!(found, [elsewhere, scope(), other_scope()]);
}

async fn old_messages_are_dropped(db: Db) {
    assert_eq!(db.store.oldest_registry_message().await, Ok(None));
    let at = |millis| NOW.plus_millis(millis);
    db.write(|batch| {
        for number in 0..2_500 {
            batch.tell(&message(scope(), number, at(-10)));
        }
    })
    .await
    .unwrap();
    db.write(|batch| batch.tell(&message(scope(), 7, NOW))).await.unwrap();
    db.write(|batch| batch.tell(&message(other_scope(), 8, at(-20)))).await.unwrap();
    assert_eq!(db.store.oldest_registry_message().await, Ok(Some(at(-20))));
    assert_eq!(db.store.drop_registry_messages(at(-20), NOW).await, Ok(0));
    assert_eq!(db.store.drop_registry_messages(NOW, NOW).await, Ok(2_501));
    assert_eq!(waiting(&db, scope()).await, [message(scope(), 7, NOW)]);
    assert_eq!(waiting(&db, other_scope()).await, []);
    assert_eq!(db.store.drop_registry_messages(NOW, NOW).await, Ok(0));
    assert_eq!(db.store.oldest_registry_message().await, Ok(Some(NOW)));
}

async fn memberships_are_held_as_they_were_read(db: Db) {
    let group = thing_group("g", &[]);
    db.write(|batch| {
        batch.insert_thing(&thing(1));
        batch.insert_thing_group(&group);
    })
    .await
    .unwrap();
    let before = db.store.memberships(scope(), &thing_name(1)).await.unwrap().unwrap();
    for _ in 0..2 {
        db.write(|batch| batch.require_memberships(&before)).await.unwrap();
    }
    db.write(|batch| batch.change_memberships(&before, &[group], &[])).await.unwrap();
    assert_eq!(db.write(|batch| batch.require_memberships(&before)).await, Err(Error::Conflict));
    let after = db.store.memberships(scope(), &thing_name(1)).await.unwrap().unwrap();
    db.write(|batch| batch.require_memberships(&after)).await.unwrap();
    let record = db.store.thing(scope(), &thing_name(1)).await.unwrap().unwrap();
    db.write(|batch| {
        batch.require_memberships(&after);
        batch.delete_thing(&record);
    })
    .await
    .unwrap();
    assert_eq!(db.write(|batch| batch.require_memberships(&after)).await, Err(Error::Conflict));
}
