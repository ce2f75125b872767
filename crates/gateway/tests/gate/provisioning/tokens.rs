//! Certificate ownership tokens: good for one scope, one requester, one certificate, one registration and one hour.

use gatehouse_control::provisioning::fleet::give_up_unclaimed;
use gatehouse_domain::certificate::{CertificateMode, CertificateStatus};
use gatehouse_domain::time::Clock as _;
use gatehouse_store::CertificateRecord;
use serde_json::json;

use super::{assert_nothing_is_left, story, thing, with_template};
use crate::harness::{
    Db, Device, Gate, Key, PROVISION, Registrar, Setup, home, host, on_both_engines, other, template,
};

on_both_engines!(
    certificates_that_stay_nobodys_are_given_up_after_an_hour,
    a_token_serves_once_however_many_show_it_at_once,
    a_failed_registration_costs_nothing,
);

const HOUR_MS: i64 = 3_600_000;
const REFUSED: &str = "InvalidCertificateOwnershipToken";

#[tokio::test]
async fn no_token_is_told_in_awss_words() {
    let (_gate, mut newborn) = story().await;
    for body in
        [json!({}), json!({ "certificateOwnershipToken": "" }), json!({ "parameters": { "SerialNumber": "a" } })]
    {
        let expected = json!({
            "statusCode": 400,
            "errorCode": REFUSED,
            "errorMessage": "Certificate ownership token cannot be empty.",
        });
        assert_eq!(newborn.ask_service(PROVISION, &body).await, Err(expected), "{body}");
    }
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let (gate, mut newborn) = story().await;
    let fresh = newborn.fresh().await;
    let token = &fresh.token;
    for garbage in [
        "x",
        "eyJ2ZXJzaW9uIjoiMjAxOTEwMjMifQ==",
        &token[1..],
        &token[..token.len() - 4],
        &format!("{token} "),
        &token.to_lowercase(),
        &token.repeat(400),
        "\u{0}",
    ] {
        assert_eq!(newborn.not_registered(garbage, "lamp").await, REFUSED, "{garbage}");
    }
    assert_nothing_is_left(&gate, &fresh.device, "lamp").await;
    newborn.register(token, "lamp").await.unwrap();
}

#[tokio::test]
async fn a_token_is_good_for_whom_it_was_given_to() {
    let gate = with_template(&json!({})).await;
    gate.registrar.make_template(other(), "fleet", &template(&json!({}))).await;
    // One certificate in two accounts.
    let claim = Device::with_key(Key::P256);
    for scope in [home(), other()] {
        let record = CertificateRecord { mode: CertificateMode::SniOnly, ..Registrar::record(scope, claim.id) };
        gate.registrar.register(&record).await;
        gate.registrar.attach(scope, "all", claim.id).await;
    }
    let mut here = gate.connect(&claim, "here").await;
    let mut there = gate.call(&claim).at(host(other())).connect("there").await.accepted();
    let fresh = here.fresh().await;
    assert_eq!(there.not_registered(&fresh.token, "lamp").await, REFUSED);
    let mut another = gate.client("another").await;
    assert_eq!(another.not_registered(&fresh.token, "lamp").await, REFUSED);
    assert_nothing_is_left(&gate, &fresh.device, "lamp").await;
    // Another connection of the same claim is as good as the first.
    let mut again = gate.connect(&claim, "again").await;
    again.register(&fresh.token, "lamp").await.unwrap();
}

#[tokio::test]
async fn a_token_lives_for_an_hour() {
    let (gate, mut newborn) = story().await;
    let (first, second) = (newborn.fresh().await, newborn.fresh().await);
    gate.clock.advance_ms(HOUR_MS - 1);
    newborn.register(&first.token, "first").await.unwrap();
    gate.clock.advance_ms(1);
    assert_eq!(newborn.not_registered(&second.token, "second").await, REFUSED);
    assert_nothing_is_left_of_policies(&gate, &second.device).await;
}

async fn assert_nothing_is_left_of_policies(gate: &Gate, device: &Device) {
    let record = gate.house.store.certificate(home(), device.id).await.unwrap().unwrap();
    assert_eq!((record.status, record.policy_count), (CertificateStatus::PendingActivation, 0));
}

