//! Random operations against a model: the store refuses exactly what the model refuses, and the counting columns equal
//! the rows they count.

use std::collections::{BTreeMap, BTreeSet};

use gatehouse_store::{CertificateRecord, Error, PolicyRecord, ThingRecord};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::harness::{
    Db, NOW, certificate, id, on_postgres, on_sqlite, policy, policy_name, postgres_address, scope, thing, thing_name,
};

/// Every counting column equals the rows it counts, and no attachment hangs in the air.
pub(crate) async fn assert_counts_are_right(db: &Db) {
    let certificate = "a.certificate_id = c.certificate_id AND a.account = c.account AND a.region = c.region";
    let policy = "a.policy_name = p.name AND a.account = p.account AND a.region = p.region";
    let thing = "a.thing_name = t.name AND a.account = t.account AND a.region = t.region";
    let subject = "s.subject_sha256 = c.subject_sha256 AND s.account = c.account AND s.region = c.region";
    for wrong in [
        format!("certificates c WHERE policy_count <> (SELECT COUNT(*) FROM policy_attachments a WHERE {certificate})"),
        format!("certificates c WHERE thing_count <> (SELECT COUNT(*) FROM thing_principals a WHERE {certificate})"),
        format!(
            "certificates c WHERE exclusive_thing_count <> (SELECT COUNT(*) FROM thing_principals a WHERE {certificate} \
             AND a.exclusive = 1)"
        ),
        "certificates c WHERE exclusive_thing_count = 1 AND thing_count <> 1".to_owned(),
        "certificates c WHERE policy_count > 10".to_owned(),
        format!("policies p WHERE attachment_count <> (SELECT COUNT(*) FROM policy_attachments a WHERE {policy})"),
        format!("things t WHERE principal_count <> (SELECT COUNT(*) FROM thing_principals a WHERE {thing})"),
        format!("policy_attachments a WHERE NOT EXISTS (SELECT 1 FROM certificates c WHERE {certificate})"),
        format!("policy_attachments a WHERE NOT EXISTS (SELECT 1 FROM policies p WHERE {policy})"),
        format!("thing_principals a WHERE NOT EXISTS (SELECT 1 FROM certificates c WHERE {certificate})"),
        format!("thing_principals a WHERE NOT EXISTS (SELECT 1 FROM things t WHERE {thing})"),
        format!("certificate_pems a WHERE NOT EXISTS (SELECT 1 FROM certificates c WHERE {certificate})"),
        format!("certificates c WHERE NOT EXISTS (SELECT 1 FROM certificate_pems a WHERE {certificate})"),
        format!("transfers a WHERE NOT EXISTS (SELECT 1 FROM certificates c WHERE {certificate})"),
        format!(
            "certificates c WHERE (status = 'PENDING_TRANSFER') <> EXISTS (SELECT 1 FROM transfers a WHERE {certificate} \
             AND a.is_pending = 1)"
        ),
        "certificates c WHERE status = 'PENDING_TRANSFER' AND policy_count + thing_count > 0".to_owned(),
        format!(
            "transfers a JOIN certificates c ON {certificate} WHERE a.certificate_created_at <> c.created_at \
             OR a.account <> (CASE WHEN a.accept_date IS NULL THEN a.source ELSE a.target END)"
        ),
        format!("ca_certificate_pems a WHERE NOT EXISTS (SELECT 1 FROM ca_certificates c WHERE {certificate})"),
        format!("ca_certificates c WHERE NOT EXISTS (SELECT 1 FROM ca_certificate_pems a WHERE {certificate})"),
        format!("ca_subjects s WHERE ca_count <> (SELECT COUNT(*) FROM ca_certificates c WHERE {subject})"),
        format!("ca_certificates c WHERE NOT EXISTS (SELECT 1 FROM ca_subjects s WHERE {subject})"),
        "ca_subjects WHERE ca_count NOT BETWEEN 1 AND 10".to_owned(),
    ] {
        assert_eq!(db.number(&format!("SELECT COUNT(*) FROM {wrong}")).await, 0, "{wrong}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    InsertCertificate(u32),
    DeleteCertificate(u32, bool),
    InsertPolicy(u32),
    DeletePolicy(u32),
    InsertThing(u32),
    DeleteThing(u32),
    AttachPolicy(u32, u32),
    DetachPolicy(u32, u32),
    AttachThing(u32, u32, bool),
    DetachThing(u32, u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // More policies than a certificate may have, so that the limit is met.
    let (certificates, policies, things) = (0..3_u32, 0..12_u32, 0..3_u32);
    let step = prop_oneof![
        2 => certificates.clone().prop_map(Step::InsertCertificate),
        1 => (certificates.clone(), any::<bool>()).prop_map(|(c, detach)| Step::DeleteCertificate(c, detach)),
        4 => policies.clone().prop_map(Step::InsertPolicy),
        1 => policies.clone().prop_map(Step::DeletePolicy),
        2 => things.clone().prop_map(Step::InsertThing),
        1 => things.clone().prop_map(Step::DeleteThing),
        12 => (policies.clone(), certificates.clone()).prop_map(|(p, c)| Step::AttachPolicy(p, c)),
        2 => (policies, certificates.clone()).prop_map(|(p, c)| Step::DetachPolicy(p, c)),
        4 => (things.clone(), certificates.clone(), any::<bool>()).prop_map(|(t, c, e)| Step::AttachThing(t, c, e)),
        2 => (things, certificates).prop_map(|(t, c)| Step::DetachThing(t, c)),
    ];
    proptest::collection::vec(step, 1..80)
}

#[derive(Default)]
struct Model {
    certificates: BTreeSet<u32>,
    policies: BTreeSet<u32>,
    things: BTreeSet<u32>,
    attached: BTreeSet<(u32, u32)>,
    principals: BTreeMap<(u32, u32), bool>,
}

impl Model {
    /// Does the step and says whether it is allowed.
    fn take(&mut self, step: Step) -> bool {
        let policies_of = |model: &Self, c: u32| model.attached.iter().filter(|(_, of)| *of == c).count();
        match step {
            Step::InsertCertificate(c) => self.certificates.insert(c),
            Step::InsertPolicy(p) => self.policies.insert(p),
            Step::InsertThing(t) => self.things.insert(t),
            Step::DeleteCertificate(c, detach) => {
                let free = self.principals.keys().all(|(_, of)| *of != c) && (detach || policies_of(self, c) == 0);
                let gone = free && self.certificates.remove(&c);
                if gone {
                    self.attached.retain(|(_, of)| *of != c);
                }
                gone
            }
            Step::DeletePolicy(p) => self.attached.iter().all(|(of, _)| *of != p) && self.policies.remove(&p),
            Step::DeleteThing(t) => self.principals.keys().all(|(of, _)| *of != t) && self.things.remove(&t),
            Step::AttachPolicy(p, c) => {
                let known = self.policies.contains(&p) && self.certificates.contains(&c);
                known && policies_of(self, c) < 10 && self.attached.insert((p, c))
            }
            Step::DetachPolicy(p, c) => self.attached.remove(&(p, c)),
            Step::AttachThing(t, c, exclusive) => {
                let known = self.things.contains(&t) && self.certificates.contains(&c);
                let mut of = self.principals.iter().filter(|((_, of), _)| *of == c);
                let free = if exclusive { of.next().is_none() } else { of.all(|((other, _), e)| *other != t && !e) };
                let allowed = known && free;
                if allowed {
                    self.principals.insert((t, c), exclusive);
                }
                allowed
            }
            Step::DetachThing(t, c) => self.principals.remove(&(t, c)).is_some(),
        }
    }
}

async fn apply(db: &Db, step: Step) -> Result<(), Error> {
    let certificate_now =
        async |c| db.store.certificate(scope(), id(c)).await.map(|found| found.unwrap_or(certificate(c)));
    match step {
        Step::InsertCertificate(c) => db.write(|batch| batch.insert_certificate(&certificate(c), "")).await,
        Step::InsertPolicy(p) => db.write(|batch| batch.insert_policy(&policy(p), "")).await,
        Step::InsertThing(t) => db.write(|batch| batch.insert_thing(&thing(t))).await,
        Step::DeleteCertificate(c, detach) => {
            let record: CertificateRecord = certificate_now(c).await?;
            db.write(|batch| batch.delete_certificate(&record, detach)).await
        }
        Step::DeletePolicy(p) => {
            let record: PolicyRecord = db.store.policy(scope(), &policy_name(p)).await?.unwrap_or(policy(p));
            db.write(|batch| batch.delete_policy(&record)).await
        }
        Step::DeleteThing(t) => {
            let record: ThingRecord = db.store.thing(scope(), &thing_name(t)).await?.unwrap_or(thing(t));
            db.write(|batch| batch.delete_thing(&record)).await
        }
        Step::AttachPolicy(p, c) => db.write(|batch| batch.attach_policy(scope(), &policy_name(p), id(c), NOW)).await,
        Step::DetachPolicy(p, c) => db.write(|batch| batch.detach_policy(scope(), &policy_name(p), id(c))).await,
        Step::AttachThing(t, c, exclusive) => {
            db.write(|batch| batch.attach_thing_principal(scope(), &thing_name(t), id(c), exclusive, NOW)).await
        }
        Step::DetachThing(t, c) => db.write(|batch| batch.detach_thing_principal(scope(), &thing_name(t), id(c))).await,
    }
}

async fn follow(db: Db, steps: Vec<Step>) {
    let mut model = Model::default();
    for step in steps {
        let expected = if model.take(step) { Ok(()) } else { Err(Error::Conflict) };
        assert_eq!(apply(&db, step).await, expected, "{step:?}");
    }
    assert_counts_are_right(&db).await;
    for c in 0..3 {
        let stored = db.store.admission(scope(), id(c)).await.unwrap();
        assert_eq!(stored.is_some(), model.certificates.contains(&c));
        let Some(stored) = stored else { continue };
        let policies: Vec<_> = model.attached.iter().filter(|(_, of)| *of == c).map(|(p, _)| policy_name(*p)).collect();
        assert_eq!(stored.policies, policies);
        let things: Vec<_> = model.principals.iter().filter(|((_, of), _)| *of == c).collect();
        let stored: Vec<_> = stored.things.into_iter().map(|thing| (thing.thing_name, thing.exclusive)).collect();
        assert_eq!(stored, things.into_iter().map(|((t, _), e)| (thing_name(*t), *e)).collect::<Vec<_>>());
    }
}

/// Runs cases of random steps, each on a database of its own.
fn run_cases(run: impl Fn(Vec<Step>)) {
    let config = Config { cases: 12, max_shrink_iters: 100, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&steps(), |steps| {
            run(steps);
            Ok(())
        })
        .unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn random_steps_keep_counts_right_on_sqlite() {
    let runtime = runtime();
    run_cases(|steps| runtime.block_on(on_sqlite(|db| follow(db, steps))));
}

#[test]
fn random_steps_keep_counts_right_on_postgres() {
    if postgres_address().is_some() {
        let runtime = runtime();
        run_cases(|steps| runtime.block_on(on_postgres(|db| follow(db, steps))));
    }
}
