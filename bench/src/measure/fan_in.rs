//! Many publishers, one subscriber: server CPU for one message, and messages a second.

use std::sync::Arc;

use gatehouse_mqtt::Qos;
use tokio::sync::Semaphore;

use super::Bench;
use super::messages::permits;
use crate::Outcome;
use crate::children::Server;
use crate::device::{CALLERS, connect_many, connect_one};
use crate::figures::Figures;
use crate::fleet::Identity;
use crate::options::Sessions;
use crate::traffic::{Cost, Load, ON_THE_WAY, Traffic};

/// Publishers unless told otherwise.
const PUBLISHERS: u32 = 1_000;
/// Messages of each unless told otherwise.
const MESSAGES: u32 = 200;

pub(super) async fn measure(bench: &Bench<'_>, figures: &mut Figures) -> Outcome {
    let publishers = bench.options.connections(PUBLISHERS);
    let messages = bench.options.messages(MESSAGES);
    let count = messages.saturating_mul(u32::try_from(publishers)?);
    for registered in bench.options.registered(&[1_000]) {
        let brokers = bench.brokers(registered).await?;
        for qos in [Qos::AtMostOnce, Qos::AtLeastOnce] {
            let load = Load { qos, at_once: 1, messages, every: None };
            let compared = brokers.compare(bench.options.rounds, async |server| {
                round(server, &brokers.fleet, publishers, load, count).await
            });
            let costs = compared.await?;
            let among = format!("QoS {}, {publishers}:1", qos.value());
            figures.add(costs.cpu_median("fan-in", &format!("CPU per message, median, {among}"), count, None));
            figures.add(costs.cpu_least("fan-in", &format!("CPU per message, least, {among}"), count));
            figures.add(costs.rate("fan-in", &format!("messages, median, {among}"), count));
        }
        brokers.stop().await?;
    }
    Ok(())
}

async fn round(server: &Server, fleet: &Arc<[Identity]>, publishers: usize, load: Load, count: u32) -> Outcome<Cost> {
    let mut traffic = Traffic::new();
    // All of them share what one subscriber's queue holds.
    let room = Arc::new(Semaphore::new(ON_THE_WAY));
    let devices = connect_many(server.mqtt, fleet, publishers, CALLERS, Sessions::Clean).await?;
    for (number, publisher) in devices.into_iter().enumerate() {
        let topic = format!("fleet/site-7/line-3/machine-{number:04}/out");
        traffic.publish(publisher, topic, load, Arc::clone(&room));
    }
    let mut subscriber = connect_one(server.mqtt, fleet, publishers, Sessions::Clean).await?;
    subscriber.subscribe("fleet/site-7/line-3/+/out", load.qos).await?;
    traffic.receive(subscriber, count, move |news| room.add_permits(permits(news)));
    Cost::of(server, traffic).await
}
