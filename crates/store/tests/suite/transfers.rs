//! Transfers: what moves with a certificate, who sees an offer, and what ends it.

use gatehouse_domain::certificate::{CertificateStatus, Transfer, TransferState};
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use gatehouse_store::{CertificateRecord, Error, Page, TransferRecord};

use crate::ca_certificates::all_pages;
use crate::harness::{
    Db, NOW, begin_transfer, certificate, id, idle_certificate, on_both_engines, other_scope, policy, policy_name,
    scope, thing, thing_name, third_scope,
};
use crate::model::assert_counts_are_right;

on_both_engines!(
    an_offer_is_seen_by_both_sides_and_nobody_else,
    an_accepted_certificate_moves_with_all_it_has,
    a_rejected_certificate_comes_back,
    a_cancelled_offer_is_over,
    only_a_certificate_as_it_was_read_is_offered,
    an_attached_certificate_is_not_offered,
    nothing_is_attached_to_an_offered_certificate,
    a_transfer_that_is_over_stays_over,
    an_account_that_has_the_certificate_does_not_accept_it,
    a_certificate_is_offered_to_an_account_once,
    a_new_offer_forgets_the_one_before,
    a_deleted_certificate_leaves_no_transfer,
    offers_are_listed_among_the_targets_certificates,
    outgoing_transfers_are_listed_by_date,
    words_that_one_engine_cannot_store_are_replaced,
);

const LATER: Timestamp = NOW.plus_millis(5_000);

async fn offered(db: &Db, number: u32) -> (CertificateRecord, TransferRecord) {
    db.write(|batch| batch.insert_certificate(&idle_certificate(number), "pem")).await.unwrap();
    begin_transfer(db, number).await
}

async fn an_offer_is_seen_by_both_sides_and_nobody_else(db: Db) {
    let (record, transfer) = offered(&db, 1).await;
    let expected = CertificateRecord {
        status: CertificateStatus::PendingTransfer,
        generation_id: "offered".into(),
        customer_version: 2,
        ..idle_certificate(1)
    };
    assert_eq!(record, expected);
    let expected = TransferRecord {
        scope: scope(),
        certificate_id: id(1),
        source: scope().account,
        target: other_scope().account,
        transfer_message: Some("take it".into()),
        transfer_date: NOW,
        accept_date: None,
        reject_date: None,
        reject_reason: None,
        is_pending: true,
    };
    assert_eq!(transfer, expected);
    assert_eq!(transfer.rule(), Transfer::begun(scope().account, other_scope().account));

    let offer = Some((record.clone(), transfer.clone()));
    assert_eq!(db.store.certificate(scope(), id(1)).await, Ok(Some(record)));
    assert_eq!(db.store.transfer(scope(), id(1)).await, Ok(Some(transfer.clone())));
    assert_eq!(db.store.incoming_transfer(other_scope(), id(1)).await, Ok(offer.clone()));
    let outgoing = db.store.outgoing_transfers(scope(), Page::first(5)).await.unwrap();
    assert_eq!(outgoing.into_iter().next(), offer);
    for side in [scope(), other_scope()] {
        assert_eq!(db.store.last_transfer(side, id(1)).await, Ok(Some(transfer.clone())));
    }

    // The target does not have it yet; the source is not offered it; strangers and other Regions see nothing.
    assert_eq!(db.store.certificate(other_scope(), id(1)).await, Ok(None));
    assert_eq!(db.store.transfer(other_scope(), id(1)).await, Ok(None));
    assert_eq!(db.store.outgoing_transfers(other_scope(), Page::first(5)).await, Ok(vec![]));
    let far = Scope::new(other_scope().account, "eu-central-1".parse().unwrap());
    for stranger in [scope(), third_scope(), far] {
        assert_eq!(db.store.incoming_transfer(stranger, id(1)).await, Ok(None), "{stranger}");
    }
    for stranger in [third_scope(), far] {
        assert_eq!(db.store.last_transfer(stranger, id(1)).await, Ok(None));
        assert_eq!(db.store.certificates(stranger, Page::first(5)).await, Ok(vec![]));
    }
}

