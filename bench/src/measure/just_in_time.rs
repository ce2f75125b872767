//! First contacts: devices whose certificates nobody registered, signed by an auto-registering authority. Each connects
//! once, is registered as PENDING_ACTIVATION before it is answered, and is turned away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::Bench;
use crate::authority::Authority;
use crate::children::Server;
use crate::device;
use crate::figures::{Figure, Figures, Reach, Rounds};
use crate::fleet::{self, Identity};
use crate::{Failure, Outcome, process};

/// Devices of a round unless told otherwise.
const DEVICES: u32 = 3_000;
/// Devices that are on their way at the same time.
const CALLERS: usize = 64;

pub(super) async fn measure(bench: &Bench<'_>, figures: &mut Figures) -> Outcome {
    let devices = bench.options.connections(DEVICES);
    for registered in bench.options.registered(&[1_000]) {
        let data = bench.data(registered).await?;
        let authority = Authority::make()?;
        data.register_authorities(std::slice::from_ref(&authority)).await?;
        let server = bench.gatehouse(&data).await?;
        let (mut rates, mut cpu, mut contacts) = (Rounds::new(), Rounds::new(), 0);
        for _ in 0..bench.options.rounds {
            // No certificate is made while the clock runs, and none turns up twice.
            let fleet = fleet::make_signed(devices, &authority, &data.path, bench.options.key_exchange)?;
            let before = process::cpu(server.pid)?;
            let took = first_contacts(&server, fleet.into()).await?;
            rates.push(devices as f64 / took.as_secs_f64());
            let spent = process::cpu(server.pid)?.saturating_sub(before);
            cpu.push(spent.as_secs_f64() * 1e6 / devices as f64);
            contacts += devices;
        }
        server.stop().await?;
        // A refusal does not tell a device that has been registered from one that has not.
        let found = data.signed_by(&authority).await?;
        if found != contacts {
            return Err(format!("of {contacts} devices, {found} were registered").into());
        }
        let figure = |what: &str, unit, gatehouse, reach| Figure {
            mode: "jitr",
            what: format!("{what}, {registered} registered"),
            unit,
            gatehouse,
            beside: None,
            reach,
        };
        figures.add(figure("first contacts, median", "/s", rates.median(), Some(Reach::AtLeast(300.0))));
        figures.add(figure("first contacts, slowest round", "/s", rates.min(), None));
        figures.add(figure("CPU per first contact, median", "µs", cpu.median(), None));
    }
    Ok(())
}

/// Lets every device of `fleet` try once; answers how long it took until the last had its refusal.
async fn first_contacts(server: &Server, fleet: Arc<[Identity]>) -> Outcome<Duration> {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for caller in 0..CALLERS {
        let (fleet, address) = (Arc::clone(&fleet), server.mqtt);
        tasks.spawn(async move {
            for (number, identity) in fleet.iter().enumerate().skip(caller).step_by(CALLERS) {
                device::be_refused(address, identity, &format!("device-{number:06}")).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(began.elapsed())
}
