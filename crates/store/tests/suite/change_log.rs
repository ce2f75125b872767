//! The change log: listeners, followers, pruning.

use std::sync::Arc;

use gatehouse_domain::event::Event;
use gatehouse_domain::scope::AccountId;
use gatehouse_store::{ChangeFollower, Error, LOG_RETENTION_MS, LoggedEvent, OVERLAP_MS};
use parking_lot::Mutex;

use crate::harness::{Db, NOW, certificate, id, on_both_engines, policy_name, raw_postgres, scope, thing_name};

on_both_engines!(
    every_event_reads_back_in_order,
    listeners_hear_of_it_before_commit_answers,
    a_lost_race_announces_nothing,
    a_listener_that_panics_breaks_nothing,
    a_follower_sees_each_entry_once,
    a_follower_sees_a_late_commit,
    a_follower_that_slept_too_long_is_told,
    a_follower_goes_on_behind_an_entry_it_does_not_know,
    old_entries_are_pruned_and_young_ones_stay,
);

fn event(number: u32) -> Event {
    Event::Certificate { scope: scope(), certificate_id: id(number) }
}

fn events(logged: &[LoggedEvent]) -> Vec<Event> {
    logged.iter().map(|entry| entry.event.clone()).collect()
}

async fn announce(db: &Db, event: Event, millis: i64) {
    let mut batch = gatehouse_store::Batch::new();
    batch.announce(event);
    db.store.commit(batch, NOW.plus_millis(millis)).await.unwrap();
}

async fn every_event_reads_back_in_order(db: Db) {
    let (scope, certificate_id) = (scope(), id(1));
    let all = [
        event(1),
        Event::CertificatePolicies { scope, certificate_id },
        Event::CertificateThings { scope, certificate_id },
        Event::Policy { scope, policy_name: policy_name(1) },
        Event::Thing { scope, thing_name: thing_name(1) },
        Event::AccessKeys { account: AccountId::FIRST },
    ];
    assert_eq!(db.store.last_epoch().await, Ok(0));
    db.write(|batch| all.iter().cloned().for_each(|event| batch.announce(event))).await.unwrap();
    let logged = db.store.events_after(0, 100).await.unwrap();
    assert_eq!(events(&logged), all);
    assert!(logged.iter().all(|entry| entry.at == NOW && entry.epoch > 0));
    assert!(logged.is_sorted_by(|a, b| a.epoch < b.epoch));
    assert_eq!(db.store.last_epoch().await, Ok(logged[5].epoch));
    assert_eq!(db.store.events_after(logged[1].epoch, 2).await.unwrap(), logged[2..4]);
    assert_eq!(db.number("SELECT COUNT(*) FROM change_log WHERE event = 'policy' AND region = 'us-east-1'").await, 1);
}

async fn listeners_hear_of_it_before_commit_answers(db: Db) {
    let heard: Arc<Mutex<Vec<LoggedEvent>>> = Arc::default();
    for _ in 0..2 {
        let heard = Arc::clone(&heard);
        db.store.on_commit(Arc::new(move |logged| heard.lock().extend_from_slice(logged)));
    }
    db.write(|batch| {
        batch.insert_certificate(&certificate(1), "");
        batch.announce(event(1));
        batch.announce(event(2));
    })
    .await
    .unwrap();
    let logged = db.store.events_after(0, 9).await.unwrap();
    assert_eq!(*heard.lock(), [logged.clone(), logged].concat());
}

async fn a_lost_race_announces_nothing(db: Db) {
    let heard: Arc<Mutex<usize>> = Arc::default();
    let counter = Arc::clone(&heard);
    db.store.on_commit(Arc::new(move |_| *counter.lock() += 1));
    let lost = db
        .write(|batch| {
            batch.announce(event(1));
            batch.insert_certificate(&certificate(1), "");
            batch.insert_certificate(&certificate(1), "");
        })
        .await;
    assert_eq!(lost, Err(Error::Conflict));
    assert_eq!(*heard.lock(), 0);
    assert_eq!(db.rows().await, 0);
    assert_eq!(db.store.metrics().conflicts, 1);
}

async fn a_listener_that_panics_breaks_nothing(db: Db) {
    let heard: Arc<Mutex<usize>> = Arc::default();
    let counter = Arc::clone(&heard);
    db.store.on_commit(Arc::new(|_| panic!("a listener of this test panics on purpose")));
    db.store.on_commit(Arc::new(move |_| *counter.lock() += 1));
    announce(&db, event(1), 0).await;
    announce(&db, event(2), 0).await;
    assert_eq!(*heard.lock(), 2);
}

async fn a_follower_sees_each_entry_once(db: Db) {
    announce(&db, event(1), 0).await;
    let mut follower = ChangeFollower::start(db.store.clone(), NOW).await.unwrap();
    assert_eq!(follower.poll(NOW, 10).await, Ok(vec![]));
    for number in 2..=6 {
        announce(&db, event(number), 0).await;
    }
    // What another process writes is seen like the rest.
    let other = db.reopen().await.unwrap();
    let mut batch = gatehouse_store::Batch::new();
    batch.announce(event(7));
    other.commit(batch, NOW).await.unwrap();
    let mut seen = Vec::new();
    for millis in [0, 1, 2, OVERLAP_MS, 2 * OVERLAP_MS, 3 * OVERLAP_MS] {
        seen.extend(follower.poll(NOW.plus_millis(millis), 4).await.unwrap());
    }
    assert_eq!(events(&seen), (2..=7).map(event).collect::<Vec<_>>());
}

