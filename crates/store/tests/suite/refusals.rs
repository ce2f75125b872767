//! Refusals: bounded for each certificate and in total, whatever strangers send.

use gatehouse_domain::limits;
use gatehouse_domain::time::Timestamp;
use gatehouse_store::RefusalRecord;

use crate::harness::{Db, NOW, id, on_both_engines, scope};

on_both_engines!(
    refusals_are_read_newest_first,
    of_one_certificate_the_newest_twenty_are_kept,
    a_flood_in_one_commit_is_bounded_too,
    one_certificate_does_not_push_out_another,
    of_all_refusals_the_newest_are_kept,
    what_strangers_send_is_cut_short,
    nodes_that_record_at_once_lose_nothing,
);

fn refusal(certificate: u32, at: i64) -> RefusalRecord {
    RefusalRecord {
        certificate_id: id(certificate),
        at: NOW.plus_millis(at),
        reason: "not-registered".into(),
        details: Some("it is so".into()),
        scope: Some(scope()),
        client_id: Some("device ü".into()),
        source_ip: "2001:db8::1".into(),
        source_port: 65_535,
        sni: Some("a-ats.iot.us-east-1.localhost".into()),
    }
}

async fn times(db: &Db, certificate: u32) -> Vec<i64> {
    let found = db.store.refusals(id(certificate), 100).await.unwrap();
    found.iter().map(|refusal| refusal.at.millis_since(NOW)).collect()
}

async fn refusals_are_read_newest_first(db: Db) {
    db.store.record_refusals(vec![]).await.unwrap();
    let bare =
        RefusalRecord { details: None, scope: None, client_id: None, sni: None, source_port: 0, ..refusal(1, 2) };
    let same_time = RefusalRecord { reason: "expired".into(), ..refusal(1, 2) };
    db.store.record_refusals(vec![refusal(1, 3), refusal(2, 9), bare.clone(), same_time.clone()]).await.unwrap();
    db.store.record_refusals(vec![refusal(1, 1)]).await.unwrap();
    let expected = vec![refusal(1, 3), same_time, bare, refusal(1, 1)];
    assert_eq!(db.store.refusals(id(1), 10).await, Ok(expected.clone()));
    assert_eq!(db.store.refusals(id(1), 2).await, Ok(expected[..2].to_vec()));
    assert_eq!(db.store.refusals(id(3), 10).await, Ok(vec![]));
}

async fn of_one_certificate_the_newest_twenty_are_kept(db: Db) {
    for at in 0..30 {
        db.store.record_refusals(vec![refusal(1, at)]).await.unwrap();
    }
    assert_eq!(times(&db, 1).await, (10..30).rev().collect::<Vec<_>>());
    // One that comes late is older than all that are kept.
    db.store.record_refusals(vec![refusal(1, 5)]).await.unwrap();
    assert_eq!(times(&db, 1).await, (10..30).rev().collect::<Vec<_>>());
    // Of those at one time, the last written are the newest.
    db.store.record_refusals((0..15).map(|_| refusal(1, 29)).collect()).await.unwrap();
    assert_eq!(times(&db, 1).await, [vec![29; 16], vec![28, 27, 26, 25]].concat());
}

async fn a_flood_in_one_commit_is_bounded_too(db: Db) {
    let flood = (0..500).map(|number| refusal(number % 2, i64::from(number))).collect();
    db.store.record_refusals(flood).await.unwrap();
    assert_eq!(times(&db, 0).await, (460..500).rev().filter(|at| at % 2 == 0).collect::<Vec<_>>());
    assert_eq!(times(&db, 1).await, (460..500).rev().filter(|at| at % 2 == 1).collect::<Vec<_>>());
    assert_eq!(db.number("SELECT COUNT(*) FROM refusals").await, 40);
}

async fn one_certificate_does_not_push_out_another(db: Db) {
    db.store.record_refusals(vec![refusal(1, 0)]).await.unwrap();
    for round in 1..=5 {
        db.store.record_refusals((0..100).map(|at| refusal(2, round * 100 + at)).collect()).await.unwrap();
    }
    assert_eq!(times(&db, 1).await, [0]);
}

async fn of_all_refusals_the_newest_are_kept(db: Db) {
    let limit = i64::from(limits::REFUSALS);
    db.store.record_refusals(vec![refusal(1, 0)]).await.unwrap();
    // As many as may be, of other certificates, and all of them newer.
    let start = NOW.as_millis();
    db.run(&format!(
        "INSERT INTO refusals (certificate_id, at, reason, source_ip, source_port)
         WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {limit})
         SELECT (SELECT certificate_id FROM refusals LIMIT 1), {start} + number, 'expired', '127.0.0.1', 1 FROM numbers"
    ))
    .await;
    assert_eq!(db.number("SELECT COUNT(*) FROM refusals").await, limit + 1);
    db.store.record_refusals(vec![refusal(2, limit + 1), refusal(3, limit + 2)]).await.unwrap();
    assert_eq!(db.number("SELECT COUNT(*) FROM refusals").await, limit);
    assert_eq!(db.number("SELECT MIN(at) FROM refusals").await, start + 3);
    assert_eq!((times(&db, 2).await, times(&db, 3).await), (vec![limit + 1], vec![limit + 2]));
}

async fn what_strangers_send_is_cut_short(db: Db) {
    let wild = RefusalRecord {
        client_id: Some(format!("\0{}", "ü".repeat(100_000))),
        sni: Some("x".repeat(100_000)),
        reason: "r".repeat(100_000),
        details: Some("d".repeat(100_000)),
        source_ip: "\0".into(),
        ..refusal(1, 0)
    };
    db.store.record_refusals(vec![wild]).await.unwrap();
    let found = db.store.refusals(id(1), 1).await.unwrap().remove(0);
    assert_eq!(found.client_id, Some(format!("\u{fffd}{}", "ü".repeat(299))));
    assert_eq!((found.sni, found.reason), (Some("x".repeat(300)), "r".repeat(300)));
    assert_eq!(found.details, Some("d".repeat(300)));
    assert_eq!(found.source_ip, "\u{fffd}");
}

async fn nodes_that_record_at_once_lose_nothing(db: Db) {
    let second = db.reopen().await.unwrap();
    let tasks: Vec<_> = (0..16_u32)
        .map(|task| {
            let store = if task.is_multiple_of(2) { db.store.clone() } else { second.clone() };
            tokio::spawn(async move {
                for round in 0..5 {
                    // Each meets all the others at every certificate, in another order.
                    let refusals = (0..8).map(|number| refusal((number * 3 + task) % 8, i64::from(round * 16 + task)));
                    store.record_refusals(refusals.collect()).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    // Commits that pruned at once did not see each other; the next one sees all.
    db.store.record_refusals((0..8).map(|number| refusal(number, 1_000)).collect()).await.unwrap();
    for number in 0..8 {
        let found = times(&db, number).await;
        assert_eq!(found, [vec![1_000], (61..80).rev().collect()].concat(), "{number}");
    }
    let newest = Timestamp::from_millis(db.number("SELECT MAX(at) FROM refusals").await);
    assert_eq!(newest, NOW.plus_millis(1_000));
}
