//! One publisher, many subscribers: server CPU for one delivered message, and deliveries a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gatehouse_mqtt::Qos;
use tokio::sync::Semaphore;

use super::Bench;
use crate::Outcome;
use crate::children::Server;
use crate::device::{CALLERS, connect_many, connect_one};
use crate::figures::Figures;
use crate::fleet::Identity;
use crate::options::Sessions;
use crate::traffic::{Cost, Load, Traffic};

/// Subscribers unless told otherwise.
const SUBSCRIBERS: u32 = 1_000;
/// Subscribers whose sessions outlive their connections, for each of all: their messages go through the store.
const PERSISTENT_OF: usize = 10;
/// Messages unless told otherwise.
const MESSAGES: u32 = 200;
/// Messages that not everybody has yet, at most: one, as when something is announced now and then, and many, where
/// several go to a subscriber in one write.
const ON_THE_WAY: [usize; 2] = [1, 100];
const TOPIC: &str = "fleet/site-7/all";

pub(super) async fn measure(bench: &Bench<'_>, figures: &mut Figures) -> Outcome {
    let subscribers = bench.options.connections(SUBSCRIBERS);
    let persistent = subscribers.div_ceil(PERSISTENT_OF);
    let load = Load { qos: Qos::AtMostOnce, at_once: 1, messages: bench.options.messages(MESSAGES), every: None };
    for registered in bench.options.registered(&[1_000]) {
        let brokers = bench.brokers(registered).await?;
        let kinds = [
            (Qos::AtMostOnce, subscribers, Sessions::Clean),
            (Qos::AtLeastOnce, subscribers, Sessions::Clean),
            (Qos::AtLeastOnce, persistent, Sessions::Persistent),
        ];
        for ((qos, subscribers, sessions), on_the_way) in
            kinds.into_iter().flat_map(|kind| ON_THE_WAY.map(|on_the_way| (kind, on_the_way)))
        {
            let load = Load { qos, ..load };
            let audience = Audience { subscribers, sessions, on_the_way };
            let compared = brokers
                .compare(bench.options.rounds, async |server| round(server, &brokers.fleet, audience, load).await);
            let costs = compared.await?;
            let count = load.messages.saturating_mul(u32::try_from(subscribers)?);
            let among = format!("QoS {}, 1:{subscribers}{}, {on_the_way} under way", qos.value(), sessions.told());
            figures.add(costs.cpu_median("fan-out", &format!("CPU per delivery, median, {among}"), count, None));
            figures.add(costs.cpu_least("fan-out", &format!("CPU per delivery, least, {among}"), count));
            figures.add(costs.rate("fan-out", &format!("deliveries, median, {among}"), count));
        }
        brokers.stop().await?;
    }
    Ok(())
}

/// Who listens.
#[derive(Clone, Copy)]
struct Audience {
    subscribers: usize,
    sessions: Sessions,
    /// Messages that not everybody has yet, at most.
    on_the_way: usize,
}

async fn round(server: &Server, fleet: &Arc<[Identity]>, audience: Audience, load: Load) -> Outcome<Cost> {
    let Audience { subscribers, sessions, on_the_way } = audience;
    let room = Arc::new(Semaphore::new(on_the_way));
    let progress = Arc::new(Progress::new(load.messages, subscribers, Arc::clone(&room)));
    let mut traffic = Traffic::new();
    for mut device in connect_many(server.mqtt, fleet, subscribers, CALLERS, sessions).await? {
        device.subscribe(TOPIC, load.qos).await?;
        let (progress, mut seen) = (Arc::clone(&progress), 0);
        traffic.receive(device, load.messages, move |news| seen = progress.advance(seen, news));
    }
    let publisher = connect_one(server.mqtt, fleet, subscribers, Sessions::Clean).await?;
    traffic.publish(publisher, TOPIC.to_owned(), load, room);
    Cost::of(server, traffic).await
}

/// Who has which message: makes room for another one whenever the last subscriber has one.
struct Progress {
    /// For each message, the subscribers that lack it.
    lacking: Vec<AtomicUsize>,
    room: Arc<Semaphore>,
}

impl Progress {
    fn new(messages: u32, subscribers: usize, room: Arc<Semaphore>) -> Self {
        Self { lacking: (0..messages).map(|_| AtomicUsize::new(subscribers)).collect(), room }
    }

    /// A subscriber that had `seen` messages got `news` more; answers how many it has now.
    fn advance(&self, seen: usize, news: u32) -> usize {
        let news = usize::try_from(news).unwrap_or(usize::MAX);
        for lacking in self.lacking.iter().skip(seen).take(news) {
            if lacking.fetch_sub(1, Ordering::Relaxed) == 1 {
                self.room.add_permits(1);
            }
        }
        seen.saturating_add(news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_again_when_the_last_subscriber_has_a_message() {
        let room = Arc::new(Semaphore::new(0));
        let progress = Progress::new(3, 2, Arc::clone(&room));
        let quick = progress.advance(0, 2);
        assert_eq!((quick, room.available_permits()), (2, 0));
        let slow = progress.advance(0, 1);
        assert_eq!((slow, room.available_permits()), (1, 1));
        progress.advance(slow, 2);
        progress.advance(quick, 1);
        assert_eq!(room.available_permits(), 3);
    }
}
