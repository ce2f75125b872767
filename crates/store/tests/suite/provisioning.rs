//! What fleet provisioning keeps for a while: certificates that are nobody's yet, and claims.

use gatehouse_store::{Error, ProvisioningClaimRecord, UnclaimedCertificate};

use crate::harness::{Db, NOW, id, on_both_engines, other_scope, scope};

on_both_engines!(
    a_certificate_is_claimed_once,
    those_that_waited_longest_are_given_up_first,
    a_claim_means_something_in_its_scope_alone,
    claims_end_with_their_template,
    claims_that_have_ended_are_forgotten,
);

fn unclaimed(number: u32, expires_in_ms: i64) -> UnclaimedCertificate {
    UnclaimedCertificate { scope: scope(), certificate_id: id(number), expires_at: NOW.plus_millis(expires_in_ms) }
}

async fn a_certificate_is_claimed_once(db: Db) {
    let (here, there) = (unclaimed(1, 5), UnclaimedCertificate { scope: other_scope(), ..unclaimed(1, 7) });
    for unclaimed in [&here, &there] {
        db.write(|batch| batch.insert_unclaimed_certificate(unclaimed)).await.unwrap();
    }
    assert_eq!(db.write(|batch| batch.insert_unclaimed_certificate(&here)).await, Err(Error::Conflict));
    assert_eq!(db.store.unclaimed_certificate(scope(), id(1)).await, Ok(Some(here)));
    assert_eq!(db.store.unclaimed_certificate(scope(), id(2)).await, Ok(None));

    db.write(|batch| batch.claim_certificate(&here)).await.unwrap();
    assert_eq!(db.write(|batch| batch.claim_certificate(&here)).await, Err(Error::Conflict));
    assert_eq!(db.store.unclaimed_certificate(scope(), id(1)).await, Ok(None));
    assert_eq!(db.store.unclaimed_certificate(other_scope(), id(1)).await, Ok(Some(there)));
}

async fn those_that_waited_longest_are_given_up_first(db: Db) {
    for (number, expires_in_ms) in [(3, 30), (1, 10), (2, 10), (4, 40)] {
        db.write(|batch| batch.insert_unclaimed_certificate(&unclaimed(number, expires_in_ms))).await.unwrap();
    }
    let given_up = async |at, limit| {
        let found = db.store.given_up_certificates(NOW.plus_millis(at), limit).await.unwrap();
        found.into_iter().map(|unclaimed| unclaimed.certificate_id).collect::<Vec<_>>()
    };
    assert_eq!(given_up(9, 10).await, []);
    assert_eq!(given_up(10, 10).await, [id(1), id(2)]);
    assert_eq!(given_up(30, 10).await, [id(1), id(2), id(3)]);
    assert_eq!(given_up(40, 2).await, [id(1), id(2)]);
}

fn claim(number: u32, template_name: &str) -> ProvisioningClaimRecord {
    ProvisioningClaimRecord {
        scope: scope(),
        certificate_id: id(number),
        template_name: template_name.parse().unwrap(),
        not_before: NOW.plus_millis(-120_000),
        not_after: NOW.plus_millis(300_000),
    }
}

async fn a_claim_means_something_in_its_scope_alone(db: Db) {
    let made = claim(1, "fleet");
    db.write(|batch| batch.insert_provisioning_claim(&made)).await.unwrap();
    assert_eq!(db.write(|batch| batch.insert_provisioning_claim(&made)).await, Err(Error::Conflict));
    assert_eq!(db.store.provisioning_claim(scope(), id(1)).await, Ok(Some(made)));
    assert_eq!(db.store.provisioning_claim(other_scope(), id(1)).await, Ok(None));
    assert_eq!(db.store.provisioning_claim(scope(), id(2)).await, Ok(None));
    // It is no registered certificate.
    assert_eq!(db.store.certificate(scope(), id(1)).await, Ok(None));
    assert_eq!(db.store.certificate_scopes(id(1)).await, Ok(Vec::new()));
    assert!(db.store.admission(scope(), id(1)).await.unwrap().is_none());
}

async fn claims_end_with_their_template(db: Db) {
    let elsewhere = ProvisioningClaimRecord { scope: other_scope(), ..claim(1, "fleet") };
    for claim in [&claim(1, "fleet"), &claim(2, "fleet"), &claim(3, "Fleet"), &elsewhere] {
        db.write(|batch| batch.insert_provisioning_claim(claim)).await.unwrap();
    }
    db.write(|batch| batch.delete_provisioning_claims(scope(), &"fleet".parse().unwrap())).await.unwrap();
    for number in [1, 2] {
        assert_eq!(db.store.provisioning_claim(scope(), id(number)).await, Ok(None));
    }
    assert_eq!(db.store.provisioning_claim(scope(), id(3)).await, Ok(Some(claim(3, "Fleet"))));
    assert_eq!(db.store.provisioning_claim(other_scope(), id(1)).await, Ok(Some(elsewhere)));
}

async fn claims_that_have_ended_are_forgotten(db: Db) {
    let longer = ProvisioningClaimRecord { not_after: NOW.plus_millis(300_001), ..claim(2, "fleet") };
    for claim in [&claim(1, "fleet"), &longer] {
        db.write(|batch| batch.insert_provisioning_claim(claim)).await.unwrap();
    }
    db.store.prune_provisioning_claims(NOW.plus_millis(300_000)).await.unwrap();
    assert_eq!(db.number("SELECT COUNT(*) FROM provisioning_claims").await, 2);
    db.store.prune_provisioning_claims(NOW.plus_millis(300_001)).await.unwrap();
    assert_eq!(db.store.provisioning_claim(scope(), id(1)).await, Ok(None));
    assert_eq!(db.store.provisioning_claim(scope(), id(2)).await, Ok(Some(longer)));
}
