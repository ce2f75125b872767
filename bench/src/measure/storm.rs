//! A fleet loses its connections all at once, and comes back all at once.

use std::sync::Arc;
use std::time::Instant;

use super::Bench;
use crate::children::Server;
use crate::device::{CALLERS, connect_many};
use crate::figures::{Beside, Figure, Figures, Reach, Rounds};
use crate::fleet::Identity;
use crate::options::Sessions;
use crate::{Outcome, process};

const CONNECTIONS: u32 = 1_000;

pub(super) async fn measure(bench: &Bench<'_>, figures: &mut Figures) -> Outcome {
    let connections = bench.options.connections(CONNECTIONS);
    let sessions = bench.options.sessions;
    for registered in bench.options.registered(&[1_000]) {
        let pair = bench.pair(registered).await?;
        let (mut gatehouse, mut bare) = (Rounds::new(), Rounds::new());
        for _ in 0..bench.options.rounds {
            bare.push(seconds_until_back(&pair.bare, &pair.fleet, connections, sessions).await?);
            gatehouse.push(seconds_until_back(&pair.gatehouse, &pair.fleet, connections, sessions).await?);
        }
        let figure = |what: &str, gatehouse, bare, reach| Figure {
            mode: "storm",
            what: format!("{connections} clients dropped until all are back{}, {what}", sessions.told()),
            unit: "s",
            gatehouse,
            beside: Some(Beside::Bare(bare)),
            reach,
        };
        figures.add(figure("median", gatehouse.median(), bare.median(), Some(Reach::AtMost(0.8))));
        figures.add(figure("least", gatehouse.min(), bare.min(), None));
        pair.stop().await?;
    }
    Ok(())
}

async fn seconds_until_back(
    server: &Server,
    fleet: &Arc<[Identity]>,
    connections: usize,
    sessions: Sessions,
) -> Outcome<f64> {
    let devices = connect_many(server.mqtt, fleet, connections, CALLERS, sessions).await?;
    process::quiet(server.pid).await?;
    let began = Instant::now();
    drop(devices);
    // Each is a caller of its own: all knock at once.
    let back = connect_many(server.mqtt, fleet, connections, connections, sessions).await?;
    let took = began.elapsed().as_secs_f64();
    drop(back);
    process::quiet(server.pid).await?;
    Ok(took)
}
