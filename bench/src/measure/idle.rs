//! Resident memory of idle connections.

use std::sync::Arc;

use super::Bench;
use crate::children::Server;
use crate::device::{CALLERS, connect_many};
use crate::figures::{Beside, Figure, Figures, Reach};
use crate::fleet::Identity;
use crate::options::Sessions;
use crate::{Outcome, process};

const CONNECTIONS: u32 = 10_000;
/// Connections that come and go before, so that what a process needs once is not counted.
const WARM_UP: usize = 500;

pub(super) async fn measure(bench: &Bench<'_>, figures: &mut Figures) -> Outcome {
    let connections = bench.options.connections(CONNECTIONS);
    let sessions = bench.options.sessions;
    for registered in bench.options.registered(&[1_000]) {
        let pair = bench.pair(registered).await?;
        let bare = bytes_each(&pair.bare, &pair.fleet, connections, sessions).await?;
        let gatehouse = bytes_each(&pair.gatehouse, &pair.fleet, connections, sessions).await?;
        figures.add(Figure {
            mode: "idle",
            what: format!("resident per connection, {connections} of them{}", sessions.told()),
            unit: "byte",
            gatehouse,
            beside: Some(Beside::Bare(bare)),
            reach: Some(Reach::AtMost(12_500.0)),
        });
        pair.stop().await?;
    }
    Ok(())
}

async fn bytes_each(server: &Server, fleet: &Arc<[Identity]>, connections: usize, sessions: Sessions) -> Outcome<f64> {
    let warm_up = connect_many(server.mqtt, fleet, WARM_UP, CALLERS, sessions).await?;
    for device in warm_up {
        device.leave().await;
    }
    process::quiet(server.pid).await?;
    let before = process::resident_bytes(server.pid)?;
    let devices = connect_many(server.mqtt, fleet, connections, CALLERS, sessions).await?;
    process::quiet(server.pid).await?;
    let grown = process::resident_bytes(server.pid)?.saturating_sub(before);
    drop(devices);
    process::quiet(server.pid).await?;
    Ok(grown as f64 / connections as f64)
}
