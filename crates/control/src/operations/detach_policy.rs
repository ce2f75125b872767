//! DetachPolicy: detaches a policy. What is not attached is detached already: the model has no error for it.

use gatehouse_domain::name::PolicyName;
use serde::Deserialize;

use super::policy_attachment::detach;
use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::{Nothing, canonical_arn, policy_target};

/// The operation.
pub struct DetachPolicy;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    policy_name: PolicyName,
    target: String,
}

impl Operation for DetachPolicy {
    const NAME: &'static str = "DetachPolicy";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/target-policies/{policyName}";
    type Input = Input;
    type Output = Nothing;

    fn resource(_call: &Call, input: &Input) -> String {
        canonical_arn(&input.target)
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let target = match policy_target(call, &input.target) {
            Ok(target) => target,
            // A target that does not exist has nothing attached either.
            Err(Error::Refused(refused)) if refused.code == Code::ResourceNotFoundException => return Ok(Nothing {}),
            Err(error) => return Err(error),
        };
        detach(call, &input.policy_name, &target).await?;
        Ok(Nothing {})
    }
}
