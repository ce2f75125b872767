//! Guards of CA certificates, registration codes and transfers under real races, on handles that share nothing but the
//! database.

use gatehouse_domain::certificate::{CertificateMode, CertificateStatus};
use gatehouse_store::{CaCertificateRecord, CertificateRecord, TransferRecord};

use crate::harness::{
    Db, NOW, begin_transfer, ca_certificate, certificate, id, idle_certificate, on_both_engines, other_scope, policy,
    policy_name, scope, thing, thing_name, third_scope,
};
use crate::model::assert_counts_are_right;
use crate::races::{at_once, batch, wins};

on_both_engines!(
    of_accept_reject_and_cancel_one_wins,
    of_many_accepts_one_wins,
    of_two_sources_one_offers_a_certificate_to_an_account,
    nothing_is_attached_while_a_certificate_is_offered,
    a_certificate_that_is_offered_is_not_deleted,
    an_account_gets_a_certificate_by_transfer_or_by_registration,
    of_two_accounts_one_registers_a_default_ca,
    of_many_ca_certificates_with_one_subject_ten_stay,
    crossed_registrations_and_deletions_keep_the_number_right,
    of_many_registration_codes_one_stays,
    of_a_deactivated_ca_nothing_is_registered,
    a_code_verifies_or_is_deleted,
);

async fn offers(db: &Db, count: u32) -> Vec<(CertificateRecord, TransferRecord)> {
    let mut offers = Vec::new();
    for number in 0..count {
        db.write(|batch| batch.insert_certificate(&idle_certificate(number), "pem")).await.unwrap();
        offers.push(begin_transfer(db, number).await);
    }
    offers
}

async fn of_accept_reject_and_cancel_one_wins(db: Db) {
    let offers = offers(&db, 20).await;
    let mut batches = Vec::new();
    for (record, transfer) in &offers {
        let active = CertificateStatus::Active;
        let mut ends = vec![
            batch(|batch| batch.accept_transfer(record, transfer, active, "accepted", NOW)),
            batch(|batch| batch.reject_transfer(record, transfer, None, "rejected", NOW)),
            batch(|batch| batch.cancel_transfer(record, transfer, "cancelled", NOW)),
        ];
        // Each of them is first sometimes.
        let first = batches.len() / 3 % 3;
        ends.rotate_left(first);
        batches.extend(ends);
    }
    let outcomes = at_once(&db, batches).await;
    for ((record, _), ends) in offers.iter().zip(outcomes.chunks(3)) {
        assert_eq!(wins(ends), 1, "{ends:?}");
        let number = record.certificate_id;
        let here = db.store.certificate(scope(), number).await.unwrap();
        let there = db.store.certificate(other_scope(), number).await.unwrap();
        let (place, now) = match (here, there) {
            (Some(here), None) => (scope(), here),
            (None, Some(there)) => (other_scope(), there),
            both => panic!("{both:?}"),
        };
        let is_accepted = now.generation_id == "accepted";
        assert_eq!(place == other_scope(), is_accepted);
        assert_eq!(now.status == CertificateStatus::Active, is_accepted);
        let transfer = db.store.transfer(place, number).await.unwrap().unwrap();
        assert_eq!(transfer.accept_date.is_some(), is_accepted);
        assert_eq!(transfer.reject_date.is_some(), now.generation_id == "rejected");
        assert!(!transfer.is_pending);
        assert_eq!(db.store.certificate_pem(place, number).await, Ok(Some("pem".into())));
    }
    assert_counts_are_right(&db).await;
}

async fn of_many_accepts_one_wins(db: Db) {
    let offers = offers(&db, 1).await;
    let (record, transfer) = &offers[0];
    let accept = |number: u32| {
        let generation = number.to_string();
        batch(|batch| batch.accept_transfer(record, transfer, CertificateStatus::Inactive, &generation, NOW))
    };
    assert_eq!(wins(&at_once(&db, (0..16).map(accept).collect()).await), 1);
    assert_eq!(db.store.certificate(other_scope(), id(0)).await.unwrap().unwrap().customer_version, 3);
    assert_counts_are_right(&db).await;
}

