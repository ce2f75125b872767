//! `gatehouse serve`: everything in one process, until a signal.

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::account::json;
use super::say;
use crate::config::Config;
use crate::failure::Failure;
use crate::{logging, serve};

/// How to serve.
#[derive(Args)]
pub(crate) struct Options {
    /// Print one JSON line with the addresses on standard output once everything listens
    #[arg(long)]
    ready_json: bool,
}

pub(crate) async fn run(config: Config, options: Options) -> Result<(), Failure> {
    logging::start(&config.log).map_err(Failure::configuration)?;
    // Before anything listens, so that a signal during the start is not lost.
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| Failure::other(error.to_string()))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| Failure::other(error.to_string()))?;
    let running = serve::start(&config).await?;
    let addresses = running.addresses;
    tracing::info!(api = %addresses.api, mqtt = %addresses.mqtt, data_dir = %config.data_dir.display(), "gatehouse serves");
    if options.ready_json {
        say(json(&addresses)?);
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("gatehouse stops");
    running.stop().await;
    Ok(())
}
