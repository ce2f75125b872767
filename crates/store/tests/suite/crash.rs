//! A process killed while it writes: whatever it was answered is there, whole.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use gatehouse_domain::event::Event;
use gatehouse_store::{Batch, Store, StoreKind, StoreSettings};

use crate::harness::{Db, NOW, certificate, id, on_both_engines, policy, policy_name, scope};
use crate::model::assert_counts_are_right;

on_both_engines!(what_was_answered_survives_a_kill);

/// Where the child of the crash test writes; set for it alone.
const CHILD: &str = "GATEHOUSE_TEST_CRASH_CHILD";
const ANSWERS_BEFORE_KILL: usize = 200;

async fn what_was_answered_survives_a_kill(db: Db) {
    db.write(|batch| batch.insert_policy(&policy(1), "")).await.unwrap();
    let place = match &db.settings.kind {
        StoreKind::Sqlite { dir } => dir.display().to_string(),
        StoreKind::Postgres { url } => url.clone(),
    };
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_that_writes_until_it_is_killed", "--nocapture"])
        .env(CHILD, place)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let answered: Vec<u32> = lines
        .filter_map(|line| line.unwrap().strip_prefix("answered ")?.parse().ok())
        .take(ANSWERS_BEFORE_KILL)
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(answered.len(), ANSWERS_BEFORE_KILL);
    let store = db.reopen().await.unwrap();
    let announced = store.events_after(0, 1_000_000).await.unwrap();
    for number in answered {
        let record = store.certificate(scope(), id(number)).await.unwrap().unwrap();
        assert_eq!(record.policy_count, 1);
        assert_eq!(store.certificate_pem(scope(), id(number)).await, Ok(Some(number.to_string())));
        assert!(announced.iter().any(|entry| entry.event == event(number)), "{number}");
    }
    assert_counts_are_right(&db).await;
    // No batch is there in part.
    let whole = store.policy(scope(), &policy_name(1)).await.unwrap().unwrap().attachment_count;
    assert_eq!(usize::try_from(whole).unwrap(), announced.len());
}

fn event(number: u32) -> Event {
    Event::Certificate { scope: scope(), certificate_id: id(number) }
}

/// Not a test by itself: the process that the test above kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_writes_until_it_is_killed() {
    let Some(place) = std::env::var_os(CHILD).map(|place| place.into_string().unwrap()) else { return };
    let settings =
        if place.starts_with("postgres") { StoreSettings::postgres(place) } else { StoreSettings::sqlite(place) };
    let store = Store::open(&settings).await.unwrap();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in (0..).map(|turn| writer + 8 * turn) {
                    let mut batch = Batch::new();
                    batch.insert_certificate(&certificate(number), &number.to_string());
                    batch.attach_policy(scope(), &policy_name(1), id(number), NOW);
                    batch.announce(event(number));
                    store.commit(batch, NOW).await.unwrap();
                    // One write, so that lines stay whole.
                    std::io::stdout().write_all(format!("answered {number}\n").as_bytes()).unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}
