//! GetPolicy: a policy with the document in force, byte for byte as it was given.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::PolicyName;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::{EpochSeconds, unknown_policy};

/// The operation.
pub struct GetPolicy;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    policy_name: PolicyName,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    policy_name: PolicyName,
    policy_arn: String,
    policy_document: String,
    default_version_id: String,
    creation_date: EpochSeconds,
    last_modified_date: EpochSeconds,
    generation_id: String,
}

impl Operation for GetPolicy {
    const NAME: &'static str = "GetPolicy";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/policies/{policyName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::policy(call.scope, input.policy_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.policy_name;
        let policy = call.store().policy(call.scope, name).await?.ok_or_else(|| unknown_policy(name))?;
        let version = call
            .store()
            .policy_version(call.scope, name, policy.default_version)
            .await?
            .ok_or_else(|| unknown_policy(name))?;
        Ok(Output {
            policy_name: name.clone(),
            policy_arn: Arn::policy(call.scope, name.clone()).to_string(),
            policy_document: version.document,
            default_version_id: policy.default_version.to_string(),
            creation_date: EpochSeconds(policy.created_at),
            last_modified_date: EpochSeconds(policy.last_modified_at),
            generation_id: policy.generation_id,
        })
    }
}
