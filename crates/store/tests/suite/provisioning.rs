//! Fleet provisioning: certificates that are nobody's yet, and claims; and the first groups of a new thing.

use gatehouse_domain::name::ProvisioningTemplateName;
use gatehouse_domain::scope::Scope;
use gatehouse_store::{Batch, Error, MembershipsRecord, ProvisioningClaimRecord, UnclaimedCertificate};

use crate::harness::{Db, NOW, id, on_both_engines, other_scope, scope, thing, thing_group, thing_name};
use crate::races::{at_once, batch, wins};

on_both_engines!(
    a_certificate_is_unclaimed_until_it_is_claimed,
    a_certificate_is_claimed_once,
    certificates_are_given_up_in_the_order_of_their_end,
    a_claim_is_read_in_its_own_scope,
    claims_end_with_their_time_and_with_their_template,
    a_new_thing_begins_in_its_groups_or_not_at_all,
);

fn unclaimed(number: u32, after_ms: i64) -> UnclaimedCertificate {
    UnclaimedCertificate { scope: scope(), certificate_id: id(number), expires_at: NOW.plus_millis(after_ms) }
}

fn template(name: &str) -> ProvisioningTemplateName {
    name.parse().unwrap()
}

fn claim(number: u32, template_name: &str) -> ProvisioningClaimRecord {
    ProvisioningClaimRecord {
        scope: scope(),
        certificate_id: id(number),
        template_name: template(template_name),
        not_before: NOW.plus_millis(-120_000),
        not_after: NOW.plus_millis(300_000),
    }
}

async fn a_certificate_is_unclaimed_until_it_is_claimed(db: Db) {
    let noted = unclaimed(1, 1000);
    let elsewhere = UnclaimedCertificate { scope: other_scope(), ..noted };
    db.write(|batch| batch.insert_unclaimed_certificate(&noted)).await.unwrap();
    assert_eq!(db.write(|batch| batch.insert_unclaimed_certificate(&noted)).await, Err(Error::Conflict));
    assert_eq!(db.store.unclaimed_certificate(scope(), id(1)).await, Ok(Some(noted)));
    assert_eq!(db.store.unclaimed_certificate(scope(), id(2)).await, Ok(None));
    assert_eq!(db.store.unclaimed_certificate(other_scope(), id(1)).await, Ok(None));
    assert_eq!(db.write(|batch| batch.claim_certificate(&elsewhere)).await, Err(Error::Conflict));
    // Scopes have the same certificate side by side.
    db.write(|batch| batch.insert_unclaimed_certificate(&elsewhere)).await.unwrap();
    db.write(|batch| batch.claim_certificate(&noted)).await.unwrap();
    assert_eq!(db.store.unclaimed_certificate(scope(), id(1)).await, Ok(None));
    assert_eq!(db.store.unclaimed_certificate(other_scope(), id(1)).await, Ok(Some(elsewhere)));
    assert_eq!(db.write(|batch| batch.claim_certificate(&noted)).await, Err(Error::Conflict));
}

async fn a_certificate_is_claimed_once(db: Db) {
    let noted = unclaimed(1, 1000);
    db.write(|batch| batch.insert_unclaimed_certificate(&noted)).await.unwrap();
    let rivals = (0..8).map(|number| {
        batch(|batch| {
            batch.claim_certificate(&noted);
            batch.insert_thing(&thing(number));
        })
    });
    let outcomes = at_once(&db, rivals.collect()).await;
    assert_eq!(wins(&outcomes), 1);
    // Whoever lost has nothing else either.
    assert_eq!(db.number("SELECT COUNT(*) FROM things").await, 1);
}

async fn certificates_are_given_up_in_the_order_of_their_end(db: Db) {
    let elsewhere = UnclaimedCertificate { scope: other_scope(), ..unclaimed(4, 5) };
    for noted in [unclaimed(1, 20), unclaimed(3, 10), unclaimed(2, 10), elsewhere] {
        db.write(|batch| batch.insert_unclaimed_certificate(&noted)).await.unwrap();
    }
    let [one, two, three] = [1, 2, 3].map(|number| (scope(), id(number)));
    let four = (other_scope(), id(4));
    let table: [(i64, u32, &[(Scope, _)]); 5] = [
        (4, 9, &[]),
        (5, 9, &[four]),
        (10, 9, &[four, two, three]),
        (10, 2, &[four, two]),
        (1000, 9, &[four, two, three, one]),
    ];
    for (after_ms, limit, expected) in table {
        let found = db.store.given_up_certificates(NOW.plus_millis(after_ms), limit).await.unwrap();
        let found: Vec<_> = found.into_iter().map(|noted| (noted.scope, noted.certificate_id)).collect();
        assert_eq!(found, expected, "{after_ms} {limit}");
    }
}

