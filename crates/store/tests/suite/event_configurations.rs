//! Event configurations: one row of a scope, changed as it was read.

use gatehouse_domain::event_configuration::{EventConfigurations, EventType};
use gatehouse_store::{Error, EventConfigurationsRecord};

use crate::harness::{Db, NOW, on_both_engines, other_scope, scope};

on_both_engines!(switches_are_kept_by_scope_and_changed_as_they_were_read);

async fn switches_are_kept_by_scope_and_changed_as_they_were_read(db: Db) {
    assert_eq!(db.store.event_configurations(scope()).await, Ok(None));
    let made = EventConfigurationsRecord {
        scope: scope(),
        configurations: EventType::ALL.into_iter().collect(),
        created_at: NOW,
        last_modified_at: NOW,
        row_version: 1,
    };
    db.write(|batch| batch.insert_event_configurations(&made)).await.unwrap();
    assert_eq!(db.store.event_configurations(scope()).await, Ok(Some(made.clone())));
    assert_eq!(db.store.event_configurations(other_scope()).await, Ok(None));
    assert_eq!(db.write(|batch| batch.insert_event_configurations(&made)).await, Err(Error::Conflict));
    let elsewhere = EventConfigurationsRecord { scope: other_scope(), ..made.clone() };
    db.write(|batch| batch.insert_event_configurations(&elsewhere)).await.unwrap();

    let (none, later) = (EventConfigurations::default(), NOW.plus_millis(1));
    db.write(|batch| batch.update_event_configurations(&made, &none, later)).await.unwrap();
    let changed = EventConfigurationsRecord {
        configurations: none.clone(),
        last_modified_at: later,
        row_version: 2,
        ..made.clone()
    };
    assert_eq!(db.store.event_configurations(scope()).await, Ok(Some(changed)));
    assert_eq!(db.store.event_configurations(other_scope()).await, Ok(Some(elsewhere)));
    assert_eq!(db.write(|batch| batch.update_event_configurations(&made, &none, later)).await, Err(Error::Conflict));
    db.run("UPDATE event_configurations SET enabled = '[\"NONSENSE\"]'").await;
    let corrupt = Error::Corrupt { table: "event_configurations", column: "enabled" };
    assert_eq!(db.store.event_configurations(scope()).await, Err(corrupt));
}
