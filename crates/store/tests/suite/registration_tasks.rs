//! Registration tasks: one of a scope at a time, worked on by whoever has the turn, each line with one outcome.

use std::collections::BTreeMap;

use gatehouse_domain::registration_task::{Progress, ReportType, TaskId, TaskStatus};
use gatehouse_domain::time::Timestamp;
use gatehouse_store::{Error, InputFileRecord, LineOutcome, Page, RegistrationTaskLine, RegistrationTaskRecord};

use crate::harness::{Db, NOW, certificate, id, on_both_engines, other_scope, scope};

on_both_engines!(
    a_task_is_started_taken_and_ended,
    a_scope_has_one_task_at_a_time,
    a_lost_turn_writes_nothing,
    a_line_has_one_outcome_and_takes_the_rest_of_its_batch_with_it,
    of_many_one_gets_the_turn,
    a_stop_is_asked_for_once,
    reports_are_read_in_parts,
    tasks_are_listed_by_time_and_state_within_their_scope,
    old_tasks_go_with_their_lines,
);

fn task_id(number: u32) -> TaskId {
    format!("00000000-0000-4000-8000-{number:012x}").parse().unwrap()
}

fn task(number: u32) -> RegistrationTaskRecord {
    let created_at = NOW.plus_millis(i64::from(number));
    RegistrationTaskRecord {
        task_id: task_id(number),
        scope: scope(),
        status: TaskStatus::InProgress,
        template_body: " {} \n".to_owned(),
        bucket: "fleet-input".parse().unwrap(),
        key: "2027/input.json".parse().unwrap(),
        role_arn: "arn:aws:iam::123456789012:role/bulk".parse().unwrap(),
        input_file: None,
        progress: Progress::default(),
        message: None,
        turn: String::new(),
        turn_until: created_at,
        created_at,
        last_modified_at: created_at,
        ended_at: None,
    }
}

async fn read(db: &Db, number: u32) -> RegistrationTaskRecord {
    db.store.registration_task(&task_id(number)).await.unwrap().unwrap()
}

fn refused(message: &str) -> LineOutcome {
    LineOutcome::Refused { code: "InvalidParameters".to_owned(), message: message.to_owned() }
}

fn registered(number: u32) -> LineOutcome {
    let arn = format!("arn:aws:iot:us-east-1:123456789012:cert/{}", id(number));
    LineOutcome::Registered {
        certificate_id: id(number),
        resource_arns: BTreeMap::from([("certificate".to_owned(), arn)]),
    }
}

/// A task that `turn` works on.
async fn taken(db: &Db, number: u32, turn: &str) -> RegistrationTaskRecord {
    let made = task(number);
    db.write(|batch| batch.insert_registration_task(&made)).await.unwrap();
    db.write(|batch| batch.take_registration_task(&made, turn, NOW.plus_millis(1_000))).await.unwrap();
    read(db, number).await
}

