//! GetEffectivePolicies: the policies that decide for a principal, with their documents in force.
//!
//! Things contribute the policies of their groups; groups do not exist here yet, so a thing contributes none.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::limits;
use gatehouse_domain::name::{PolicyName, ThingName};
use gatehouse_store::Page;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::{canonical_arn, policy_target, unknown_certificate, unknown_thing};

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
        if let Some(thing_name) = &input.thing_name
            && call.store().thing(call.scope, thing_name).await?.is_none()
        {
            return Err(unknown_thing(thing_name));
        }

        let mut effective_policies = Vec::new();
        if let Some(principal) = &input.principal {
            let certificate_id = policy_target(call, principal)?;
            if call.store().certificate(call.scope, certificate_id).await?.is_none() {
                return Err(unknown_certificate(certificate_id));
            }
            let page = Page::first(limits::POLICIES_PER_CERTIFICATE);
            for (_, policy_name) in call.store().attached_policies(call.scope, certificate_id, page).await? {
                let document = call.store().default_policy_document(call.scope, &policy_name).await?;
                if let Some((_, policy_document)) = document {
                    let policy_arn = Arn::policy(call.scope, policy_name.clone()).to_string();
                    effective_policies.push(EffectivePolicy { policy_name, policy_arn, policy_document });
                }
            }
        }
        Ok(Output { effective_policies })
    }
}
