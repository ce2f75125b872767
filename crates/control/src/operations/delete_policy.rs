//! DeletePolicy: removes a policy that has one version left and is attached to nothing.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::event::Event;
use gatehouse_domain::name::PolicyName;
use gatehouse_store::Batch;
use serde::Deserialize;

use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::{Nothing, unknown_policy};

/// The operation.
pub struct DeletePolicy;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    policy_name: PolicyName,
}

impl Operation for DeletePolicy {
    const NAME: &'static str = "DeletePolicy";
    const METHOD: &'static str = "DELETE";
    const PATH: &'static str = "/policies/{policyName}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::policy(call.scope, input.policy_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let name = &input.policy_name;
        let policy = call.store().policy(call.scope, name).await?.ok_or_else(|| unknown_policy(name))?;

        if policy.version_count > 1 {
            return Err(Error::refused(
                Code::DeleteConflictException,
                // The doubled word is AWS's own.
                "The policy cannot be deleted as versions other than than default version exist",
            ));
        }
        if policy.attachment_count > 0 {
            return Err(Error::refused(
                Code::DeleteConflictException,
                format!(
                    "The policy cannot be deleted as the policy is attached to one or more principals (name={name})"
                ),
            ));
        }

        let mut batch = Batch::new();
        batch.delete_policy(&policy);
        batch.delete_tags(&Arn::policy(call.scope, name.clone()));
        batch.announce(Event::Policy { scope: call.scope, policy_name: name.clone() });
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
