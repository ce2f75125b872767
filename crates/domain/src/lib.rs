//! The rules of Gatehouse, pure: every function here is decided by its arguments alone.
//! No I/O, no clock, no randomness, no logging, no async; time arrives as [`time::Timestamp`].
//!
//! Words: a [`scope::Scope`] is the tenant (account, Region). A certificate is named by the SHA-256 of its DER
//! ([`certificate::CertificateId`]). [`admission`] decides whether the holder of a certificate may pass;
//! [`policy`] decides what it may then do; [`refusal`] is the closed list of reasons for "no".

pub mod admission;
pub mod arn;
pub mod billing_group;
pub mod ca;
pub mod certificate;
pub mod certificate_provider;
pub mod client_id;
mod clip;
pub mod credentials;
pub mod description;
pub mod disconnect;
pub mod domain_configuration;
pub mod endpoint;
pub mod event;
pub mod event_configuration;
pub mod fleet_provisioning;
pub mod function;
pub mod host_name;
mod json;
pub mod key_quality;
pub mod limits;
pub mod name;
pub mod naming;
pub mod policy;
pub mod policy_registry;
pub mod provisioning;
pub mod provisioning_template;
pub mod quotas;
pub mod rate_limit;
pub mod refusal;
pub mod registration_task;
pub mod registry_event;
pub mod role_alias;
pub mod scope;
pub mod security_policy;
pub mod session;
pub mod tag;
pub mod thing;
pub mod thing_group;
pub mod thing_type;
pub mod time;
pub mod topic;
pub mod validity;
pub mod version;
