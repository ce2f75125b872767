//! Server CPU for one message, from a publisher through the server to its subscriber, at full rate and at a steady one.
//! Gatehouse asks its policy at the publish and at the delivery.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_mqtt::Qos;
use tokio::sync::Semaphore;

use super::Bench;
use super::brokers::Brokers;
use crate::Outcome;
use crate::children::Server;
use crate::device::connect_one;
use crate::figures::{Figures, Reach};
use crate::fleet::Identity;
use crate::options::Sessions;
use crate::traffic::{Cost, Load, ON_THE_WAY, Traffic};

/// Messages of a publisher unless told otherwise.
const MESSAGES: u32 = 50_000;
/// Messages that a publisher writes at once: each with a write of its own, as devices do, and many, as a busy client
/// library does.
const AT_ONCE: [u32; 2] = [1, 16];
/// The steady rate, of all publishers together.
const PER_SECOND: u32 = 2_000;

pub(super) async fn measure(bench: &Bench<'_>, figures: &mut Figures) -> Outcome {
    let (pairs, messages) = (bench.options.pairs, bench.options.messages(MESSAGES));
    let seconds = u32::try_from(bench.options.seconds)?;
    for registered in bench.options.registered(&[1_000]) {
        let brokers = bench.brokers(registered).await?;
        for (qos, reach) in [(Qos::AtMostOnce, 8.0), (Qos::AtLeastOnce, 10.0)] {
            for at_once in AT_ONCE {
                let load = Load { qos, at_once, messages, every: None };
                let among = format!("QoS {}, {at_once} a write, {pairs} pairs", qos.value());
                measure_one(bench, &brokers, load, &among, Some(Reach::AtMost(reach)), figures).await?;
            }
            let messages = (PER_SECOND * seconds).div_ceil(pairs);
            let every = Duration::from_secs(1) * pairs / PER_SECOND;
            let load = Load { qos, at_once: 1, messages, every: Some(every) };
            let among = format!("QoS {}, {PER_SECOND} a second, {pairs} pairs", qos.value());
            measure_one(bench, &brokers, load, &among, None, figures).await?;
        }
        brokers.stop().await?;
    }
    Ok(())
}

async fn measure_one(
    bench: &Bench<'_>,
    brokers: &Brokers,
    load: Load,
    among: &str,
    reach: Option<Reach>,
    figures: &mut Figures,
) -> Outcome {
    let pairs = bench.options.pairs;
    let count = pairs.saturating_mul(load.messages);
    let compared =
        brokers.compare(bench.options.rounds, async |server| round(server, &brokers.fleet, pairs, load).await);
    let costs = compared.await?;
    figures.add(costs.cpu_median("messages", &format!("CPU per message, median, {among}"), count, reach));
    figures.add(costs.cpu_least("messages", &format!("CPU per message, least, {among}"), count));
    if load.every.is_none() {
        figures.add(costs.rate("messages", &format!("messages, median, {among}"), count));
    }
    Ok(())
}

async fn round(server: &Server, fleet: &[Identity], pairs: u32, load: Load) -> Outcome<Cost> {
    let mut traffic = Traffic::new();
    for pair in 0..usize::try_from(pairs)? {
        let topic = format!("fleet/site-7/line-3/machine-{pair:04}/out");
        let publisher = connect_one(server.mqtt, fleet, 2 * pair, Sessions::Clean).await?;
        let mut subscriber = connect_one(server.mqtt, fleet, 2 * pair + 1, Sessions::Clean).await?;
        subscriber.subscribe(&topic, load.qos).await?;
        let room = Arc::new(Semaphore::new(ON_THE_WAY));
        let arrivals = Arc::clone(&room);
        traffic.publish(publisher, topic, load, room);
        traffic.receive(subscriber, load.messages, move |news| arrivals.add_permits(permits(news)));
    }
    Cost::of(server, traffic).await
}

/// As many permits as messages.
pub(super) fn permits(messages: u32) -> usize {
    usize::try_from(messages).unwrap_or(usize::MAX)
}