async fn of_two_sources_one_offers_a_certificate_to_an_account(db: Db) {
    let mut batches = Vec::new();
    for number in 0..10 {
        for holder in [scope(), third_scope()] {
            let record = CertificateRecord { scope: holder, ..idle_certificate(number) };
            db.write(|batch| batch.insert_certificate(&record, "")).await.unwrap();
            batches.push(batch(|batch| batch.begin_transfer(&record, other_scope().account, None, "g", NOW)));
        }
    }
    let outcomes = at_once(&db, batches).await;
    for pair in outcomes.chunks(2) {
        assert_eq!(wins(pair), 1, "{pair:?}");
    }
    assert_counts_are_right(&db).await;
}

async fn nothing_is_attached_while_a_certificate_is_offered(db: Db) {
    db.write(|batch| {
        batch.insert_policy(&policy(1), "");
        batch.insert_thing(&thing(1));
        (0..20).for_each(|number| batch.insert_certificate(&idle_certificate(number), ""));
    })
    .await
    .unwrap();
    let mut batches = Vec::new();
    for number in 0..20 {
        let record = idle_certificate(number);
        batches.push(batch(|batch| batch.begin_transfer(&record, other_scope().account, None, "g", NOW)));
        batches.push(batch(|batch| match number % 2 {
            0 => batch.attach_policy(scope(), &policy_name(1), id(number), NOW),
            _ => batch.attach_thing_principal(scope(), &thing_name(1), id(number), false, NOW),
        }));
    }
    let outcomes = at_once(&db, batches).await;
    for pair in outcomes.chunks(2) {
        assert_eq!(wins(pair), 1, "{pair:?}");
    }
    assert_counts_are_right(&db).await;
}

async fn a_certificate_that_is_offered_is_not_deleted(db: Db) {
    let mut batches = Vec::new();
    for number in 0..10 {
        let record = idle_certificate(number);
        db.write(|batch| batch.insert_certificate(&record, "")).await.unwrap();
        batches.push(batch(|batch| batch.begin_transfer(&record, other_scope().account, None, "g", NOW)));
        batches.push(batch(|batch| batch.delete_certificate(&record, true)));
    }
    let outcomes = at_once(&db, batches).await;
    for pair in outcomes.chunks(2) {
        assert_eq!(wins(pair), 1, "{pair:?}");
    }
    assert_counts_are_right(&db).await;
}

async fn an_account_gets_a_certificate_by_transfer_or_by_registration(db: Db) {
    let offers = offers(&db, 10).await;
    let mut batches = Vec::new();
    for (number, (record, transfer)) in (0..).zip(&offers) {
        let own = CertificateRecord { scope: other_scope(), ..certificate(number) };
        batches.push(batch(|batch| batch.insert_certificate(&own, "")));
        batches.push(batch(|batch| batch.accept_transfer(record, transfer, CertificateStatus::Active, "g", NOW)));
    }
    let outcomes = at_once(&db, batches).await;
    for pair in outcomes.chunks(2) {
        assert_eq!(wins(pair), 1, "{pair:?}");
    }
    assert_counts_are_right(&db).await;
}

async fn of_two_accounts_one_registers_a_default_ca(db: Db) {
    let register = |number: u32| {
        let scope = if number.is_multiple_of(2) { scope() } else { other_scope() };
        // Subjects of their own, so that the limit of one subject plays no part.
        let subject_sha256 = [u8::try_from(number).unwrap(); 32];
        let record =
            CaCertificateRecord { mode: CertificateMode::Default, scope, subject_sha256, ..ca_certificate(number / 2) };
        batch(|batch| batch.insert_ca_certificate(&record, ""))
    };
    let outcomes = at_once(&db, (0..40).map(register).collect()).await;
    for pair in outcomes.chunks(2) {
        assert_eq!(wins(pair), 1, "{pair:?}");
    }
    assert_counts_are_right(&db).await;
}