async fn a_claim_is_read_in_its_own_scope(db: Db) {
    let made = claim(1, "fleet");
    db.write(|batch| batch.insert_provisioning_claim(&made)).await.unwrap();
    assert_eq!(db.write(|batch| batch.insert_provisioning_claim(&claim(1, "other"))).await, Err(Error::Conflict));
    assert_eq!(db.store.provisioning_claim(scope(), id(1)).await, Ok(Some(made)));
    assert_eq!(db.store.provisioning_claim(scope(), id(2)).await, Ok(None));
    assert_eq!(db.store.provisioning_claim(other_scope(), id(1)).await, Ok(None));
}

async fn claims_end_with_their_time_and_with_their_template(db: Db) {
    let elsewhere = ProvisioningClaimRecord { scope: other_scope(), ..claim(4, "fleet") };
    for made in [claim(1, "fleet"), claim(2, "fleet"), claim(3, "other"), elsewhere] {
        db.write(|batch| batch.insert_provisioning_claim(&made)).await.unwrap();
    }
    db.write(|batch| batch.delete_provisioning_claims(scope(), &template("fleet"))).await.unwrap();
    // Without any, nothing stands against it.
    db.write(|batch| batch.delete_provisioning_claims(scope(), &template("fleet"))).await.unwrap();
    let left = async |scope, number| db.store.provisioning_claim(scope, id(number)).await.unwrap().is_some();
    assert_eq!([left(scope(), 1).await, left(scope(), 2).await, left(scope(), 3).await], [false, false, true]);
    assert!(left(other_scope(), 4).await);

    let end = claim(3, "other").not_after;
    db.store.prune_provisioning_claims(end).await.unwrap();
    assert!(left(scope(), 3).await);
    db.store.prune_provisioning_claims(end.plus_millis(1)).await.unwrap();
    assert_eq!(db.number("SELECT COUNT(*) FROM provisioning_claims").await, 0);
}

async fn a_new_thing_begins_in_its_groups_or_not_at_all(db: Db) {
    let groups = [thing_group("a", &[]), thing_group("b", &["a"])];
    for group in &groups {
        db.write(|batch| batch.insert_thing_group(group)).await.unwrap();
    }
    let make = |batch: &mut Batch, number: u32| {
        let made = thing(number);
        batch.insert_thing(&made);
        batch.change_memberships(&MembershipsRecord::of_new_thing(&made), &groups, &[]);
    };
    db.write(|batch| make(batch, 1)).await.unwrap();
    let memberships = db.store.memberships(scope(), &thing_name(1)).await.unwrap().unwrap();
    assert_eq!(memberships.thing_id, thing(1).thing_id);
    let names: Vec<&str> = memberships.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    // They are a thing's memberships like any other's: changed as they are, and not as they were.
    let stale = MembershipsRecord::of_new_thing(&thing(1));
    let refused = db.write(|batch| batch.change_memberships(&stale, &[], &groups[..1])).await;
    assert_eq!(refused, Err(Error::Conflict));
    db.write(|batch| batch.change_memberships(&memberships, &[], &groups[..1])).await.unwrap();

    // Who exists is no new thing, and a group that is gone takes none.
    assert_eq!(db.write(|batch| make(batch, 1)).await, Err(Error::Conflict));
    let b = db.store.thing_group(scope(), &"b".parse().unwrap()).await.unwrap().unwrap();
    db.write(|batch| batch.delete_thing_group(&b)).await.unwrap();
    assert_eq!(db.write(|batch| make(batch, 2)).await, Err(Error::Conflict));
    assert_eq!(db.store.thing(scope(), &thing_name(2)).await, Ok(None));
    assert_eq!(db.number("SELECT COUNT(*) FROM thing_group_members WHERE thing_name = 'thing-0002'").await, 0);
}