async fn an_accepted_certificate_moves_with_all_it_has(db: Db) {
    let ca = Some(id(77));
    let full = CertificateRecord { ca_certificate_id: ca, ..idle_certificate(1) };
    db.write(|batch| batch.insert_certificate(&full, "pem")).await.unwrap();
    let (record, transfer) = begin_transfer(&db, 1).await;
    db.write(|batch| batch.accept_transfer(&record, &transfer, CertificateStatus::Active, "taken", LATER))
        .await
        .unwrap();

    let moved = CertificateRecord {
        scope: other_scope(),
        status: CertificateStatus::Active,
        previous_owned_by: Some(scope().account),
        generation_id: "taken".into(),
        customer_version: 3,
        last_modified_at: LATER,
        ..full
    };
    assert_eq!(db.store.certificate(other_scope(), id(1)).await, Ok(Some(moved.clone())));
    assert_eq!(db.store.certificate_pem(other_scope(), id(1)).await, Ok(Some("pem".into())));
    assert_eq!(db.store.certificates(other_scope(), Page::first(5)).await, Ok(vec![moved]));
    let over = TransferRecord { scope: other_scope(), accept_date: Some(LATER), is_pending: false, ..transfer };
    assert_eq!(db.store.transfer(other_scope(), id(1)).await, Ok(Some(over.clone())));
    assert_eq!(over.rule().state, TransferState::Accepted);

    assert_eq!(db.store.certificate(scope(), id(1)).await, Ok(None));
    assert_eq!(db.store.certificate_pem(scope(), id(1)).await, Ok(None));
    assert_eq!(db.store.transfer(scope(), id(1)).await, Ok(None));
    assert_eq!(db.store.certificates(scope(), Page::first(5)).await, Ok(vec![]));
    assert_eq!(db.store.incoming_transfer(other_scope(), id(1)).await, Ok(None));
    assert_eq!(db.store.outgoing_transfers(scope(), Page::first(5)).await, Ok(vec![]));
    // Both sides can be told that it is over.
    for side in [scope(), other_scope()] {
        assert_eq!(db.store.last_transfer(side, id(1)).await, Ok(Some(over.clone())));
    }
    assert_counts_are_right(&db).await;
}

async fn a_rejected_certificate_comes_back(db: Db) {
    let (record, transfer) = offered(&db, 1).await;
    db.write(|batch| batch.reject_transfer(&record, &transfer, Some("not ours"), "back", LATER)).await.unwrap();
    let back = CertificateRecord {
        generation_id: "back".into(),
        customer_version: 3,
        last_modified_at: LATER,
        ..idle_certificate(1)
    };
    assert_eq!(db.store.certificate(scope(), id(1)).await, Ok(Some(back)));
    let over = TransferRecord {
        reject_date: Some(LATER),
        reject_reason: Some("not ours".into()),
        is_pending: false,
        ..transfer
    };
    assert_eq!(db.store.transfer(scope(), id(1)).await, Ok(Some(over.clone())));
    assert_eq!(over.rule().state, TransferState::Rejected);
    assert_eq!(db.store.last_transfer(other_scope(), id(1)).await, Ok(Some(over)));
    assert_eq!(db.store.incoming_transfer(other_scope(), id(1)).await, Ok(None));
    assert_eq!(db.store.certificates(other_scope(), Page::first(5)).await, Ok(vec![]));
    assert_counts_are_right(&db).await;
}

async fn a_cancelled_offer_is_over(db: Db) {
    let (record, transfer) = offered(&db, 1).await;
    db.write(|batch| batch.cancel_transfer(&record, &transfer, "back", LATER)).await.unwrap();
    let status = db.store.certificate(scope(), id(1)).await.unwrap().unwrap().status;
    assert_eq!(status, CertificateStatus::Inactive);
    let over = TransferRecord { is_pending: false, ..transfer };
    assert_eq!(db.store.transfer(scope(), id(1)).await, Ok(Some(over.clone())));
    assert_eq!(over.rule().state, TransferState::Cancelled);
    assert_eq!(db.store.incoming_transfer(other_scope(), id(1)).await, Ok(None));
    assert_eq!(db.store.outgoing_transfers(scope(), Page::first(5)).await, Ok(vec![]));
    assert_counts_are_right(&db).await;
}