async fn a_follower_sees_a_late_commit(db: Db) {
    let gatehouse_store::StoreKind::Postgres { url } = &db.settings.kind else {
        // One writer at a time: an epoch that is taken is committed before the next is taken.
        return;
    };
    let mut follower = ChangeFollower::start(db.store.clone(), NOW).await.unwrap();
    announce(&db, event(1), 0).await;
    let slow = raw_postgres(url).await;
    let body = serde_json::to_string(&event(2)).unwrap();
    let insert = format!(
        "BEGIN; INSERT INTO change_log (at, account, region, event, body) VALUES ({}, '', '', 'certificate', '{body}')",
        NOW.as_millis()
    );
    slow.batch_execute(&insert).await.unwrap();
    announce(&db, event(3), 1).await;
    let soon = NOW.plus_millis(2_000);
    assert_eq!(events(&follower.poll(soon, 10).await.unwrap()), [event(1), event(3)]);
    slow.batch_execute("COMMIT").await.unwrap();
    announce(&db, event(4), 2_000).await;
    let late = follower.poll(soon, 10).await.unwrap();
    assert_eq!(events(&late), [event(2), event(4)]);
    assert!(late[0].epoch < late[1].epoch);
    for millis in [3_000, OVERLAP_MS + 3_000] {
        assert_eq!(follower.poll(NOW.plus_millis(millis), 10).await, Ok(vec![]));
    }
    // One that starts between epoch and commit counts as seen only what it could see.
    slow.batch_execute(&insert).await.unwrap();
    announce(&db, event(5), 3).await;
    let mut second = ChangeFollower::start(db.store.clone(), soon).await.unwrap();
    slow.batch_execute("COMMIT").await.unwrap();
    assert_eq!(events(&second.poll(soon, 10).await.unwrap()), [event(2)]);
}

async fn a_follower_that_slept_too_long_is_told(db: Db) {
    let mut follower = ChangeFollower::start(db.store.clone(), NOW).await.unwrap();
    announce(&db, event(1), 0).await;
    let later = NOW.plus_millis(LOG_RETENTION_MS);
    assert_eq!(follower.poll(later, 10).await, Err(Error::LogPruned));
    announce(&db, event(2), LOG_RETENTION_MS).await;
    assert_eq!(events(&follower.poll(later, 10).await.unwrap()), [event(2)]);
}

async fn a_follower_goes_on_behind_an_entry_it_does_not_know(db: Db) {
    let mut follower = ChangeFollower::start(db.store.clone(), NOW).await.unwrap();
    // An event of a newer release, a known one with a field that changed its meaning, and a body that was damaged.
    for (millis, body) in [(1, r#"{"event":"solar_flare"}"#), (2, r#"{"event":"access_keys","account":7}"#), (3, "")] {
        announce(&db, event(1), millis).await;
        let at = NOW.plus_millis(millis);
        let insert = "INSERT INTO change_log (at, account, region, event, body) VALUES";
        db.run(&format!("{insert} ({}, '', '', 'x', '{body}')", at.as_millis())).await;
        announce(&db, event(2), millis).await;
        // Once, however few are read at a time: what lies beside it and behind it is part of everything.
        assert_eq!(follower.poll(at, 2).await, Err(Error::LogUnknown), "{body}");
        assert_eq!(follower.poll(at, 2).await, Ok(vec![]), "{body}");
        announce(&db, event(3), millis).await;
        assert_eq!(events(&follower.poll(at, 2).await.unwrap()), [event(3)], "{body}");
    }
    assert_eq!(follower.poll(NOW.plus_millis(2 * OVERLAP_MS), 9).await, Ok(vec![]));
}

async fn old_entries_are_pruned_and_young_ones_stay(db: Db) {
    db.store.prune_log(NOW).await.unwrap();
    db.write(|batch| (0..4_500).for_each(|number| batch.announce(event(number)))).await.unwrap();
    announce(&db, event(1), 1).await;
    announce(&db, event(2), 2 * OVERLAP_MS).await;
    let last = db.store.last_epoch().await.unwrap();
    db.store.prune_log(NOW.plus_millis(1)).await.unwrap();
    assert_eq!(events(&db.store.events_after(0, 9).await.unwrap()), [event(1), event(2)]);
    // However late one asks to cut, what followers look back over stays.
    db.store.prune_log(NOW.plus_millis(LOG_RETENTION_MS)).await.unwrap();
    assert_eq!(events(&db.store.events_after(0, 9).await.unwrap()), [event(2)]);
    assert_eq!(db.store.last_epoch().await, Ok(last));
    // Epochs go on growing when the log was emptied by hand.
    db.run("DELETE FROM change_log").await;
    announce(&db, event(3), 0).await;
    assert!(db.store.last_epoch().await.unwrap() > last);
}
