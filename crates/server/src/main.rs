//! The binary `gatehouse`: command line, configuration, wiring. What it serves is in the other crates.

mod api;
mod buckets;
mod client_files;
mod clock;
mod commands;
mod config;
mod credentials;
mod failure;
mod functions;
mod house;
mod housekeeping;
mod logging;
mod metrics;
mod operator_socket;
mod outgoing;
mod serve;
mod server_certificates;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, Overrides};
use crate::failure::Failure;

/// A gate for device fleets: what AWS IoT Core does with X.509 client certificates, self-hosted.
#[derive(Parser)]
#[command(name = "gatehouse", version, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    overrides: Overrides,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tell the whole story in one go: a device gets a certificate, connects, and is cut off when it is revoked
    Demo(commands::demo::Options),
    /// Serve everything in one process
    Serve(commands::serve::Options),
    /// Make or list accounts
    #[command(subcommand)]
    Account(commands::account::Command),
    /// Make, list or delete access keys
    #[command(subcommand)]
    AccessKey(commands::access_key::Command),
    /// List or show connections of the server that runs on the data folder, or end one
    #[command(subcommand)]
    Connections(commands::connections::Command),
    /// Print shell lines that make `aws iot …` work
    Env(commands::env::Options),
    /// Print /etc/hosts lines for the device endpoints
    Hosts,
    /// Say whether a certificate could connect now, what stands against it, and what mends it
    Explain(commands::explain::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            commands::say_error(&failure);
            failure.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    // The one place where the environment is read.
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let config = Config::read(&cli.overrides, variables).map_err(|error| Failure::configuration(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::other(format!("the runtime cannot start: {error}")))?;
    runtime.block_on(async {
        match cli.command {
            Command::Demo(options) => commands::demo::run(config, options).await,
            Command::Serve(options) => commands::serve::run(config, options).await,
            Command::Account(command) => commands::account::run(config, command).await,
            Command::AccessKey(command) => commands::access_key::run(config, command).await,
            Command::Connections(command) => commands::connections::run(config, command).await,
            Command::Env(options) => commands::env::run(config, options).await,
            Command::Hosts => commands::hosts::run(config).await,
            Command::Explain(options) => commands::explain::run(config, options).await,
        }
    })
}
