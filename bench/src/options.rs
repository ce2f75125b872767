//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Server CPU per admitted connection, against the bare server
    Admission,
    /// Resident bytes per idle connection, against the bare server
    Idle,
    /// Clients dropped at once until all are back, against the bare server
    Storm,
    /// From the API's answer to the closed socket
    Revoke,
    /// Devices a second that are registered as they first connect
    Jitr,
    /// Devices a second that are provisioned, and how long another waits meanwhile
    Provision,
    /// Lines a second of a bulk registration, and how long a device waits meanwhile
    Bulk,
    /// Rates of control calls
    Api,
    /// Server CPU per message, against Mosquitto
    Messages,
    /// One publisher to many subscribers, against Mosquitto
    FanOut,
    /// Many publishers to one subscriber, against Mosquitto
    FanIn,
    /// QoS 1 to sessions whose clients are away, and how fast these catch up
    Offline,
    /// From exec to the ready line
    Start,
}

/// The group that TLS agrees on keys with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyExchange {
    /// What a client of today's rustls offers first: X25519MLKEM768
    Hybrid,
    /// X25519
    X25519,
    /// P-256, as small devices do
    P256,
}

/// The sessions that devices ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sessions {
    /// They end with their connections
    Clean,
    /// They outlive their connections, so that they are written down
    Persistent,
}

impl Sessions {
    /// For the name of a figure.
    pub(crate) const fn told(self) -> &'static str {
        match self {
            Self::Clean => "",
            Self::Persistent => ", persistent",
        }
    }
}

/// Measures Gatehouse beside a bare TLS server of the same build, and beside Mosquitto.
#[derive(Parser)]
#[command(name = "gatehouse-bench")]
pub(crate) struct Options {
    /// What to measure; everything when nothing is named
    #[arg(value_enum)]
    pub(crate) modes: Vec<Mode>,
    /// Certificates in the registry, once for each time it is given [default: 1000 and 1000000 for admission, 1000000
    /// for start, 1000 otherwise]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=100_000_000))]
    pub(crate) registered: Vec<u64>,
    /// CA certificates in the registry that admission is measured at
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100_000))]
    pub(crate) authorities: u32,
    /// Repetitions of what is compared; the servers take turns
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Connections of a round [default: admission 4000, idle 10000, storm, revoke, fan-out and fan-in 1000, jitr 3000, provision 2000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub(crate) connections: Option<u32>,
    /// Messages of each publisher; with offline, of all together [default: messages 50000, fan-out and fan-in 200,
    /// offline 50000, of which a client drains 10000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    pub(crate) messages: Option<u32>,
    /// Publishers: with messages, each has a subscriber of its own; with offline, all write to the same sessions
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) pairs: u32,
    /// Sessions that idle and storm ask for
    #[arg(long, value_enum, default_value = "clean")]
    pub(crate) sessions: Sessions,
    /// Measure Gatehouse alone where it would be held against Mosquitto
    #[arg(long)]
    pub(crate) without_mosquitto: bool,
    /// How long each control call is repeated, and messages at a steady rate are sent
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) seconds: u64,
    /// The group for TLS's key agreement
    #[arg(long, value_enum, default_value = "hybrid")]
    pub(crate) key_exchange: KeyExchange,
    /// Store of the server, "sqlite" or the postgres:// URL of an empty database
    #[arg(long, default_value = "sqlite")]
    pub(crate) store: String,
    /// Keep filled registries in this folder and use those that are there
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// The server to measure, instead of building it
    #[arg(long, value_name = "FILE")]
    pub(crate) gatehouse: Option<PathBuf>,
    /// Print one JSON object a line instead of the table
    #[arg(long)]
    pub(crate) json: bool,
    /// Be the bare server, with the authority of this data folder
    #[arg(long, hide = true, value_name = "DIR")]
    pub(crate) bare_server: Option<PathBuf>,
}

impl Options {
    /// Registry sizes to measure at, where `usual` ones are taken unless told otherwise.
    pub(crate) fn registered(&self, usual: &[u64]) -> Vec<u64> {
        if self.registered.is_empty() { usual.to_vec() } else { self.registered.clone() }
    }

    /// Connections of a round.
    pub(crate) fn connections(&self, usual: u32) -> usize {
        usize::try_from(self.connections.unwrap_or(usual)).unwrap_or(usize::MAX)
    }

    /// Messages of a publisher.
    pub(crate) fn messages(&self, usual: u32) -> u32 {
        self.messages.unwrap_or(usual)
    }

    /// Whether `mode` is to be measured.
    pub(crate) fn wants(&self, mode: Mode) -> bool {
        self.modes.is_empty() || self.modes.contains(&mode)
    }
}
