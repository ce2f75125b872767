//! Messages on their way: publishers, subscribers, and what a server pays for what they do.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use gatehouse_mqtt::{
    Decoder, Delivery, MessageProperties, Packet, Qos, Utf8Bytes, Version, encode, encode_puback, packet::Publish,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::client::TlsStream;

use crate::children::Server;
use crate::device::Device;
use crate::{Outcome, process};

/// Messages on their way to one subscriber at most: fewer than the servers' queues hold, so that none is dropped.
pub(crate) const ON_THE_WAY: usize = 400;
/// Bytes of a payload.
const PAYLOAD: usize = 128;
/// QoS 1 messages without an acknowledgement at most: fewer than the servers' windows.
const UNACKNOWLEDGED: usize = 90;
/// How long nothing may happen before a message counts as lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a publisher sends.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) qos: Qos,
    /// Messages in one write.
    pub(crate) at_once: u32,
    /// Messages in all.
    pub(crate) messages: u32,
    /// From one write to the next; as fast as can be when there is none.
    pub(crate) every: Option<Duration>,
}

/// What a server paid for some work, and how long that took.
pub(crate) struct Cost {
    cpu: Duration,
    took: Duration,
}

impl Cost {
    /// Of `work` on `server`, and what follows it until the server is quiet.
    pub(crate) async fn of(server: &Server, work: Traffic) -> Outcome<Self> {
        process::quiet(server.pid).await?;
        let before = process::cpu(server.pid)?;
        let began = Instant::now();
        let held = work.run().await?;
        let took = began.elapsed();
        process::quiet(server.pid).await?;
        let cpu = process::cpu(server.pid)?.saturating_sub(before);
        drop(held);
        Ok(Self { cpu, took })
    }

    /// Server CPU for each of `count`, in microseconds.
    pub(crate) fn microseconds_each(&self, count: u32) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / f64::from(count)
    }

    /// How many of `count` a second.
    pub(crate) fn per_second(&self, count: u32) -> f64 {
        f64::from(count) / self.took.as_secs_f64()
    }
}

/// Publishers and subscribers that begin together.
pub(crate) struct Traffic {
    works: Vec<Work>,
}

type Work = std::pin::Pin<Box<dyn Future<Output = Outcome<Half>> + Send>>;

