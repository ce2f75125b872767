//! Structured logs on standard error. Field names are part of the operations guide and do not change.

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts logging.
///
/// # Errors
/// A filter that cannot be read.
pub(crate) fn start(log: &Log) -> Result<(), String> {
    let filter = EnvFilter::try_new(&log.level)
        .map_err(|error| format!("log.level {:?} is not a level or filter: {error}", log.level))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    let started = match log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| error.to_string())
}
