//! The subcommands, one file each.

pub(crate) mod access_key;
pub(crate) mod account;
pub(crate) mod connections;
pub(crate) mod demo;
pub(crate) mod env;
pub(crate) mod explain;
pub(crate) mod hosts;
pub(crate) mod serve;

use std::fmt;
use std::io::Write as _;

/// Prints a line for people or programs on standard output. A reader that went away is no failure of ours.
pub(crate) fn say(line: impl fmt::Display) {
    let _reader_gone = writeln!(std::io::stdout().lock(), "{line}");
}

/// Prints why the program ends.
pub(crate) fn say_error(failure: impl fmt::Display) {
    let _reader_gone = writeln!(std::io::stderr().lock(), "gatehouse: {failure}");
}