async fn of_many_ca_certificates_with_one_subject_ten_stay(db: Db) {
    let register = |number| batch(|batch| batch.insert_ca_certificate(&ca_certificate(number), ""));
    assert_eq!(wins(&at_once(&db, (0..11).map(register).collect()).await), 10);
    assert_eq!(wins(&at_once(&db, (11..30).map(register).collect()).await), 0);
    let kept = db.store.ca_certificates_by_subject(scope(), ca_certificate(0).subject_sha256).await.unwrap();
    assert_eq!(kept.len(), 10);
    assert_counts_are_right(&db).await;
}

async fn crossed_registrations_and_deletions_keep_the_number_right(db: Db) {
    // So few that the counting row comes and goes.
    db.write(|batch| batch.insert_ca_certificate(&ca_certificate(0), "")).await.unwrap();
    for round in 0..10 {
        let batches = vec![
            batch(|batch| batch.delete_ca_certificate(&ca_certificate(2 * round))),
            batch(|batch| batch.insert_ca_certificate(&ca_certificate(2 * round + 1), "")),
            batch(|batch| batch.insert_ca_certificate(&ca_certificate(2 * round + 2), "")),
        ];
        assert_eq!(wins(&at_once(&db, batches).await), 3);
        assert_counts_are_right(&db).await;
        db.write(|batch| batch.delete_ca_certificate(&ca_certificate(2 * round + 1))).await.unwrap();
    }
    assert_eq!(db.number("SELECT ca_count FROM ca_subjects").await, 1);
}

async fn of_many_registration_codes_one_stays(db: Db) {
    let insert = |number: u32| {
        let code = format!("{number:064x}");
        batch(|batch| batch.insert_registration_code(scope(), &code, NOW))
    };
    assert_eq!(wins(&at_once(&db, (0..16).map(insert).collect()).await), 1);
    let code = db.store.registration_code(scope()).await.unwrap().unwrap();
    let delete = |_| batch(|batch| batch.delete_registration_code(scope(), &code));
    assert_eq!(wins(&at_once(&db, (0..8).map(delete).collect()).await), 1);
    assert_eq!(db.store.registration_code(scope()).await, Ok(None));
}

async fn of_a_deactivated_ca_nothing_is_registered(db: Db) {
    let ca = ca_certificate(50);
    db.write(|batch| batch.insert_ca_certificate(&ca, "")).await.unwrap();
    let register = |number: u32| {
        batch(|batch| {
            batch.require_ca_certificate(&ca);
            batch.insert_certificate(&certificate(number), "");
        })
    };
    let changed = CaCertificateRecord { generation_id: "inactive".into(), ..ca.clone() };
    let mut batches: Vec<_> = (0..20).map(register).collect();
    batches.insert(10, batch(|batch| batch.update_ca_certificate(&ca, &changed)));
    let outcomes = at_once(&db, batches).await;
    // The change is never held off, and from then on nothing comes in.
    assert!(outcomes[10].is_ok());
    let registered = db.number("SELECT COUNT(*) FROM certificates").await;
    assert_eq!(usize::try_from(registered).unwrap() + 1, wins(&outcomes));
    assert_eq!(wins(&at_once(&db, (20..24).map(register).collect()).await), 0);
}

async fn a_code_verifies_or_is_deleted(db: Db) {
    for round in 0..5 {
        let code = format!("{round:064x}");
        db.write(|batch| batch.insert_registration_code(scope(), &code, NOW)).await.unwrap();
        let register = batch(|batch| {
            batch.insert_ca_certificate(&ca_certificate(round), "");
            batch.require_registration_code(scope(), &code);
        });
        let delete = batch(|batch| batch.delete_registration_code(scope(), &code));
        let outcomes = at_once(&db, vec![register, delete]).await;
        assert!(outcomes[1].is_ok());
        assert_eq!(db.store.ca_certificate(scope(), id(round)).await.unwrap().is_some(), outcomes[0].is_ok());
    }
    assert_counts_are_right(&db).await;
}
