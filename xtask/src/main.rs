//! The developer's menu: `cargo xtask` shows it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its terminal")]

use std::process::ExitCode;

mod command;
mod coverage;
mod dependencies;
mod docs_check;
mod model;
mod new_op;
mod node;
mod packages;
mod pipeline;
mod postgres;
mod venv;
mod walls;
mod workspace;

use command::{Failure, Outcome, cargo, fail, program, run};
use postgres::{ADDRESS_VARIABLE, Durability, Postgres};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match choose(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(text)) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn choose(arguments: &[String]) -> Outcome {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["test", ..] => pipeline::Run::parse(arguments.get(1..).unwrap_or_default())?.start(),
        ["bench", rest @ ..] => {
            run(cargo().args(["run", "--quiet", "--release", "--package", "gatehouse-bench", "--"]).args(rest))
        }
        ["coverage"] => coverage::check(),
        ["model"] => model::write(),
        ["docs-check"] => docs_check::check(),
        ["new-op", name] => new_op::begin(name),
        ["postgres", "--durable", command, rest @ ..] => with_postgres(Durability::Flushed, command, rest),
        ["postgres", command, rest @ ..] if !command.starts_with('-') => {
            with_postgres(Durability::Forgetful, command, rest)
        }
        [] | ["help" | "--help" | "-h"] => {
            println!("{}", menu());
            Ok(())
        }
        _ => fail(format!("cargo xtask does not know `{}`\n\n{}", words.join(" "), menu())),
    }
}

/// Runs a command beside a throwaway PostgreSQL.
fn with_postgres(durability: Durability, command: &str, rest: &[&str]) -> Outcome {
    let server = Postgres::start(durability)?;
    run(program(command).args(rest).env(ADDRESS_VARIABLE, server.url()))
}

fn menu() -> String {
    let mut menu = String::from(
        "cargo xtask …
  test [--only STEP]... [--keep-going] [-- PYTEST ARGUMENTS]
                            everything that must hold before a change lands
  postgres [--durable] COMMAND...
                            a command with a throwaway PostgreSQL in GATEHOUSE_TEST_POSTGRES
  bench [ARGUMENTS]         measurements, in release
  new-op NAME               begins an operation from the service model
  coverage                  the operations against the service model, and which are missing
  model                     writes the facts of the service model
  docs-check                pages name only what exists

steps of test:",
    );
    for step in pipeline::STEPS {
        menu.push_str(&format!("\n  {:13} {}", step.name, step.what));
    }
    menu
}
