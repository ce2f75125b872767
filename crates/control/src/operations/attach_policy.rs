//! AttachPolicy: attaches a policy to a certificate or a thing group. Attaching it again changes nothing.

use gatehouse_domain::name::PolicyName;
use serde::Deserialize;

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use super::policy_attachment::attach;
use crate::wire::{Nothing, canonical_arn, policy_target};

/// The operation.
pub struct AttachPolicy;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    policy_name: PolicyName,
    target: String,
}

impl Operation for AttachPolicy {
    const NAME: &'static str = "AttachPolicy";
    const METHOD: &'static str = "PUT";
    const PATH: &'static str = "/target-policies/{policyName}";
    type Input = Input;
    type Output = Nothing;

    fn resource(_call: &Call, input: &Input) -> String {
        canonical_arn(&input.target)
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let target = policy_target(call, &input.target)?;
        attach(call, &input.policy_name, &target).await?;
        Ok(Nothing {})
    }
}
