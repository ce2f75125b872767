//! From the API's answer to the closed socket.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use tokio::task::JoinHandle;

use super::Bench;
use crate::Outcome;
use crate::children::Server;
use crate::device::{CALLERS, Device, connect_many};
use crate::figures::{Figure, Figures, Reach, Rounds};
use crate::fleet::Identity;
use crate::operator::{Operator, Pen};
use crate::options::Sessions;

const CONNECTIONS: u32 = 1_000;
/// Certificates of which each is shared by all connections of a round.
const SHARED: usize = 3;

pub(super) async fn measure(bench: &Bench<'_>, figures: &mut Figures) -> Outcome {
    let connections = bench.options.connections(CONNECTIONS);
    for registered in bench.options.registered(&[1_000]) {
        let (server, fleet, data) = bench.with_fleet(registered, connections + SHARED).await?;
        let api = server.api.ok_or("the ready line lacks api")?;
        let pen = Pen::of(&data.path, api)?;
        let mut operator = Operator::connect(api).await?;
        let (shared, own) = fleet.split_at(SHARED);

        let devices = connect_many(server.mqtt, &own.into(), connections, CALLERS, Sessions::Clean).await?;
        let waiting = wait_all(devices);
        let (mut after_answer, mut after_request) = (Rounds::new(), Rounds::new());
        let mut answers = Vec::with_capacity(own.len());
        for identity in own {
            answers.push(revoke(&mut operator, &pen, identity).await?);
        }
        for (waiting, (asked, answered)) in waiting.into_iter().zip(answers) {
            let closed = waiting.await?.ok_or("a revoked device was not cut off")?;
            after_answer.push(milliseconds(closed.saturating_duration_since(answered)));
            after_request.push(milliseconds(closed.saturating_duration_since(asked)));
        }
        tell(figures, &format!("{connections} certificates in turn, after the answer"), &after_answer, true);
        tell(figures, &format!("{connections} certificates in turn, after the request"), &after_request, false);

        let mut cut = Rounds::new();
        for identity in shared {
            for milliseconds in cut_shared(&server, identity, connections, &mut operator, &pen).await? {
                cut.push(milliseconds);
            }
        }
        tell(figures, &format!("one certificate of {connections} connections, after the answer"), &cut, true);
        server.stop().await?;
    }
    Ok(())
}

async fn cut_shared(
    server: &Server,
    identity: &Identity,
    connections: usize,
    operator: &mut Operator,
    pen: &Pen,
) -> Outcome<Vec<f64>> {
    let fleet: Arc<[Identity]> = Arc::new([identity.clone()]);
    let waiting = wait_all(connect_many(server.mqtt, &fleet, connections, CALLERS, Sessions::Clean).await?);
    let (_, answered) = revoke(operator, pen, identity).await?;
    let mut cut = Vec::with_capacity(connections);
    for waiting in waiting {
        let closed = waiting.await?.ok_or("a device of a revoked certificate was not cut off")?;
        cut.push(milliseconds(closed.saturating_duration_since(answered)));
    }
    Ok(cut)
}

/// One task for each device, which answers when its socket was closed.
fn wait_all(devices: Vec<Device>) -> Vec<JoinHandle<Option<Instant>>> {
    let wait = |device: Device| async move { device.until_closed().await.then(Instant::now) };
    devices.into_iter().map(|device| tokio::spawn(wait(device))).collect()
}

/// When the request was sent, and when it had been answered.
async fn revoke(operator: &mut Operator, pen: &Pen, identity: &Identity) -> Outcome<(Instant, Instant)> {
    let target = format!("/certificates/{}?newStatus=REVOKED", identity.id());
    let request = pen.write(&Method::PUT, &target, "")?;
    let asked = Instant::now();
    operator.call(&request).await?;
    Ok((asked, Instant::now()))
}

fn tell(figures: &mut Figures, what: &str, milliseconds: &Rounds, is_goal: bool) {
    let mut add = |which: &str, gatehouse, reach| {
        figures.add(Figure {
            mode: "revoke",
            what: format!("{what}, {which}"),
            unit: "ms",
            gatehouse,
            beside: None,
            reach,
        });
    };
    add("p50", milliseconds.median(), None);
    add("p99", milliseconds.percentile(99), is_goal.then_some(Reach::AtMost(100.0)));
    add("max", milliseconds.max(), None);
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
