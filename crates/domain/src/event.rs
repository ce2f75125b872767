//! What changed: the entries of the change log. Written in the same commit as the change itself; whoever judges by the
//! registry looks again when one arrives.
//!
//! Invariant: an event says *what to look at again*, never the new state. It may arrive twice or out of order.

use serde::{Deserialize, Serialize};

use crate::certificate::CertificateId;
use crate::name::{DomainConfigurationName, PolicyName, ProvisioningTemplateName, ThingName};
use crate::scope::{AccountId, Scope};

/// A change that others act on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A certificate was registered, changed its status, or left the registry.
    Certificate {
        /// Its scope.
        scope: Scope,
        /// Its id.
        certificate_id: CertificateId,
    },
    /// The policies attached to a certificate changed.
    CertificatePolicies {
        /// Its scope.
        scope: Scope,
        /// Its id.
        certificate_id: CertificateId,
    },
    /// The things attached to a certificate changed.
    CertificateThings {
        /// Its scope.
        scope: Scope,
        /// Its id.
        certificate_id: CertificateId,
    },
    /// Another version of a policy is in force, or the policy is gone.
    Policy {
        /// Its scope.
        scope: Scope,
        /// Its name.
        policy_name: PolicyName,
    },
    /// A thing's type, attributes or groups changed, or it is gone.
    Thing {
        /// Its scope.
        scope: Scope,
        /// Its name.
        thing_name: ThingName,
    },
    /// The policies attached to a thing group changed, or it is gone.
    ThingGroup {
        /// Its scope.
        scope: Scope,
        /// Its name.
        group_name: ThingName,
    },
    /// A domain configuration was made, changed or deleted.
    DomainConfiguration {
        /// Its scope.
        scope: Scope,
        /// Its name; that of an endpoint, such as `iot:Data-ATS`, when that was configured.
        name: DomainConfigurationName,
    },
    /// A provisioning template was made, changed or deleted, or another version of it is provisioned by.
    ProvisioningTemplate {
        /// Its scope.
        scope: Scope,
        /// Its name.
        template_name: ProvisioningTemplateName,
    },
    /// Messages of registry events wait to be published.
    Outbox {
        /// Their scope.
        scope: Scope,
    },
    /// An access key of the account was made, changed or deleted.
    AccessKeys {
        /// The account.
        account: AccountId,
    },
}

impl Event {
    /// The name under which the event is logged and stored.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Certificate { .. } => "certificate",
            Self::CertificatePolicies { .. } => "certificate_policies",
            Self::CertificateThings { .. } => "certificate_things",
            Self::Policy { .. } => "policy",
            Self::Thing { .. } => "thing",
            Self::ThingGroup { .. } => "thing_group",
            Self::DomainConfiguration { .. } => "domain_configuration",
            Self::ProvisioningTemplate { .. } => "provisioning_template",
            Self::Outbox { .. } => "outbox",
            Self::AccessKeys { .. } => "access_keys",
        }
    }
}
