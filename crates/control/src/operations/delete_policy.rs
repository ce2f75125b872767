//! DeletePolicy: removes a policy that has one version left and is attached to nothing.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::event::Event;
use gatehouse_domain::name::PolicyName;
use gatehouse_domain::policy_registry::{PolicyDeletionRefusal, may_delete};
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

        may_delete(policy.version_count, policy.attachment_count).map_err(|refusal| {
            let text = match refusal {
                // The doubled word is AWS's own.
                PolicyDeletionRefusal::OtherVersions => {
                    "The policy cannot be deleted as versions other than than default version exist".to_owned()
                }
                PolicyDeletionRefusal::Attached => format!(
                    "The policy cannot be deleted as the policy is attached to one or more principals (name={name})"
                ),
            };
            Error::refused(Code::DeleteConflictException, text)
        })?;

        let mut batch = Batch::new();
        batch.delete_policy(&policy);
        batch.delete_tags(&Arn::policy(call.scope, name.clone()));
        batch.announce(Event::Policy { scope: call.scope, policy_name: name.clone() });
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
