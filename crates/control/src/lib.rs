//! The control API: REST-JSON of service `iot`, signed with SigV4.
//!
//! [`door`] is the generic half, written once: it takes a request, finds out who calls, gathers and checks the input
//! by the facts of AWS's model ([`facts`]), asks the caller's policy, runs the operation and words the answer.
//! [`operations`] is the other half: one file for each operation, reading load, decide, save, announce.
//!
//! Invariant: an operation touches nothing outside its [`call::Call`]'s scope and writes only through [`call::Call::commit`].

pub mod access_key;
pub mod body;
pub mod bulk;
pub mod call;
pub mod certificates;
pub mod credentials;
pub mod door;
pub mod error;
pub mod facts;
pub mod functions;
pub mod key_pairs;
pub mod operation;
pub mod operations;
pub mod outgoing;
pub mod page;
mod places;
pub mod provisioning;
pub mod query;
pub mod random;
pub mod registry_events;
pub mod sigv4;
pub mod verifier;
pub mod wire;
