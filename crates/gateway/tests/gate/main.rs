//! The gate as devices see it: real TLS over loopback sockets, a real registry, and a clock of our own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, in its helpers too"
)]

mod harness;

mod admission;
mod change_log;
mod credentials;
mod deadlines;
mod deliveries;
mod domain_configurations;
mod handshake;
mod https;
mod lifecycle;
mod permissions;
mod persistent_sessions;
mod provisioning;
mod rates;
mod requests;
mod resumption;
mod retained;
mod revocation;
mod sessions;
mod sni;
mod websocket;
mod wills;
