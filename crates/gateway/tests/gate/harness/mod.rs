//! What the tests stand on: a gate, devices with certificates, their calls, and whoever changes the registry.

mod call;
mod device;
mod engines;
mod gate;
mod provisioning;
mod registrar;
mod time;
mod web;

pub(crate) use call::{Answer, Call, Client, id, publish, text};
pub(crate) use device::{Device, Key};
pub(crate) use engines::{Db, on_both_engines, on_postgres, on_sqlite};
pub(crate) use gate::{Gate, ROLE, Setup, host, host_of_type};
pub(crate) use provisioning::{
    CREATE, CREATE_FROM_CSR, FunctionServer, HOOK, PROVISION, Said, allows, answered, csr, registration, template,
};
pub(crate) use registrar::{ALLOW_ALL, Registrar, home, other};
pub(crate) use time::{HeldTime, NOW, TestClock};
