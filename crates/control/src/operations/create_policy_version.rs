//! CreatePolicyVersion: another document for a policy, in force at once when asked. A policy has at most five.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::event::Event;
use gatehouse_domain::name::PolicyName;
use gatehouse_domain::policy::PolicyDocument;
use gatehouse_domain::policy_registry::may_add_version;
use gatehouse_store::Batch;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::{malformed_policy, unknown_policy};

/// The operation.
pub struct CreatePolicyVersion;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    policy_name: PolicyName,
    policy_document: String,
    #[serde(default)]
    set_as_default: bool,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    policy_arn: String,
    policy_document: String,
    policy_version_id: String,
    is_default_version: bool,
}

impl Operation for CreatePolicyVersion {
    const NAME: &'static str = "CreatePolicyVersion";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/policies/{policyName}/version";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::policy(call.scope, input.policy_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.policy_name;
        let policy = call.store().policy(call.scope, name).await?.ok_or_else(|| unknown_policy(name))?;

        PolicyDocument::parse(&input.policy_document).map_err(|refusal| malformed_policy(&refusal))?;
        may_add_version(policy.version_count).map_err(|refusal| {
            Error::refused(Code::VersionsLimitExceededException, format!("The policy {name} already has the {refusal}"))
        })?;

        let mut batch = Batch::new();
        batch.insert_policy_version(&policy, &input.policy_document, input.set_as_default, call.now);
        if input.set_as_default {
            batch.announce(Event::Policy { scope: call.scope, policy_name: name.clone() });
        }
        call.commit(batch).await?;
        Ok(Output {
            policy_arn: Arn::policy(call.scope, name.clone()).to_string(),
            policy_document: input.policy_document.clone(),
            policy_version_id: policy.next_version.to_string(),
            is_default_version: input.set_as_default,
        })
    }
}
