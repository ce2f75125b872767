//! The developer's menu.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its terminal")]

mod command;
mod model;
mod venv;

fn main() -> std::process::ExitCode {
    match model::write() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(command::Failure(text)) => {
            eprintln!("{text}");
            std::process::ExitCode::FAILURE
        }
    }
}