/// What is left of a connection, held until all are done: dropping one half is no reason to close.
pub(crate) enum Half {
    Read(#[expect(dead_code, reason = "held, not used")] ReadHalf<TlsStream<TcpStream>>),
    Write(#[expect(dead_code, reason = "held, not used")] WriteHalf<TlsStream<TcpStream>>),
    Both(#[expect(dead_code, reason = "held, not used")] Box<Device>),
}

impl Traffic {
    /// None yet.
    pub(crate) const fn new() -> Self {
        Self { works: Vec::new() }
    }

    /// A publisher that takes one permit of `room` for each message, and ends with the last acknowledgement.
    pub(crate) fn publish(&mut self, publisher: Device, topic: String, load: Load, room: Arc<Semaphore>) {
        let acknowledged = Arc::new(Semaphore::new(UNACKNOWLEDGED));
        let (read, write) = tokio::io::split(publisher.stream);
        if load.qos == Qos::AtLeastOnce {
            let acknowledged = Arc::clone(&acknowledged);
            self.works.push(Box::pin(acknowledgements(read, publisher.decoder, acknowledged, load.messages)));
        } else {
            self.works.push(Box::pin(std::future::ready(Ok(Half::Read(read)))));
        }
        self.works.push(Box::pin(publish(write, topic, load, room, acknowledged)));
    }

    /// A subscriber that takes `messages`; `arrived` hears how many came at once.
    pub(crate) fn receive(&mut self, device: Device, messages: u32, arrived: impl FnMut(u32) + Send + 'static) {
        self.works.push(Box::pin(receive(device, messages, arrived)));
    }

    async fn run(self) -> Outcome<Vec<Half>> {
        let mut tasks = JoinSet::new();
        for work in self.works {
            tasks.spawn(work);
        }
        let mut halves = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            halves.push(ended??);
        }
        Ok(halves)
    }
}

async fn publish(
    mut stream: WriteHalf<TlsStream<TcpStream>>,
    topic: String,
    load: Load,
    room: Arc<Semaphore>,
    acknowledged: Arc<Semaphore>,
) -> Outcome<Half> {
    let Load { qos, at_once, messages, every } = load;
    let mut ticks = every.map(interval);
    if let Some(ticks) = &mut ticks {
        // Whoever is late catches up: the rate is kept.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    }
    let topic = Utf8Bytes::try_from(topic)?;
    let payload = Bytes::from(vec![b'x'; PAYLOAD]);
    let (mut sent, mut packet_id, mut out) = (0, NonZeroU16::MIN, BytesMut::new());
    while sent < messages {
        let count = at_once.min(messages - sent);
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        room.acquire_many(count).await?.forget();
        if qos == Qos::AtLeastOnce {
            acknowledged.acquire_many(count).await?.forget();
        }
        for _ in 0..count {
            let delivery = match qos {
                Qos::AtMostOnce => Delivery::AtMostOnce,
                _ => Delivery::AtLeastOnce(packet_id),
            };
            packet_id = packet_id.checked_add(1).unwrap_or(NonZeroU16::MIN);
            let publish = Publish {
                dup: false,
                delivery,
                retain: false,
                topic: topic.clone(),
                topic_alias: None,
                subscription_identifiers: Vec::new(),
                properties: MessageProperties::NONE,
                payload: payload.clone(),
            };
            encode(&Packet::Publish(publish), Version::V311, &mut out)?;
        }
        stream.write_all(&out).await?;
        stream.flush().await?;
        out.clear();
        sent += count;
    }
    Ok(Half::Write(stream))
}

async fn acknowledgements(
    mut stream: ReadHalf<TlsStream<TcpStream>>,
    mut decoder: Decoder,
    acknowledged: Arc<Semaphore>,
    messages: u32,
) -> Outcome<Half> {
    let (mut seen, mut buffer) = (0, BytesMut::new());
    while seen < messages {
        if patiently("an acknowledgement", stream.read_buf(&mut buffer)).await? == 0 {
            return Err("a publisher was cut off".into());
        }
        let mut news = 0;
        while let Some(packet) = decoder.decode(&mut buffer)? {
            match packet {
                Packet::PubAck(ack) if !ack.reason.is_refusal() => news += 1,
                other => return Err(format!("instead of PUBACK there came {other:?}").into()),
            }
        }
        seen += u32::try_from(news)?;
        acknowledged.add_permits(news);
    }
    Ok(Half::Read(stream))
}

async fn receive(mut device: Device, messages: u32, mut arrived: impl FnMut(u32)) -> Outcome<Half> {
    let mut seen = 0;
    while seen < messages {
        let (mut news, mut out) = (0, BytesMut::new());
        while let Some(packet) = device.decoder.decode(&mut device.buffer)? {
            let Packet::Publish(publish) = packet else { continue };
            news += 1;
            if let Some(packet_id) = publish.delivery.packet_id() {
                encode_puback(packet_id, &mut out);
            }
        }
        if !out.is_empty() {
            device.stream.write_all(&out).await?;
            device.stream.flush().await?;
        }
        seen += news;
        arrived(news);
        if seen < messages && patiently("a message", device.stream.read_buf(&mut device.buffer)).await? == 0 {
            return Err("a subscriber was cut off".into());
        }
    }
    Ok(Half::Both(Box::new(device)))
}

async fn patiently(what: &str, read: impl Future<Output = std::io::Result<usize>>) -> Outcome<usize> {
    match timeout(PATIENCE, read).await {
        Ok(read) => Ok(read?),
        Err(_) => Err(format!("{what} did not come: it was lost").into()),
    }
}
