//! GetPolicyVersion: one version of a policy.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::PolicyName;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::{EpochSeconds, policy_version_id, unknown_policy, unknown_policy_version};

/// The operation.
pub struct GetPolicyVersion;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    policy_name: PolicyName,
    policy_version_id: String,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    policy_name: PolicyName,
    policy_arn: String,
    policy_document: String,
    policy_version_id: String,
    is_default_version: bool,
    creation_date: EpochSeconds,
    last_modified_date: EpochSeconds,
    generation_id: String,
}

impl Operation for GetPolicyVersion {
    const NAME: &'static str = "GetPolicyVersion";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/policies/{policyName}/version/{policyVersionId}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::policy(call.scope, input.policy_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.policy_name;
        let policy = call.store().policy(call.scope, name).await?.ok_or_else(|| unknown_policy(name))?;
        let version = policy_version_id(&input.policy_version_id)?;
        let version = call
            .store()
            .policy_version(call.scope, name, version)
            .await?
            .ok_or_else(|| unknown_policy_version(name, &input.policy_version_id))?;
        Ok(Output {
            policy_name: name.clone(),
            policy_arn: Arn::policy(call.scope, name.clone()).to_string(),
            policy_document: version.document,
            policy_version_id: version.version.to_string(),
            is_default_version: version.version == policy.default_version,
            creation_date: EpochSeconds(version.created_at),
            last_modified_date: EpochSeconds(version.created_at),
            generation_id: policy.generation_id,
        })
    }
}
