//! AttachPrincipalPolicy: the older form of AttachPolicy.

use gatehouse_domain::name::PolicyName;
use serde::Deserialize;

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use super::policy_attachment::attach;
use crate::wire::{PolicyTarget, Nothing, canonical_arn, certificate_principal};

/// The operation.
pub struct AttachPrincipalPolicy;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    policy_name: PolicyName,
    principal: String,
}

impl Operation for AttachPrincipalPolicy {
    const NAME: &'static str = "AttachPrincipalPolicy";
    const METHOD: &'static str = "PUT";
    const PATH: &'static str = "/principal-policies/{policyName}";
    type Input = Input;
    type Output = Nothing;

    fn resource(_call: &Call, input: &Input) -> String {
        canonical_arn(&input.principal)
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let certificate_id = certificate_principal(call, &input.principal)?;
        attach(call, &input.policy_name, &PolicyTarget::Certificate(certificate_id)).await?;
        Ok(Nothing {})
    }
}