async fn a_task_is_started_taken_and_ended(db: Db) {
    let made = task(1);
    db.write(|batch| batch.insert_registration_task(&made)).await.unwrap();
    assert_eq!(read(&db, 1).await, made);
    assert_eq!(db.store.registration_task_under_way(scope()).await, Ok(Some(task_id(1))));
    assert_eq!(db.store.registration_task_under_way(other_scope()).await, Ok(None));
    let waiting = |at: Timestamp| {
        let db = db.clone();
        async move { db.store.waiting_registration_tasks(at, 9).await.unwrap().len() }
    };
    assert_eq!((waiting(NOW).await, waiting(made.created_at).await), (0, 1));

    let until = NOW.plus_millis(1_000);
    db.write(|batch| batch.take_registration_task(&made, "first", until)).await.unwrap();
    assert_eq!((waiting(until.plus_millis(-1)).await, waiting(until).await), (0, 1));
    let file = InputFileRecord { length: 5_000_000_000, version: "\"etag\"".to_owned() };
    db.write(|batch| batch.note_registration_input(&task_id(1), "first", &file)).await.unwrap();
    let again = db.write(|batch| batch.note_registration_input(&task_id(1), "first", &file)).await;
    assert_eq!(again, Err(Error::Conflict), "a file is found first once");
    let progress = Progress { position: 4_000_000_000, line: 7, successes: 4, failures: 2 };
    let later = NOW.plus_millis(9);
    db.write(|batch| batch.advance_registration_task(&task_id(1), "first", &progress, later, until)).await.unwrap();
    let under_way = RegistrationTaskRecord {
        input_file: Some(file),
        progress,
        turn: "first".to_owned(),
        turn_until: until,
        last_modified_at: later,
        ..made
    };
    assert_eq!(read(&db, 1).await, under_way);

    let (status, message) = (TaskStatus::Failed, Some("the input file is gone"));
    let end = |current| {
        let db = db.clone();
        async move {
            db.write(|batch| batch.end_registration_task(&task_id(1), "first", current, status, message, until)).await
        }
    };
    assert_eq!(end(TaskStatus::Cancelling).await, Err(Error::Conflict), "it is in progress");
    end(TaskStatus::InProgress).await.unwrap();
    assert_eq!(end(TaskStatus::InProgress).await, Err(Error::Conflict));
    let ended = RegistrationTaskRecord {
        status,
        message: message.map(str::to_owned),
        last_modified_at: until,
        ended_at: Some(until),
        ..under_way
    };
    assert_eq!(read(&db, 1).await, ended);
    assert_eq!(waiting(until.plus_millis(1)).await, 0);
    assert_eq!(db.store.registration_task_under_way(scope()).await, Ok(None));
}

async fn a_scope_has_one_task_at_a_time(db: Db) {
    let rivals = (1..5).map(|number| {
        let db = db.clone();
        tokio::spawn(async move { db.write(|batch| batch.insert_registration_task(&task(number))).await })
    });
    let mut won = 0;
    for rival in rivals.collect::<Vec<_>>() {
        match rival.await.unwrap() {
            Ok(()) => won += 1,
            Err(error) => assert_eq!(error, Error::Conflict),
        }
    }
    assert_eq!(won, 1);
    let elsewhere = RegistrationTaskRecord { scope: other_scope(), ..task(9) };
    db.write(|batch| batch.insert_registration_task(&elsewhere)).await.unwrap();
    // Those that have ended are in nobody's way.
    db.run("UPDATE registration_tasks SET ended_at = 1").await;
    db.write(|batch| batch.insert_registration_task(&task(10))).await.unwrap();
}

async fn a_lost_turn_writes_nothing(db: Db) {
    let first = taken(&db, 1, "first").await;
    db.write(|batch| batch.take_registration_task(&first, "second", NOW.plus_millis(2_000))).await.unwrap();
    assert_eq!(
        db.write(|batch| batch.take_registration_task(&first, "third", NOW.plus_millis(2_000))).await,
        Err(Error::Conflict)
    );
    let (id, file) = (task_id(1), InputFileRecord { length: 1, version: String::new() });
    let before = read(&db, 1).await;
    for lost in [
        db.write(|batch| batch.note_registration_input(&id, "first", &file)).await,
        db.write(|batch| batch.advance_registration_task(&id, "first", &Progress::default(), NOW, NOW)).await,
        db.write(|batch| batch.insert_registration_line(&id, "first", 1, &refused("x"))).await,
        db.write(|batch| {
            let (now, then) = (TaskStatus::InProgress, TaskStatus::Completed);
            batch.end_registration_task(&id, "first", now, then, None, NOW);
        })
        .await,
    ] {
        assert_eq!(lost, Err(Error::Conflict));
    }
    assert_eq!(read(&db, 1).await, before);
    assert_eq!(db.store.registration_line(&id, 1).await, Ok(None));
    db.write(|batch| batch.insert_registration_line(&id, "second", 1, &refused("x"))).await.unwrap();
    // Nor is anything written for a task that has ended.
    db.run("UPDATE registration_tasks SET ended_at = 1").await;
    let late = db.write(|batch| batch.insert_registration_line(&id, "second", 2, &refused("x"))).await;
    assert_eq!(late, Err(Error::Conflict));
}

