//! `cargo xtask test`: everything that must hold before a change lands, from the cheapest check to the real clients.

use std::time::Instant;

use crate::command::{Failure, Outcome, cargo, fail, on_path, program, root, run};
use crate::postgres::{ADDRESS_VARIABLE, Durability, Postgres};
use crate::{coverage, dependencies, docs_check, node, packages, venv, walls};

/// The steps in their order.
pub(crate) const STEPS: &[Step] = &[
    Step { name: "packages", what: "programs of the system", run: |_| packages::ensure() },
    Step { name: "python", what: "the client tests' Python environment", run: |_| venv::python().map(drop) },
    Step { name: "javascript", what: "the client tests' JavaScript packages", run: |_| node::modules().map(drop) },
    Step { name: "format", what: "cargo fmt", run: |_| run(cargo().args(["fmt", "--all", "--check"])) },
    Step { name: "walls", what: "who may use whom", run: |_| walls::check() },
    Step { name: "dependencies", what: "what comes in from outside", run: |_| dependencies::check() },
    Step { name: "docs", what: "pages name what exists", run: |_| docs_check::check() },
    Step { name: "clippy", what: "lints", run: |_| clippy() },
    Step { name: "tests", what: "unit and integration tests, on both stores", run: rust_tests },
    Step { name: "doc-tests", what: "examples in the documentation", run: |_| doc_tests() },
    Step { name: "coverage", what: "operations against the service model", run: |_| coverage::check() },
    Step { name: "clients", what: "strangers' clients against the binary, on both stores", run: clients },
];

/// One thing that must hold.
pub(crate) struct Step {
    /// What `--only` calls it.
    pub(crate) name: &'static str,
    /// What it looks at.
    pub(crate) what: &'static str,
    run: fn(&mut Run) -> Outcome,
}

/// What the developer asked for, and what the steps share.
#[derive(Default)]
pub(crate) struct Run {
    only: Vec<String>,
    is_kept_going: bool,
    pytest_arguments: Vec<String>,
    postgres: Option<Postgres>,
}

impl Run {
    /// Reads `[--only STEP]... [--keep-going] [-- PYTEST ARGUMENTS]`.
    pub(crate) fn parse(arguments: &[String]) -> Outcome<Self> {
        let mut run = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--only" => match rest.next() {
                    Some(name) if STEPS.iter().any(|step| step.name == name) => run.only.push(name.clone()),
                    _ => {
                        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
                        return fail(format!("--only takes one of: {}", names.join(", ")));
                    }
                },
                "--keep-going" => run.is_kept_going = true,
                "--" => run.pytest_arguments = rest.by_ref().cloned().collect(),
                other => return fail(format!("test does not know {other:?}")),
            }
        }
        Ok(run)
    }

    /// Takes the steps. The last word belongs to the last step's runner, unless something failed.
    pub(crate) fn start(mut self) -> Outcome {
        let began = Instant::now();
        let only = std::mem::take(&mut self.only);
        let mut failed = Vec::new();
        let mut before: Option<(&str, Instant)> = None;
        for step in STEPS.iter().filter(|step| only.is_empty() || only.iter().any(|name| name == step.name)) {
            announce(before, began);
            println!("== {}: {}", step.name, step.what);
            before = Some((step.name, Instant::now()));
            if let Err(Failure(text)) = (step.run)(&mut self) {
                eprintln!("{text}\n== {} failed", step.name);
                failed.push(step.name);
                if !self.is_kept_going {
                    break;
                }
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        announce(before, began);
        fail(format!("failed: {}", failed.join(", ")))
    }

    /// The address of this run's PostgreSQL, started when first asked for.
    fn postgres(&mut self) -> Outcome<String> {
        let server = match self.postgres.take() {
            Some(server) => server,
            None => Postgres::start(Durability::Forgetful)?,
        };
        Ok(self.postgres.insert(server).url().to_owned())
    }
}

fn announce(step: Option<(&str, Instant)>, began: Instant) {
    if let Some((name, since)) = step {
        println!(
            "   {name} took {:.1} s, {:.0} s in all",
            since.elapsed().as_secs_f32(),
            began.elapsed().as_secs_f32()
        );
    }
}

fn clippy() -> Outcome {
    run(cargo().args(["clippy", "--locked", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"]))
}

fn rust_tests(shared: &mut Run) -> Outcome {
    let url = shared.postgres()?;
    let mut command = cargo();
    if on_path("cargo-nextest").is_some() {
        command.args(["nextest", "run", "--locked", "--workspace", "--no-fail-fast", "--status-level=fail"]);
    } else {
        command.args(["test", "--locked", "--workspace", "--no-fail-fast"]);
        command.args(["--lib", "--bins", "--tests", "--examples"]);
    }
    run(command.env(ADDRESS_VARIABLE, url))
}

fn doc_tests() -> Outcome {
    run(cargo().args(["test", "--locked", "--workspace", "--doc", "--quiet"]))
}

/// pytest, once, with both stores as parameters of its session.
fn clients(shared: &mut Run) -> Outcome {
    let python = venv::python()?;
    let modules = node::modules()?;
    run(cargo().args(["build", "--locked", "--package", "gatehouse-server", "--bin", "gatehouse"]))?;
    // Where cargo put us, it puts the binary.
    let binary = std::env::current_exe()?.with_file_name("gatehouse");
    let url = shared.postgres()?;
    run(program(python)
        .args(["-m", "pytest", "-p", "no:cacheprovider", "--rootdir"])
        .arg(root().join("tests/clients"))
        .arg("tests/clients")
        .args(&shared.pytest_arguments)
        .env("GATEHOUSE_BIN", binary)
        .env("GATEHOUSE_TEST_NODE_MODULES", modules)
        .env("GATEHOUSE_TEST_STORE", format!("sqlite,{url}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Outcome<Run> {
        Run::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_command_line_is_read() {
        let run = parse("--only walls --only docs --keep-going -- -k health").unwrap();
        assert_eq!(run.only, ["walls", "docs"]);
        assert!(run.is_kept_going);
        assert_eq!(run.pytest_arguments, ["-k", "health"]);
        for wrong in ["--only", "--only nothing", "--ony walls"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
