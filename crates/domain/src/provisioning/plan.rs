//! What a template comes to with its parameters: names, texts and words that are well formed. Whether things, types,
//! groups and policies exist, and what becomes of those that do, is for whoever carries a plan out.

use std::collections::BTreeMap;

use super::overrides::{MergingOverride, Override};
use crate::certificate::{CertificateId, CertificateStatus};
use crate::name::{PolicyName, ThingName};
use crate::thing::ThingPrincipalType;

/// What is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The thing that the certificate is attached to, if any.
    pub thing: Option<ThingPlan>,
    /// The certificate.
    pub certificate: CertificatePlan,
    /// The policies that are attached to the certificate, ten at most, in the order of the template. Two may come to the
    /// same.
    pub policies: Vec<PolicyPlan>,
    /// What a device is told in fleet provisioning; empty otherwise.
    pub device_configuration: BTreeMap<String, String>,
}

/// A thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThingPlan {
    /// The name of the resource in the template.
    pub logical_name: String,
    /// The thing's name.
    pub name: ThingName,
    /// Its attributes: at most three without a thing type, fifty with one. An empty value stands for none, as in
    /// UpdateThing.
    pub attributes: BTreeMap<String, String>,
    /// Its thing type, which must exist.
    pub thing_type_name: Option<ThingName>,
    /// Static thing groups, which must exist; ten at most, each once.
    pub groups: Vec<ThingName>,
    /// Its billing group, which must exist.
    pub billing_group: Option<ThingName>,
    /// What becomes of a thing that exists.
    pub overrides: ThingOverrides,
}

/// What becomes of a thing that exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThingOverrides {
    /// Of its attributes.
    pub attributes: MergingOverride,
    /// Of its thing type.
    pub thing_type_name: Override,
    /// Of the thing groups it is in.
    pub groups: MergingOverride,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificatePlan {
    /// The name of the resource in the template.
    pub logical_name: String,
    /// Which certificate it is, or what it is made of.
    pub source: CertificateSource,
    /// The status it shall have: ACTIVE or INACTIVE.
    pub status: CertificateStatus,
    /// How it is attached to the thing.
    pub thing_principal_type: ThingPrincipalType,
    /// What becomes of its status when it exists.
    pub status_override: Override,
}

/// Which certificate a plan is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateSource {
    /// One that is registered.
    Id(CertificateId),
    /// One to be issued for this signing request, unread, of at most [`crate::limits::CSR_CHARACTERS`].
    Csr(String),
    /// One to be registered.
    Pem {
        /// The certificate, unread.
        pem: String,
        /// The CA certificate that signed it, unread.
        ca_pem: Option<String>,
    },
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyPlan {
    /// The name of the resource in the template.
    pub logical_name: String,
    /// Which policy it is.
    pub policy: PlannedPolicy,
}

/// Which policy is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlannedPolicy {
    /// One that exists.
    Existing(PolicyName),
    /// The one of this document, which is valid and within its quotas. Its name is
    /// [`PolicyName::of_document`] of the document's SHA-256.
    Document(String),
}
