//! One suite for both engines. The PostgreSQL half runs when `GATEHOUSE_TEST_POSTGRES` holds the address of a server in
//! which schemas may be made, such as `postgres://postgres@127.0.0.1:5432/postgres`; otherwise it says that it was skipped.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "all of this crate is tests, and the lints know only the functions marked so"
)]

mod access;
mod billing_groups;
mod ca_certificates;
mod certificate_providers;
mod certificates;
mod change_log;
mod crash;
mod domain_configurations;
mod engines;
mod event_configurations;
mod harness;
mod model;
mod opening;
mod policies;
mod provisioning;
mod provisioning_templates;
mod races;
mod refusals;
mod registration_codes;
mod registration_tasks;
mod registry_messages;
mod retained_messages;
mod role_aliases;
mod sessions;
mod thing_groups;
mod thing_types;
mod things;
mod transfer_races;
mod transfers;
mod version_1;
