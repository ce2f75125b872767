//! Other programs: run them, read them, and say clearly what went wrong.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A sentence for the developer.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

/// What every part of the menu answers.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// A failure with this text.
pub(crate) fn fail<T>(text: impl Into<String>) -> Outcome<T> {
    Err(Failure(text.into()))
}

/// The repository's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// A command that runs in the repository's folder.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs to the end with the terminal as output.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.status().map_err(|error| Failure(format!("cannot start {}: {error}", shown(command))))?;
    if status.success() { Ok(()) } else { fail(format!("{} ended with {status}", shown(command))) }
}

/// Runs to the end and answers what it printed on stdout; its stderr is the terminal's.
pub(crate) fn read(command: &mut Command) -> Outcome<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure(format!("cannot start {}: {error}", shown(command))))?;
    if !output.status.success() {
        return fail(format!("{} ended with {}", shown(command), output.status));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs to the end without a word, unless it fails: then everything it said.
pub(crate) fn run_quietly(command: &mut Command) -> Outcome {
    let output = command.output().map_err(|error| Failure(format!("cannot start {}: {error}", shown(command))))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    fail(format!("{} ended with {}:\n{}", shown(command), output.status, String::from_utf8_lossy(&said).trim_end()))
}

/// Where a program of this name lies, by PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Reads a file of the repository.
pub(crate) fn read_file(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|error| Failure(format!("cannot read {}: {error}", path.display())))
}

fn shown(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let line = words.join(" ");
    // A script given as an argument is not worth a screen.
    match line.char_indices().nth(160) {
        Some((at, _)) => format!("`{}…`", line.split_at(at).0),
        None => format!("`{line}`"),
    }
}