async fn only_a_certificate_as_it_was_read_is_offered(db: Db) {
    let first = idle_certificate(1);
    let offer = || db.write(|batch| batch.begin_transfer(&first, other_scope().account, None, "g", NOW));
    assert_eq!(offer().await, Err(Error::Conflict));
    db.write(|batch| batch.insert_certificate(&first, "")).await.unwrap();
    db.write(|batch| batch.set_certificate_status(&first, CertificateStatus::Revoked, "g", NOW)).await.unwrap();
    assert_eq!(offer().await, Err(Error::Conflict));
    assert_eq!(db.store.transfer(scope(), id(1)).await, Ok(None));
}

async fn an_attached_certificate_is_not_offered(db: Db) {
    db.write(|batch| {
        batch.insert_policy(&policy(1), "{}");
        batch.insert_thing(&thing(1));
        (1..=2).for_each(|number| batch.insert_certificate(&idle_certificate(number), ""));
    })
    .await
    .unwrap();
    let records: Vec<_> = (1..=2).map(idle_certificate).collect();
    db.write(|batch| {
        batch.attach_policy(scope(), &policy_name(1), id(1), NOW);
        batch.attach_thing_principal(scope(), &thing_name(1), id(2), true, NOW);
    })
    .await
    .unwrap();
    for record in records {
        let outcome = db.write(|batch| batch.begin_transfer(&record, other_scope().account, None, "g", NOW)).await;
        assert_eq!(outcome, Err(Error::Conflict));
    }
    assert_eq!(db.store.outgoing_transfers(scope(), Page::first(5)).await, Ok(vec![]));
}

async fn nothing_is_attached_to_an_offered_certificate(db: Db) {
    let (record, transfer) = offered(&db, 1).await;
    db.write(|batch| {
        batch.insert_policy(&policy(1), "{}");
        batch.insert_thing(&thing(1));
    })
    .await
    .unwrap();
    let attach_policy = || db.write(|batch| batch.attach_policy(scope(), &policy_name(1), id(1), NOW));
    let attach_thing =
        |exclusive| db.write(move |batch| batch.attach_thing_principal(scope(), &thing_name(1), id(1), exclusive, NOW));
    assert_eq!(attach_policy().await, Err(Error::Conflict));
    assert_eq!(attach_thing(true).await, Err(Error::Conflict));
    assert_eq!(attach_thing(false).await, Err(Error::Conflict));
    db.write(|batch| batch.cancel_transfer(&record, &transfer, "back", LATER)).await.unwrap();
    attach_policy().await.unwrap();
    attach_thing(false).await.unwrap();
    assert_counts_are_right(&db).await;
}

async fn a_transfer_that_is_over_stays_over(db: Db) {
    for number in 0..3 {
        let (record, transfer) = offered(&db, number).await;
        db.write(|batch| match number {
            0 => batch.accept_transfer(&record, &transfer, CertificateStatus::Inactive, "end", LATER),
            1 => batch.reject_transfer(&record, &transfer, None, "end", LATER),
            _ => batch.cancel_transfer(&record, &transfer, "end", LATER),
        })
        .await
        .unwrap();
        // With what was read before the end, and with what is read after it.
        let place = if number == 0 { other_scope() } else { scope() };
        let now = db.store.certificate(place, id(number)).await.unwrap().unwrap();
        let over = db.store.transfer(place, id(number)).await.unwrap().unwrap();
        for (record, transfer) in [(&record, &transfer), (&now, &over), (&now, &transfer)] {
            let active = CertificateStatus::Active;
            let accept = db.write(|batch| batch.accept_transfer(record, transfer, active, "g", LATER)).await;
            let reject = db.write(|batch| batch.reject_transfer(record, transfer, None, "g", LATER)).await;
            let cancel = db.write(|batch| batch.cancel_transfer(record, transfer, "g", LATER)).await;
            assert_eq!([accept, reject, cancel], [const { Err(Error::Conflict) }; 3], "{number}");
        }
        assert_eq!(db.store.certificate(place, id(number)).await, Ok(Some(now)));
        assert_eq!(db.store.transfer(place, id(number)).await, Ok(Some(over)));
    }
}

