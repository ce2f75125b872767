//! From exec to the ready line.

use super::Bench;
use crate::children::Server;
use crate::figures::{Figure, Figures, Reach, Rounds};
use crate::{Outcome, process};

pub(super) async fn measure(bench: &Bench<'_>, figures: &mut Figures) -> Outcome {
    for registered in bench.options.registered(&[1_000_000]) {
        let data = bench.data(registered).await?;
        let (mut seconds, mut bytes) = (Rounds::new(), Rounds::new());
        for _ in 0..bench.options.rounds {
            let server = Server::gatehouse(&bench.binary, &data.path, &bench.options.store).await?;
            seconds.push(server.started_in.as_secs_f64());
            bytes.push(mebibytes(process::resident_bytes(server.pid)?));
            server.stop().await?;
        }
        let figure = |what: &str, unit, gatehouse, reach| Figure {
            mode: "start",
            what: format!("{what}, {registered} registered"),
            unit,
            gatehouse,
            beside: None,
            reach,
        };
        figures.add(figure("exec to ready, median", "s", seconds.median(), Some(Reach::AtMost(1.0))));
        figures.add(figure("exec to ready, slowest", "s", seconds.max(), None));
        figures.add(figure("resident once ready, median", "MiB", bytes.median(), None));
    }
    Ok(())
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}