async fn a_token_serves_once_however_many_show_it_at_once(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    gate.registrar.make_template(home(), "fleet", &template(&json!({}))).await;
    let claim = gate.device().await;
    let mut one = gate.connect(&claim, "one").await;
    let mut two = gate.connect(&claim, "two").await;
    for round in 0..5 {
        let fresh = one.fresh().await;
        let (first, second) = (format!("first-{round}"), format!("second-{round}"));
        let outcomes = tokio::join!(one.register(&fresh.token, &first), two.register(&fresh.token, &second));
        let refused = match &outcomes {
            (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused["errorCode"].as_str().unwrap(),
            other => panic!("{other:?}"),
        };
        assert!([REFUSED, "ResourceRegistrationFailure"].contains(&refused), "{refused}");
        let store = &gate.house.store;
        let record = store.certificate(home(), fresh.device.id).await.unwrap().unwrap();
        assert_eq!((record.thing_count, record.policy_count), (1, 1));
        let things = [store.thing(home(), &thing(&first)).await, store.thing(home(), &thing(&second)).await];
        assert_eq!(things.iter().filter(|thing| thing.as_ref().unwrap().is_some()).count(), 1);
        assert_eq!(one.not_registered(&fresh.token, "again").await, REFUSED);
    }
}

async fn a_failed_registration_costs_nothing(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    let thing = json!({ "ThingGroups": ["lamps"], "ThingTypeName": "lamp" });
    let body = template(&json!({ "Resources": { "thing": { "Properties": thing } } }));
    gate.registrar.make_template(home(), "fleet", &body).await;
    let mut newborn = gate.client("newborn").await;
    let fresh = newborn.fresh().await;
    assert_eq!(newborn.not_registered(&fresh.token, "lamp-1").await, "ResourceRegistrationFailure");
    assert_nothing_is_left(&gate, &fresh.device, "lamp-1").await;
    gate.registrar.make_group(home(), "lamps", &[]).await;
    // Still a type is missing.
    assert_eq!(newborn.not_registered(&fresh.token, "lamp-1").await, "ResourceRegistrationFailure");
    assert_nothing_is_left(&gate, &fresh.device, "lamp-1").await;
    gate.registrar.make_type(home(), "lamp").await;
    newborn.register(&fresh.token, "lamp-1").await.unwrap();
    let memberships = gate.house.store.memberships(home(), &super::thing("lamp-1")).await.unwrap().unwrap();
    assert_eq!(memberships.groups.len(), 1);
    assert_eq!(newborn.not_registered(&fresh.token, "lamp-1").await, REFUSED);
}

async fn certificates_that_stay_nobodys_are_given_up_after_an_hour(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    gate.registrar.make_template(home(), "fleet", &template(&json!({}))).await;
    gate.registrar.make_thing(home(), "attached", ("a", "1")).await;
    let mut newborn = gate.client("newborn").await;
    let mut fresh = Vec::new();
    for _ in 0..6 {
        fresh.push(newborn.fresh().await);
    }
    let [nobodys, registered, active, permitted, attached, deleted] = &fresh[..] else { panic!() };
    newborn.register(&registered.token, "registered").await.unwrap();
    gate.registrar.set_status(home(), active.device.id, CertificateStatus::Active).await;
    gate.registrar.attach(home(), "all", permitted.device.id).await;
    gate.registrar.attach_thing(home(), "attached", attached.device.id).await;
    gate.registrar.delete(home(), deleted.device.id).await;

    let store = &gate.house.store;
    let remaining = async || {
        let mut remaining = Vec::new();
        for fresh in [nobodys, registered, active, permitted, attached] {
            remaining.push(store.certificate(home(), fresh.device.id).await.unwrap().is_some());
        }
        remaining
    };
    gate.clock.advance_ms(HOUR_MS - 1);
    give_up_unclaimed(store, gate.clock.now()).await.unwrap();
    assert_eq!(remaining().await, [true; 5]);
    // The token of what somebody has activated is worth nothing, and neither is that of what is gone.
    assert_eq!(newborn.not_registered(&active.token, "lamp").await, "ResourceRegistrationFailure");
    assert_eq!(newborn.not_registered(&deleted.token, "lamp").await, REFUSED);
    gate.clock.advance_ms(1);
    give_up_unclaimed(store, gate.clock.now()).await.unwrap();
    assert_eq!(remaining().await, [false, true, true, true, true]);
    for fresh in &fresh {
        assert_eq!(store.unclaimed_certificate(home(), fresh.device.id).await.unwrap(), None);
    }
    // Looked at again, there is nothing to do.
    give_up_unclaimed(store, gate.clock.now()).await.unwrap();
    assert_eq!(remaining().await, [false, true, true, true, true]);
}