async fn a_line_has_one_outcome_and_takes_the_rest_of_its_batch_with_it(db: Db) {
    taken(&db, 1, "turn").await;
    let attempts = (1..5).map(|number| {
        let db = db.clone();
        tokio::spawn(async move {
            db.write(|batch| {
                batch.insert_certificate(&certificate(number), "pem");
                batch.insert_registration_line(&task_id(1), "turn", 3, &registered(number));
            })
            .await
        })
    });
    let mut won = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Ok(()) => won += 1,
            Err(error) => assert_eq!(error, Error::Conflict),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(db.number("SELECT COUNT(*) FROM certificates").await, 1, "whoever lost has registered nothing");
    let other = db.write(|batch| batch.insert_registration_line(&task_id(1), "turn", 3, &refused("x"))).await;
    assert_eq!(other, Err(Error::Conflict));
    db.write(|batch| batch.insert_registration_line(&task_id(1), "turn", 5, &refused("x"))).await.unwrap();
    assert_eq!(db.store.registration_line(&task_id(1), 3).await, Ok(Some(true)));
    assert_eq!(db.store.registration_line(&task_id(1), 5).await, Ok(Some(false)));
    let behind = |line| {
        let db = db.clone();
        async move { db.store.registration_lines_behind(&task_id(1), line).await.unwrap() }
    };
    assert_eq!(behind(0).await, BTreeMap::from([(3, true), (5, false)]));
    assert_eq!(behind(3).await, BTreeMap::from([(5, false)]));
    assert_eq!(behind(5).await, BTreeMap::new());
}

async fn of_many_one_gets_the_turn(db: Db) {
    let made = task(1);
    db.write(|batch| batch.insert_registration_task(&made)).await.unwrap();
    let rivals = (0..4).map(|number| {
        let (db, made) = (db.clone(), made.clone());
        tokio::spawn(async move {
            let turn = format!("turn-{number}");
            db.write(|batch| batch.take_registration_task(&made, &turn, NOW.plus_millis(1_000))).await.is_ok()
        })
    });
    let mut won = 0;
    for rival in rivals.collect::<Vec<_>>() {
        won += usize::from(rival.await.unwrap());
    }
    assert_eq!(won, 1);
}

async fn a_stop_is_asked_for_once(db: Db) {
    taken(&db, 1, "turn").await;
    let later = NOW.plus_millis(50);
    db.write(|batch| batch.stop_registration_task(&task_id(1), later)).await.unwrap();
    let stopping = read(&db, 1).await;
    assert_eq!((stopping.status, stopping.last_modified_at), (TaskStatus::Cancelling, later));
    assert_eq!(db.write(|batch| batch.stop_registration_task(&task_id(1), later)).await, Err(Error::Conflict));
    assert_eq!(db.store.registration_task_under_way(scope()).await, Ok(Some(task_id(1))), "until it has stopped");
}

