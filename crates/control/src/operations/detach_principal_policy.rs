//! DetachPrincipalPolicy: the older form of DetachPolicy, which does tell when nothing was attached.

use gatehouse_domain::name::PolicyName;
use serde::Deserialize;

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use super::policy_attachment::{Detached, detach};
use crate::wire::{PolicyTarget, Nothing, canonical_arn, certificate_principal};

/// The operation.
pub struct DetachPrincipalPolicy;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    policy_name: PolicyName,
    principal: String,
}

impl Operation for DetachPrincipalPolicy {
    const NAME: &'static str = "DetachPrincipalPolicy";
    const METHOD: &'static str = "DELETE";
    const PATH: &'static str = "/principal-policies/{policyName}";
    type Input = Input;
    type Output = Nothing;

    fn resource(_call: &Call, input: &Input) -> String {
        canonical_arn(&input.principal)
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let certificate_id = certificate_principal(call, &input.principal)?;
        match detach(call, &input.policy_name, &PolicyTarget::Certificate(certificate_id)).await? {
            Detached::Now => Ok(Nothing {}),
            Detached::NothingToDo => Err(Error::not_found(format!(
                "policy {} is not attached to certificate {certificate_id}",
                input.policy_name
            ))),
        }
    }
}
