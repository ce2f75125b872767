//! What commits promise: all or nothing, and grouped where the engine can.

use std::sync::Arc;

use gatehouse_domain::event::Event;
use gatehouse_store::{Batch, Error, Store, StoreKind, StoreSettings};
use parking_lot::Mutex;

use crate::harness::{Db, NOW, certificate, id, on_both_engines, on_postgres, policy, policy_name, scope, thing};

on_both_engines!(
    a_conflict_leaves_nothing_behind,
    waiting_batches_share_a_commit,
    a_lost_race_takes_nobody_along,
    a_commit_goes_on_when_its_caller_leaves,
    a_closed_store_refuses_commits,
    a_broken_connection_is_replaced,
);

async fn a_conflict_leaves_nothing_behind(db: Db) {
    // Whichever statement fails: the last, one in the middle, an expectation or a unique key.
    db.write(|batch| batch.insert_policy(&policy(1), "")).await.unwrap();
    let rows = db.rows().await;
    let losers: [fn(&mut Batch); 4] = [
        |batch| batch.insert_policy(&policy(1), ""),
        |batch| batch.attach_policy(scope(), &policy_name(9), id(1), NOW),
        |batch| batch.detach_policy(scope(), &policy_name(1), id(1)),
        |batch| batch.delete_thing(&thing(1)),
    ];
    for lose in losers {
        for first in [true, false] {
            let outcome = db
                .write(|batch| {
                    if first {
                        lose(batch);
                    }
                    batch.insert_certificate(&certificate(1), "");
                    batch.announce(Event::Certificate { scope: scope(), certificate_id: id(1) });
                    if !first {
                        lose(batch);
                    }
                })
                .await;
            assert_eq!(outcome, Err(Error::Conflict));
            assert_eq!(db.rows().await, rows);
        }
    }
    assert_eq!(db.store.metrics().conflicts, 8);
    db.write(|batch| batch.insert_certificate(&certificate(1), "")).await.unwrap();
}

/// Registers many certificates while the writer is held up; the number of commits tells how they were grouped.
async fn waiting_batches_share_a_commit(db: Db) {
    if !db.is_sqlite() {
        // Concurrent transactions: one commit for each batch.
        db.write(|batch| batch.insert_certificate(&certificate(1), "")).await.unwrap();
        let metrics = db.store.metrics();
        assert_eq!((metrics.commits, metrics.batches), (1, 1));
        return;
    }
    // A listener runs on the writer: as long as it waits, batches gather.
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (entered, enters) = tokio::sync::oneshot::channel();
    let (held, entered) = (Mutex::new(held), Mutex::new(Some(entered)));
    db.store.on_commit(Arc::new(move |_| {
        if let Some(entered) = entered.lock().take() {
            entered.send(()).unwrap();
            held.lock().recv().unwrap();
        }
    }));
    let mut announcement = Batch::new();
    announcement.announce(Event::AccessKeys { account: scope().account });
    let store = db.store.clone();
    let first = tokio::spawn(async move { store.commit(announcement, NOW).await });
    enters.await.unwrap();
    let mut commits: Vec<_> = (0..100)
        .map(|number| {
            let store = db.store.clone();
            let mut batch = Batch::new();
            batch.insert_certificate(&certificate(number), "");
            Box::pin(async move { store.commit(batch, NOW).await })
        })
        .collect();
    // Polled once, each has put its batch into the queue.
    for commit in &mut commits {
        assert!(
            std::future::poll_fn(|context| std::task::Poll::Ready(commit.as_mut().poll(context))).await.is_pending()
        );
    }
    release.send(()).unwrap();
    first.await.unwrap().unwrap();
    for commit in commits {
        commit.await.unwrap();
    }
    let metrics = db.store.metrics();
    assert_eq!((metrics.commits, metrics.batches), (2, 101));
    assert_eq!(db.number("SELECT COUNT(*) FROM certificate_pems").await, 100);
}

