//! Server CPU for one message, from a publisher through the gate to its subscriber, at full rate. The policy is asked
//! at the publish and at the delivery.

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
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::Bench;
use crate::children::Server;
use crate::device::{Device, connect_one};
use crate::figures::{Figure, Figures, Reach, Rounds};
use crate::fleet::Identity;
use crate::{Failure, Outcome, process};

/// Bytes of a payload.
const PAYLOAD: usize = 128;
/// Messages on their way at most: fewer than the server's mailbox holds, so that none is dropped.
const ON_THE_WAY: usize = 400;
/// QoS 1 messages without an acknowledgement at most: fewer than the server's window.
const UNACKNOWLEDGED: usize = 90;
/// Messages that a publisher writes at once: each with a write of its own, as devices do, and many, as a busy client
/// library does.
const AT_ONCE: [u32; 2] = [1, 16];
/// How long a pair may take.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) async fn measure(bench: &Bench<'_>, figures: &mut Figures) -> Outcome {
    let (pairs, messages) = (bench.options.pairs, bench.options.messages);
    for registered in bench.options.registered(&[1_000]) {
        let (server, fleet, data) = bench.with_fleet(registered, super::FLEET).await?;
        let kinds = [(Qos::AtMostOnce, 8.0), (Qos::AtLeastOnce, 10.0)];
        for (load, reach) in kinds
            .into_iter()
            .flat_map(|(qos, reach)| AT_ONCE.map(|at_once| (Load { qos, at_once, pairs, messages }, reach)))
        {
            let (mut cost, mut rate) = (Rounds::new(), Rounds::new());
            for _ in 0..bench.options.rounds {
                let (microseconds, per_second) = round(&server, &fleet, load).await?;
                cost.push(microseconds);
                rate.push(per_second);
            }
            let figure = |what: &str, unit, gatehouse, reach| Figure {
                mode: "messages",
                what: format!("{what}, QoS {}, {} a write, {pairs} pairs", load.qos.value(), load.at_once),
                unit,
                gatehouse,
                bare: None,
                reach,
            };
            figures.add(figure("CPU per message, median", "µs", cost.median(), Some(Reach::AtMost(reach))));
            figures.add(figure("CPU per message, least", "µs", cost.min(), None));
            figures.add(figure("messages, median", "/s", rate.median(), None));
        }
        server.stop().await?;
        drop(data);
    }
    Ok(())
}

/// What a round sends.
#[derive(Clone, Copy)]
struct Load {
    qos: Qos,
    /// Messages in one write.
    at_once: u32,
    pairs: u32,
    /// Messages of each publisher.
    messages: u32,
}

/// Server CPU per message in microseconds, and messages per second.
async fn round(server: &Server, fleet: &[Identity], load: Load) -> Outcome<(f64, f64)> {
    let Load { qos, pairs, messages, .. } = load;
    let mut devices = Vec::new();
    for pair in 0..usize::try_from(pairs)? {
        let topic = format!("fleet/site-7/line-3/machine-{pair:04}/out");
        let publisher = connect_one(server.mqtt, fleet, 2 * pair).await?;
        let mut subscriber = connect_one(server.mqtt, fleet, 2 * pair + 1).await?;
        subscriber.subscribe(&topic, qos).await?;
        devices.push((publisher, subscriber, topic));
    }
    process::quiet(server.pid).await?;
    let before = process::cpu(server.pid)?;
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (publisher, subscriber, topic) in devices {
        let room = Arc::new(Semaphore::new(ON_THE_WAY));
        let (subscribed, acknowledged) = (Arc::clone(&room), Arc::new(Semaphore::new(UNACKNOWLEDGED)));
        let (read, write) = tokio::io::split(publisher.stream);
        if qos == Qos::AtLeastOnce {
            tasks.spawn(within(acknowledgements(read, publisher.decoder, Arc::clone(&acknowledged), messages)));
        }
        tasks.spawn(within(publish(write, topic, load, room, acknowledged)));
        tasks.spawn(within(receive(subscriber, subscribed, messages)));
    }
    let mut halves = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        // Kept until all are done: dropping one half is no reason to close.
        halves.push(ended??);
    }
    let took = began.elapsed();
    process::quiet(server.pid).await?;
    let cpu = process::cpu(server.pid)?.saturating_sub(before);
    drop(halves);
    let count = f64::from(pairs) * f64::from(messages);
    Ok((cpu.as_secs_f64() * 1e6 / count, count / took.as_secs_f64()))
}

/// What is left of a connection.
enum Half {
    Read(#[expect(dead_code, reason = "held, not used")] ReadHalf<TlsStream<TcpStream>>),
    Write(#[expect(dead_code, reason = "held, not used")] WriteHalf<TlsStream<TcpStream>>),
    Both(#[expect(dead_code, reason = "held, not used")] Box<Device>),
}

async fn within(work: impl Future<Output = Outcome<Half>>) -> Outcome<Half> {
    timeout(PATIENCE, work).await.map_err(|_| Failure::from("the messages do not arrive: one was lost"))?
}

async fn publish(
    mut stream: WriteHalf<TlsStream<TcpStream>>,
    topic: String,
    load: Load,
    room: Arc<Semaphore>,
    acknowledged: Arc<Semaphore>,
) -> Outcome<Half> {
    let Load { qos, at_once, messages, .. } = load;
    let topic = Utf8Bytes::try_from(topic)?;
    let payload = Bytes::from(vec![b'x'; PAYLOAD]);
    let (mut sent, mut packet_id, mut out) = (0, NonZeroU16::MIN, BytesMut::new());
    while sent < messages {
        let count = at_once.min(messages - sent);
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
        if stream.read_buf(&mut buffer).await? == 0 {
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

async fn receive(mut device: Device, room: Arc<Semaphore>, messages: u32) -> Outcome<Half> {
    let mut seen = 0;
    while seen < messages {
        if device.stream.read_buf(&mut device.buffer).await? == 0 {
            return Err("a subscriber was cut off".into());
        }
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
        seen += u32::try_from(news)?;
        room.add_permits(news);
    }
    Ok(Half::Both(Box::new(device)))
}
