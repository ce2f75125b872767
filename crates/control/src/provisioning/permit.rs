//! In whose name a plan is carried out, and what may be done in that name: the caller of RegisterThing with the policy of
//! the access key, or a template with that of its role.

use std::sync::Arc;

use gatehouse_domain::fleet_provisioning::FleetError;
use gatehouse_domain::policy::{CallContext, PolicyDocument, Request, evaluate};
use gatehouse_domain::role_alias::RoleArn;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;

use super::failure::Failure;
use crate::call::{Call, House};
use crate::door::authorize::authorize;

/// In whose name.
pub(crate) enum Permit<'a> {
    /// Whoever calls the API.
    Caller(&'a Call),
    /// A role. One that the configuration does not know may do what templates do, and no more: there is nothing else that
    /// a plan could say.
    Role { role_arn: RoleArn, policy: Option<Arc<PolicyDocument>>, scope: Scope, now: Timestamp },
}

impl<'a> Permit<'a> {
    /// The role `role_arn`, as `house` knows it.
    pub(crate) fn of_role(house: &House, role_arn: &RoleArn, scope: Scope, now: Timestamp) -> Self {
        let policy = house.roles.get(role_arn).map(|role| Arc::clone(role.document()));
        Self::Role { role_arn: role_arn.clone(), policy, scope, now }
    }

    /// May `action` be done on `resource`?
    ///
    /// # Errors
    /// `AccessDenied`.
    pub(crate) fn check(&self, action: &str, resource: &str) -> Result<(), Failure> {
        match self {
            Self::Caller(call) => {
                authorize(call, action, resource).map_err(|error| Failure::of(error, FleetError::AccessDenied))
            }
            Self::Role { policy: None, .. } => Ok(()),
            Self::Role { role_arn, policy: Some(policy), scope, now } => {
                let context =
                    CallContext { scope: *scope, source_ip: None, secure_transport: true, now: *now, device: None };
                if evaluate([&**policy], &Request { action, resource, context: &context }).is_allowed() {
                    return Ok(());
                }
                Err(Failure::new(
                    FleetError::AccessDenied,
                    format!("the provisioning role {role_arn} does not allow {action} on {resource}"),
                ))
            }
        }
    }
}