async fn a_lost_race_takes_nobody_along(db: Db) {
    let tasks: Vec<_> = (0..60_u32)
        .map(|number| {
            let store = db.store.clone();
            let mut batch = Batch::new();
            batch.insert_certificate(&certificate(number), "");
            if number.is_multiple_of(3) {
                batch.delete_policy(&policy(1));
            }
            tokio::spawn(async move { (number, store.commit(batch, NOW).await) })
        })
        .collect();
    for task in tasks {
        let (number, outcome) = task.await.unwrap();
        let loses = number.is_multiple_of(3);
        assert_eq!(outcome, if loses { Err(Error::Conflict) } else { Ok(()) });
        assert_eq!(db.store.certificate(scope(), id(number)).await.unwrap().is_none(), loses);
    }
}

async fn a_commit_goes_on_when_its_caller_leaves(db: Db) {
    let (told, tells) = tokio::sync::oneshot::channel();
    let told = Mutex::new(Some(told));
    db.store.on_commit(Arc::new(move |logged| {
        if let Some(told) = told.lock().take() {
            told.send(logged.len()).unwrap();
        }
    }));
    let mut batch = Batch::new();
    batch.insert_certificate(&certificate(1), "");
    batch.announce(Event::Certificate { scope: scope(), certificate_id: id(1) });
    let mut commit = Box::pin(db.store.commit(batch, NOW));
    let once = std::future::poll_fn(|context| std::task::Poll::Ready(commit.as_mut().poll(context).is_ready())).await;
    drop(commit);
    // It was under way (or, seldom, done): listeners are told either way.
    let _ = once;
    assert_eq!(tells.await, Ok(1));
    assert!(db.store.certificate(scope(), id(1)).await.unwrap().is_some());
}

async fn a_closed_store_refuses_commits(db: Db) {
    db.write(|batch| batch.insert_certificate(&certificate(1), "")).await.unwrap();
    db.store.close().await.unwrap();
    db.store.close().await.unwrap();
    let refused = db.write(|batch| batch.insert_certificate(&certificate(2), "")).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    let again = db.reopen().await.unwrap();
    assert!(again.certificate(scope(), id(1)).await.unwrap().is_some());
}

async fn a_broken_connection_is_replaced(db: Db) {
    if db.is_sqlite() {
        return;
    }
    db.write(|batch| batch.insert_certificate(&certificate(1), "")).await.unwrap();
    for _ in 0..8 {
        assert!(db.store.certificate(scope(), id(1)).await.unwrap().is_some());
    }
    // The harness gives the store's connections the schema's name.
    let end = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = current_schema() \
               AND pid <> pg_backend_pid()";
    assert!(db.number(end).await >= 2);
    for _ in 0..8 {
        assert!(db.store.certificate(scope(), id(1)).await.unwrap().is_some());
    }
    for number in 2..6 {
        db.write(|batch| batch.insert_certificate(&certificate(number), "")).await.unwrap();
    }
    assert!(db.store.metrics().connections > 5);
}

#[tokio::test]
async fn a_commit_is_flushed_whatever_the_server_does_by_default() {
    on_postgres(|db| async move {
        let StoreKind::Postgres { url } = &db.settings.kind else { return };
        // Each transaction that registers a certificate leaves behind how it is going to be committed.
        db.run(
            "CREATE TABLE seen (setting TEXT NOT NULL); \
             CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ \
             BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$; \
             CREATE TRIGGER look AFTER INSERT ON certificates FOR EACH ROW EXECUTE FUNCTION look()",
        )
        .await;
        let defaults = ["off", "local", "remote_write", "on", "remote_apply"];
        for (number, (by_default, used)) in (1..).zip(defaults.map(|d| (d, if d == "remote_apply" { d } else { "on" })))
        {
            let url = url.replace("options=", &format!("options=-csynchronous_commit%3D{by_default}%20"));
            let store = Store::open(&StoreSettings::postgres(url)).await.unwrap();
            let mut batch = Batch::new();
            batch.insert_certificate(&certificate(number), "");
            store.commit(batch, NOW).await.unwrap();
            let seen = format!("SELECT COUNT(*) FROM seen WHERE setting = '{used}'");
            assert_eq!(db.number(&seen).await, 1, "{by_default}");
            db.run("DELETE FROM seen").await;
        }
    })
    .await;
}
