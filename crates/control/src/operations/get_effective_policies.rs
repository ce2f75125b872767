//! GetEffectivePolicies: the policies that decide for a principal, with their documents in force.
//!
//! A thing contributes the policies of its groups and of all groups that those lie in. Whether a connection of the
//! principal would stand for the thing is not asked: the caller names both.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::limits;
use gatehouse_domain::name::{PolicyName, ThingName};
use gatehouse_domain::thing_group::lineage;
use gatehouse_store::Page;
use serde::{Deserialize, Serialize};

use super::thing_group::existing_group;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::{PolicyTarget, canonical_arn, policy_target, unknown_certificate, unknown_thing};

/// The operation.
pub struct GetEffectivePolicies;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    principal: Option<String>,
    cognito_identity_pool_id: Option<String>,
    thing_name: Option<ThingName>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    effective_policies: Vec<EffectivePolicy>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EffectivePolicy {
    policy_name: PolicyName,
    policy_arn: String,
    policy_document: String,
}

impl Operation for GetEffectivePolicies {
    const NAME: &'static str = "GetEffectivePolicies";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/effective-policies";
    type Input = Input;
    type Output = Output;

    fn resource(_call: &Call, input: &Input) -> String {
        input.principal.as_deref().map_or_else(|| "*".to_owned(), canonical_arn)
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        if input.cognito_identity_pool_id.is_some() {
            return Err(Error::invalid("Cognito identity pools do not exist here: leave out cognitoIdentityPoolId"));
        }
        if input.principal.is_none() && input.thing_name.is_none() {
            return Err(Error::invalid("name a principal, a thing, or both"));
        }
        let mut names = Vec::new();
        if let Some(thing_name) = &input.thing_name {
            let inherited = call.store().inherited_policies(call.scope, thing_name).await?;
            names.extend(inherited.ok_or_else(|| unknown_thing(thing_name))?.policies);
        }
        if let Some(principal) = &input.principal {
            names.extend(policies_of(call, &policy_target(call, principal)?).await?);
        }
        names.sort_unstable();
        names.dedup();

        let mut effective_policies = Vec::with_capacity(names.len());
        for policy_name in names {
            let document = call.store().default_policy_document(call.scope, &policy_name).await?;
            if let Some((_, policy_document)) = document {
                let policy_arn = Arn::policy(call.scope, policy_name.clone()).to_string();
                effective_policies.push(EffectivePolicy { policy_name, policy_arn, policy_document });
            }
        }
        Ok(Output { effective_policies })
    }
}

/// The policies that decide for a certificate, or for the things of a group.
async fn policies_of(call: &Call, target: &PolicyTarget) -> Result<Vec<PolicyName>, Error> {
    match target {
        PolicyTarget::Certificate(id) => {
            if call.store().certificate(call.scope, *id).await?.is_none() {
                return Err(unknown_certificate(*id));
            }
            let page = Page::first(limits::POLICIES_PER_CERTIFICATE);
            let attached = call.store().attached_policies(call.scope, *id, page).await?;
            Ok(attached.into_iter().map(|(_, name)| name).collect())
        }
        PolicyTarget::ThingGroup(name) => {
            let group = existing_group(call, name).await?;
            Ok(call.store().policies_of_groups(call.scope, &lineage([group.place()])).await?)
        }
    }
}
