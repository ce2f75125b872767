//! What other processes change reaches the gate through the change log, and a gate that cannot follow it lets nobody in.

use std::time::Duration;

use crate::harness::{Db, Gate, HeldTime, Setup, home, on_both_engines};

const DENY_PUBLISH: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"},
    {"Effect":"Deny","Action":"iot:Publish","Resource":"*"}]}"#;

async fn a_revocation_by_another_process_cuts(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    let device = gate.device().await;
    let mut client = gate.connect(&device, "dev").await;
    let mut bystander = gate.client("bystander").await;
    gate.another_process().await.revoke(home(), device.id).await;
    // Newcomers are judged by what is committed, with no need of the log.
    assert_eq!(gate.call(&device).connect("dev").await.explained().0, 0x87);
    assert_eq!(client.until_closed().await.unwrap().0, 0x87);
    bystander.hears_nothing().await;
}

async fn a_policy_changed_by_another_process_takes_effect(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    let device = gate.device().await;
    let mut client = gate.connect(&device, "dev").await;
    client.publish("t", "").await;
    let elsewhere = gate.another_process().await;
    elsewhere.put_in_force(home(), "all", DENY_PUBLISH).await;
    while client.try_publish("t", "").await == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.try_publish("t", "").await, 0x87);
}

on_both_engines!(a_revocation_by_another_process_cuts, a_policy_changed_by_another_process_takes_effect);

#[tokio::test]
async fn a_gate_that_does_not_follow_the_log_admits_nobody_new() {
    let gate = Gate::with(Setup { has_background: false, ..Setup::default() }).await;
    let device = gate.device().await;
    let mut client = gate.connect(&device, "early").await;
    gate.clock.advance_ms(5_000);
    assert!(gate.gateway.is_current());
    gate.connect(&device, "just-so").await.hears_nothing().await;
    gate.clock.advance_ms(1);
    assert!(!gate.gateway.is_current());
    let told = gate.call(&device).connect("late").await.explained();
    assert_eq!(told, (0x88, "the registry cannot be read at the moment: try again".to_owned()));
    assert_eq!(gate.call(&device).mqtt311().connect("late").await.refused(), [0x20, 2, 0, 3]);
    assert_eq!(gate.refusals("registry-unavailable"), 2);
    // Who is connected stays.
    client.hears_nothing().await;

    for task in gate.gateway.background() {
        tokio::spawn(task);
    }
    gate.until(|gate| gate.gateway.is_current()).await;
    gate.connect(&device, "late").await.hears_nothing().await;
}

#[tokio::test]
async fn after_a_long_absence_every_connection_is_judged_again() {
    let time = HeldTime::hold().await;
    let gate = Gate::open().await;
    let device = gate.device().await;
    let mut client = gate.connect(&device, "dev").await;
    let mut bystander = gate.client("bystander").await;
    gate.another_process().await.revoke(home(), device.id).await;
    // So long that the log may have been pruned past what this gate has read.
    gate.clock.advance_ms(20 * 60 * 60 * 1000);
    time.pass(Duration::from_secs(1)).await;
    assert_eq!(client.until_closed().await.unwrap().0, 0x87);
    bystander.hears_nothing().await;
}
