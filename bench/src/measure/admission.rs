//! Server CPU for one connection: TCP, TLS with a client certificate, CONNECT, CONNACK, close.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::Bench;
use crate::children::Server;
use crate::device::{CALLERS, connect_one};
use crate::figures::{Beside, Figure, Figures, Reach, Rounds};
use crate::fleet::Identity;
use crate::options::Sessions;
use crate::registry::Data;
use crate::{Failure, Outcome, process};

/// Connections of a round unless told otherwise: the kernel counts CPU in hundredths of a second.
const CONNECTIONS: u32 = 4_000;

pub(super) async fn measure(bench: &Bench<'_>, figures: &mut Figures) -> Outcome {
    let connections = bench.options.connections(CONNECTIONS);
    for registered in bench.options.registered(&[1_000, 1_000_000]) {
        let authorities = bench.options.authorities;
        let data = Data::prepare(&bench.binary, bench.options, registered, authorities).await?;
        let pair = bench.pair_on(data).await?;
        let among = match authorities {
            0 => format!("{registered} registered"),
            _ => format!("{registered} and {authorities} CAs"),
        };
        let (mut gatehouse, mut bare, mut ratio) = (Rounds::new(), Rounds::new(), Rounds::new());
        // The first of each is for caches and allocators, and not counted.
        for round in 0..=bench.options.rounds {
            let ours = microseconds_each(&pair.gatehouse, &pair.fleet, connections).await?;
            let theirs = microseconds_each(&pair.bare, &pair.fleet, connections).await?;
            if round > 0 {
                gatehouse.push(ours);
                bare.push(theirs);
                ratio.push(ours / theirs);
            }
        }
        let figure = |what: &str, gatehouse, bare, reach| Figure {
            mode: "admission",
            what: format!("CPU per connection, {what}, {among}"),
            unit: "µs",
            gatehouse,
            beside: Some(Beside::Bare(bare)),
            reach,
        };
        figures.add(figure("median", gatehouse.median(), bare.median(), Some(Reach::RatioAtMost(1.15))));
        figures.add(figure("least", gatehouse.min(), bare.min(), None));
        figures.add(Figure {
            mode: "admission",
            what: format!("ratio of a round, median, {among}"),
            unit: "×",
            gatehouse: ratio.median(),
            beside: None,
            reach: Some(Reach::AtMost(1.15)),
        });
        pair.stop().await?;
    }
    Ok(())
}

async fn microseconds_each(server: &Server, fleet: &Arc<[Identity]>, connections: usize) -> Outcome<f64> {
    let before = process::cpu(server.pid)?;
    come_and_go(server.mqtt, fleet, connections).await?;
    process::quiet(server.pid).await?;
    let took = process::cpu(server.pid)?.saturating_sub(before);
    Ok(took.as_secs_f64() * 1e6 / connections as f64)
}

async fn come_and_go(address: SocketAddr, fleet: &Arc<[Identity]>, connections: usize) -> Outcome {
    let mut tasks = JoinSet::new();
    for caller in 0..CALLERS {
        let fleet = Arc::clone(fleet);
        tasks.spawn(async move {
            for number in (caller..connections).step_by(CALLERS) {
                connect_one(address, &fleet, number, Sessions::Clean).await?.leave().await;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
