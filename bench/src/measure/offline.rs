//! QoS 1 for clients that are away: how fast messages are kept for them, and how fast one that comes back has them.
//! Gatehouse flushes each to the disk before it acknowledges the publish; Mosquitto keeps them in memory.

use std::sync::Arc;

use gatehouse_mqtt::Qos;
use tokio::sync::Semaphore;

use super::Bench;
use super::brokers::Brokers;
use crate::children::Server;
use crate::device::{CALLERS, connect_many, connect_one};
use crate::figures::Figures;
use crate::fleet::Identity;
use crate::options::Sessions;
use crate::traffic::{Cost, Load, Traffic};
use crate::{Outcome, process};

/// Messages that are kept in a round unless told otherwise: enough for the kernel's hundredths of a second of CPU, and
/// fewer than may wait for one session.
const MESSAGES: u32 = 50_000;
/// Messages that one client catches up with unless told otherwise.
const WAITING: u32 = 10_000;
/// Clients that are away.
const AWAY: [u32; 2] = [1, 100];
const TOPIC: &str = "fleet/site-7/line-3/machine-0001/in";

pub(super) async fn measure(bench: &Bench<'_>, figures: &mut Figures) -> Outcome {
    let (rounds, publishers) = (bench.options.rounds, bench.options.pairs);
    for registered in bench.options.registered(&[1_000]) {
        let brokers = bench.brokers(registered).await?;
        for away in AWAY {
            // As many publishes each, so that there are at least as many messages as asked for.
            let each = bench.options.messages(MESSAGES).div_ceil(away).div_ceil(publishers);
            let load = Load { qos: Qos::AtLeastOnce, at_once: 1, messages: each, every: None };
            let kept = each.saturating_mul(publishers).saturating_mul(away);
            let costs = brokers.compare(rounds, async |server| {
                forget(server, &brokers.fleet, away).await?;
                keep(server, &brokers.fleet, publishers, away, load).await
            });
            let costs = costs.await?;
            let among = format!("{away} away, {publishers} publishers");
            figures.add(costs.rate("offline", &format!("messages kept, median, {among}"), kept));
            figures.add(costs.cpu_median("offline", &format!("CPU per message kept, median, {among}"), kept, None));
            if away == 1 {
                let messages = bench.options.messages(WAITING).div_ceil(publishers);
                drain_in_turns(&brokers, rounds, publishers, Load { messages, ..load }, figures).await?;
            }
        }
        brokers.stop().await?;
    }
    Ok(())
}

/// Lets one client catch up with what waits for it, in each round.
async fn drain_in_turns(brokers: &Brokers, rounds: u32, publishers: u32, load: Load, figures: &mut Figures) -> Outcome {
    let waiting = load.messages.saturating_mul(publishers);
    let costs = brokers.compare(rounds, async |server| {
        forget(server, &brokers.fleet, 1).await?;
        keep(server, &brokers.fleet, publishers, 1, load).await?;
        drain(server, &brokers.fleet, waiting).await
    });
    let costs = costs.await?;
    figures.add(costs.rate("offline", &format!("messages drained, median, {waiting} waiting"), waiting));
    let cpu = format!("CPU per message drained, median, {waiting} waiting");
    figures.add(costs.cpu_median("offline", &cpu, waiting, None));
    Ok(())
}

/// Ends the sessions of the first `away` devices, with all that waits for them.
async fn forget(server: &Server, fleet: &Arc<[Identity]>, away: u32) -> Outcome {
    for device in connect_many(server.mqtt, fleet, usize::try_from(away)?, CALLERS, Sessions::Clean).await? {
        device.leave().await;
    }
    process::quiet(server.pid).await
}

/// Publishes to the sessions of the first `away` devices, which have left.
async fn keep(server: &Server, fleet: &Arc<[Identity]>, publishers: u32, away: u32, load: Load) -> Outcome<Cost> {
    let away = usize::try_from(away)?;
    for mut device in connect_many(server.mqtt, fleet, away, CALLERS, Sessions::Persistent).await? {
        device.subscribe(TOPIC, Qos::AtLeastOnce).await?;
        device.leave().await;
    }
    process::quiet(server.pid).await?;
    let mut traffic = Traffic::new();
    for number in 0..usize::try_from(publishers)? {
        let publisher = connect_one(server.mqtt, fleet, away + number, Sessions::Clean).await?;
        // Nothing arrives that could be waited for.
        let room = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        traffic.publish(publisher, TOPIC.to_owned(), load, room);
    }
    Cost::of(server, traffic).await
}

/// The first device comes back for `waiting` messages.
async fn drain(server: &Server, fleet: &[Identity], waiting: u32) -> Outcome<Cost> {
    let device = connect_one(server.mqtt, fleet, 0, Sessions::Persistent).await?;
    let mut traffic = Traffic::new();
    traffic.receive(device, waiting, |_| ());
    Cost::of(server, traffic).await
}
