//! ListPolicyVersions: all versions of a policy (at most five), newest first.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::PolicyName;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::{EpochSeconds, unknown_policy};

/// The operation.
pub struct ListPolicyVersions;

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
    policy_versions: Vec<PolicyVersion>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PolicyVersion {
    version_id: String,
    is_default_version: bool,
    create_date: EpochSeconds,
}

impl Operation for ListPolicyVersions {
    const NAME: &'static str = "ListPolicyVersions";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/policies/{policyName}/version";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::policy(call.scope, input.policy_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.policy_name;
        let policy = call.store().policy(call.scope, name).await?.ok_or_else(|| unknown_policy(name))?;
        let versions = call.store().policy_versions(call.scope, name).await?;
        let policy_versions = versions
            .into_iter()
            .map(|version| PolicyVersion {
                version_id: version.version.to_string(),
                is_default_version: version.version == policy.default_version,
                create_date: EpochSeconds(version.created_at),
            })
            .collect();
        Ok(Output { policy_versions })
    }
}
