//! Provisioning templates: from a template and parameters to what is to be made (developer guide, "Provisioning
//! templates"; API reference, RegisterThing).
//!
//! [`Template::parse`] reads a body and refuses what it does not understand, and all that can be known to be wrong before
//! there are parameters. [`Template::plan`] fills the parameters in; its [`Plan`] says which thing, which status of the
//! certificate and which policies there shall be, in types that hold nothing malformed. Neither looks at a registry.
//!
//! Functions are read when the template is, into an [`expression`]; [`evaluate`] gives them their values, within bounds.
//! The properties of each kind of resource have a file of their own.
//!
//! Invariant: the text of a parameter is a value and nothing else. It is never searched for functions or `${…}`, and one
//! that could say more than itself in a policy is refused there ([`plain`]).
//! Invariant: however templates and parameters are made, a plan costs no more than its bounds
//! ([`crate::limits::TEMPLATE_WORK_BYTES`]).

mod certificate;
mod evaluate;
#[cfg(test)]
mod examples;
mod expression;
mod just_in_time;
mod mappings;
mod members;
mod overrides;
mod parameters;
mod plain;
mod plan;
mod policy;
#[cfg(test)]
mod properties;
mod property;
mod refusal;
mod substitution;
mod template;
mod thing;

pub use just_in_time::just_in_time_parameters;
pub use overrides::{MergingOverride, Override};
pub use parameters::CERTIFICATE_ID;
pub use plan::{CertificatePlan, CertificateSource, Plan, PlannedPolicy, PolicyPlan, ThingOverrides, ThingPlan};
pub use refusal::{InvalidTemplate, PlanRefusal};
pub use template::{Template, TemplateKind};
