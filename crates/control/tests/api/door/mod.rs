//! What is the same for every operation: signatures, permissions, and the ways in which a request can be wrong before
//! an operation sees it.

mod body;
mod failure;
mod path;
mod permission;
mod query;
mod session_token;
mod signature;
mod unknown_operation;
