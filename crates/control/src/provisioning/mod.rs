//! Provisioning: devices that turn up and become part of the fleet by a template.
//!
//! [`gatehouse_domain::provisioning`] says what a template and its parameters come to; [`carry_out`] makes it so, in one
//! commit. Who gets there: a device by fleet provisioning ([`fleet`]), a device whose CA provisions just in time
//! ([`just_in_time`]), and callers of RegisterThing.

mod carry_out;
mod certificate;
pub mod failure;
pub mod fleet;
mod hook;
pub mod just_in_time;
mod ownership;
mod permit;
mod room;
mod thing;

pub(crate) use carry_out::{Along, Order};
pub(crate) use permit::Permit;