async fn an_account_that_has_the_certificate_does_not_accept_it(db: Db) {
    let (record, transfer) = offered(&db, 1).await;
    let own = CertificateRecord { scope: other_scope(), ..certificate(1) };
    db.write(|batch| batch.insert_certificate(&own, "own")).await.unwrap();
    let status = CertificateStatus::Active;
    let accept = || db.write(|batch| batch.accept_transfer(&record, &transfer, status, "g", LATER));
    assert_eq!(accept().await, Err(Error::Conflict));
    assert_eq!(db.store.certificate(other_scope(), id(1)).await, Ok(Some(own.clone())));
    assert_eq!(db.store.certificate_pem(other_scope(), id(1)).await, Ok(Some("own".into())));
    assert_eq!(db.store.certificate(scope(), id(1)).await, Ok(Some(record.clone())));
    // The id names its own, so its own is what it lists.
    assert_eq!(db.store.certificates(other_scope(), Page::first(5)).await, Ok(vec![own.clone()]));
    db.write(|batch| batch.delete_certificate(&own, false)).await.unwrap();
    assert_eq!(db.store.certificates(other_scope(), Page::first(5)).await, Ok(vec![record.clone()]));
    accept().await.unwrap();
}

async fn a_certificate_is_offered_to_an_account_once(db: Db) {
    offered(&db, 1).await;
    let rival = CertificateRecord { scope: third_scope(), ..idle_certificate(1) };
    db.write(|batch| batch.insert_certificate(&rival, "")).await.unwrap();
    let offer = |target: Scope| db.write(move |batch| batch.begin_transfer(&rival, target.account, None, "g", NOW));
    assert_eq!(offer(other_scope()).await, Err(Error::Conflict));
    let seen = db.store.incoming_transfer(other_scope(), id(1)).await.unwrap().unwrap();
    assert_eq!(seen.1.source, scope().account);
}

async fn a_new_offer_forgets_the_one_before(db: Db) {
    let (record, transfer) = offered(&db, 1).await;
    db.write(|batch| batch.reject_transfer(&record, &transfer, Some("no"), "back", LATER)).await.unwrap();
    let current = db.store.certificate(scope(), id(1)).await.unwrap().unwrap();
    let again = LATER.plus_millis(1);
    db.write(|batch| batch.begin_transfer(&current, third_scope().account, None, "again", again)).await.unwrap();
    let fresh = TransferRecord {
        target: third_scope().account,
        transfer_message: None,
        transfer_date: again,
        ..transfer.clone()
    };
    assert_eq!(db.store.transfer(scope(), id(1)).await, Ok(Some(fresh.clone())));
    assert_eq!(db.store.incoming_transfer(other_scope(), id(1)).await, Ok(None));
    // What the first target read no longer fits, even with the certificate read anew.
    let current = db.store.certificate(scope(), id(1)).await.unwrap().unwrap();
    let status = CertificateStatus::Active;
    let stale = db.write(|batch| batch.accept_transfer(&current, &transfer, status, "g", again)).await;
    assert_eq!(stale, Err(Error::Conflict));
    // Passed on by the target, it names the last source.
    db.write(|batch| batch.accept_transfer(&current, &fresh, CertificateStatus::Inactive, "g", again)).await.unwrap();
    let current = db.store.certificate(third_scope(), id(1)).await.unwrap().unwrap();
    db.write(|batch| batch.begin_transfer(&current, scope().account, None, "home", again)).await.unwrap();
    let (record, home) = db.store.incoming_transfer(scope(), id(1)).await.unwrap().unwrap();
    assert_eq!((home.source, home.target), (third_scope().account, scope().account));
    db.write(|batch| batch.accept_transfer(&record, &home, CertificateStatus::Active, "g", again)).await.unwrap();
    let record = db.store.certificate(scope(), id(1)).await.unwrap().unwrap();
    assert_eq!(record.previous_owned_by, Some(third_scope().account));
    assert_counts_are_right(&db).await;
}