async fn reports_are_read_in_parts(db: Db) {
    taken(&db, 1, "turn").await;
    let elsewhere = RegistrationTaskRecord { scope: other_scope(), ..task(2) };
    db.write(|batch| batch.insert_registration_task(&elsewhere)).await.unwrap();
    db.write(|batch| batch.insert_certificate(&certificate(2), "pem 2")).await.unwrap();
    // Of certificate 4, there is nothing left.
    for (line, outcome) in [(2, registered(2)), (3, refused("a\0b")), (4, registered(4)), (9, refused("c"))] {
        db.write(|batch| batch.insert_registration_line(&task_id(1), "turn", line, &outcome)).await.unwrap();
    }
    let report = |number, report_type, behind, limit| {
        let db = db.clone();
        async move { db.store.registration_report(scope(), &task_id(number), report_type, behind, limit).await.unwrap() }
    };
    let line = |line, outcome, pem: Option<&str>| RegistrationTaskLine {
        line,
        outcome,
        certificate_pem: pem.map(str::to_owned),
    };
    let results = [line(2, registered(2), Some("pem 2")), line(4, registered(4), None)];
    let errors = [line(3, refused("a\u{fffd}b"), None), line(9, refused("c"), None)];
    assert_eq!(report(1, ReportType::Results, 0, 9).await, results);
    assert_eq!(report(1, ReportType::Results, 2, 9).await, results[1..]);
    assert_eq!(report(1, ReportType::Errors, 0, 1).await, errors[..1]);
    assert_eq!(report(1, ReportType::Errors, 3, 9).await, errors[1..]);
    assert_eq!(report(1, ReportType::Errors, 9, 9).await, []);
    assert_eq!(report(2, ReportType::Results, 0, 9).await, []);
    let other = db.store.registration_report(other_scope(), &task_id(1), ReportType::Results, 0, 1).await.unwrap();
    assert_eq!(other[0].certificate_pem, None, "a certificate is its own scope's");
}

async fn tasks_are_listed_by_time_and_state_within_their_scope(db: Db) {
    for number in [3, 1, 2] {
        db.write(|batch| batch.insert_registration_task(&task(number))).await.unwrap();
        db.run("UPDATE registration_tasks SET ended_at = 1").await;
    }
    db.run(&format!("UPDATE registration_tasks SET status = 'Failed' WHERE task_id = '{}'", task_id(2))).await;
    let elsewhere = RegistrationTaskRecord { scope: other_scope(), ..task(4) };
    db.write(|batch| batch.insert_registration_task(&elsewhere)).await.unwrap();
    let listed = |status, page| {
        let db = db.clone();
        async move {
            let listed = db.store.registration_tasks(scope(), status, page).await.unwrap();
            listed.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
        }
    };
    let newest_first = |after, limit| Page { after, ascending: false, limit };
    assert_eq!(listed(None, newest_first(None, 9)).await, [3, 2, 1].map(task_id));
    assert_eq!(listed(None, newest_first(Some((task(3).created_at, task_id(3))), 1)).await, [task_id(2)]);
    assert_eq!(listed(Some(TaskStatus::Failed), newest_first(None, 9)).await, [task_id(2)]);
    let after = Some((task(2).created_at, task_id(2)));
    assert_eq!(listed(Some(TaskStatus::InProgress), newest_first(after, 9)).await, [task_id(1)]);
    assert_eq!(listed(Some(TaskStatus::Cancelled), newest_first(None, 9)).await, []);
}

async fn old_tasks_go_with_their_lines(db: Db) {
    for number in [1, 2, 3] {
        taken(&db, number, "turn").await;
        for line in 1..4 {
            db.write(|batch| batch.insert_registration_line(&task_id(number), "turn", line, &refused("x")))
                .await
                .unwrap();
        }
        if number < 3 {
            let ended_at = NOW.plus_millis(i64::from(number));
            db.write(|batch| {
                let (now, then) = (TaskStatus::InProgress, TaskStatus::Completed);
                batch.end_registration_task(&task_id(number), "turn", now, then, None, ended_at);
            })
            .await
            .unwrap();
        }
    }
    db.store.prune_registration_tasks(NOW.plus_millis(2)).await.unwrap();
    assert_eq!(db.store.registration_task(&task_id(1)).await, Ok(None));
    assert_eq!(db.number("SELECT COUNT(*) FROM registration_tasks").await, 2);
    assert_eq!(db.number("SELECT COUNT(*) FROM registration_task_lines").await, 6);
    // However old, a task that has not ended stays.
    db.store.prune_registration_tasks(NOW.plus_millis(1_000_000)).await.unwrap();
    assert_eq!(db.number("SELECT COUNT(*) FROM registration_task_lines").await, 3);
    assert!(db.store.registration_task(&task_id(3)).await.unwrap().is_some());
}
