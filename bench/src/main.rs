//! Measures `gatehouse serve` from outside, as a real child process, beside a bare TLS server of the same build.
//! `bench/README.md` says how to read the figures.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its terminal")]

mod authority;
mod bare;
mod children;
mod device;
mod figures;
mod fleet;
mod measure;
mod mosquitto;
mod operator;
mod options;
mod process;
mod registry;
mod traffic;

use std::process::ExitCode;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::figures::Figures;
use crate::options::Options;

/// What went wrong, for whoever sits at the terminal.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;
/// The answer of everything that may fail.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

fn main() -> ExitCode {
    let options = Options::parse();
    match process::with_all_file_descriptors().and_then(|()| run(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("gatehouse-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        if let Some(data) = &options.bare_server {
            return bare::serve(data).await;
        }
        let mut figures = Figures::new(options.json);
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        // Whichever way this ends, the children's handles are dropped on the way out, and that ends the children.
        let outcome = tokio::select! {
            outcome = measure::all(&options, &mut figures) => outcome,
            _ = interrupt.recv() => Err("interrupted".into()),
            _ = terminate.recv() => Err("terminated".into()),
        };
        figures.print();
        outcome
    })
}