async fn a_deleted_certificate_leaves_no_transfer(db: Db) {
    let (record, transfer) = offered(&db, 1).await;
    db.write(|batch| batch.cancel_transfer(&record, &transfer, "back", LATER)).await.unwrap();
    let current = db.store.certificate(scope(), id(1)).await.unwrap().unwrap();
    db.write(|batch| batch.delete_certificate(&current, false)).await.unwrap();
    assert_eq!(db.rows().await, 0);
    db.write(|batch| batch.insert_certificate(&idle_certificate(1), "")).await.unwrap();
    assert_eq!(db.store.transfer(scope(), id(1)).await, Ok(None));
}

async fn offers_are_listed_among_the_targets_certificates(db: Db) {
    let mut all = Vec::new();
    for number in 0..20_u32 {
        // Ties, and ids that do not follow the time. Every other one is offered by someone else.
        let created_at = NOW.plus_millis(i64::from(number / 4));
        let is_offered = number.is_multiple_of(2);
        let holder = if is_offered { scope() } else { other_scope() };
        let number = (number * 7) % 20;
        let record = CertificateRecord { scope: holder, created_at, ..idle_certificate(number) };
        db.write(|batch| batch.insert_certificate(&record, "")).await.unwrap();
        if is_offered {
            begin_transfer(&db, number).await;
        }
        all.push((created_at, record.certificate_id));
    }
    // None of these is offered to the other account: idle, offered elsewhere, taken back.
    db.write(|batch| (30..33).for_each(|number| batch.insert_certificate(&idle_certificate(number), "")))
        .await
        .unwrap();
    let to_third = idle_certificate(31);
    db.write(|batch| batch.begin_transfer(&to_third, third_scope().account, None, "g", NOW)).await.unwrap();
    let (record, transfer) = begin_transfer(&db, 32).await;
    db.write(|batch| batch.cancel_transfer(&record, &transfer, "back", NOW)).await.unwrap();
    all.sort();
    for ascending in [true, false] {
        let found = all_pages(ascending, async |page| {
            let records = db.store.certificates(other_scope(), page).await.unwrap();
            for record in &records {
                let is_offered = record.status == CertificateStatus::PendingTransfer;
                assert_eq!(record.scope, if is_offered { scope() } else { other_scope() });
            }
            records.iter().map(|record| (record.created_at, record.certificate_id)).collect()
        })
        .await;
        assert_eq!(found, all, "ascending: {ascending}");
        all.reverse();
    }
}

async fn outgoing_transfers_are_listed_by_date(db: Db) {
    let mut all = Vec::new();
    for number in 0..10 {
        db.write(|batch| batch.insert_certificate(&idle_certificate(number), "")).await.unwrap();
    }
    for number in 0..10 {
        let (at, number) = (NOW.plus_millis(i64::from(number / 3)), (number * 7) % 10);
        let target = if number < 5 { other_scope() } else { third_scope() };
        let record = idle_certificate(number);
        db.write(|batch| batch.begin_transfer(&record, target.account, None, "g", at)).await.unwrap();
        all.push((at, record.certificate_id));
    }
    all.sort();
    for ascending in [true, false] {
        let found = all_pages(ascending, async |page| {
            let offers = db.store.outgoing_transfers(scope(), page).await.unwrap();
            offers.iter().map(|(record, transfer)| (transfer.transfer_date, record.certificate_id)).collect()
        })
        .await;
        assert_eq!(found, all, "ascending: {ascending}");
        all.reverse();
    }
}

async fn words_that_one_engine_cannot_store_are_replaced(db: Db) {
    let record = idle_certificate(1);
    db.write(|batch| batch.insert_certificate(&record, "")).await.unwrap();
    db.write(|batch| batch.begin_transfer(&record, other_scope().account, Some("a\0b"), "g", NOW)).await.unwrap();
    let (record, transfer) = db.store.incoming_transfer(other_scope(), id(1)).await.unwrap().unwrap();
    assert_eq!(transfer.transfer_message.as_deref(), Some("a\u{fffd}b"));
    db.write(|batch| batch.reject_transfer(&record, &transfer, Some("\0"), "g", NOW)).await.unwrap();
    let transfer = db.store.transfer(scope(), id(1)).await.unwrap().unwrap();
    assert_eq!(transfer.reject_reason.as_deref(), Some("\u{fffd}"));
}
