//! DeletePolicyVersion: removes a version that is not in force.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::PolicyName;
use gatehouse_domain::policy_registry::may_delete_version;
use gatehouse_store::Batch;
use serde::Deserialize;

use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::{Nothing, policy_version_id, unknown_policy, unknown_policy_version};

/// The operation.
pub struct DeletePolicyVersion;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    policy_name: PolicyName,
    policy_version_id: String,
}

impl Operation for DeletePolicyVersion {
    const NAME: &'static str = "DeletePolicyVersion";
    const METHOD: &'static str = "DELETE";
    const PATH: &'static str = "/policies/{policyName}/version/{policyVersionId}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::policy(call.scope, input.policy_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let name = &input.policy_name;
        let policy = call.store().policy(call.scope, name).await?.ok_or_else(|| unknown_policy(name))?;
        let version = policy_version_id(&input.policy_version_id)?;
        if call.store().policy_version(call.scope, name, version).await?.is_none() {
            return Err(unknown_policy_version(name, &input.policy_version_id));
        }

        may_delete_version(version, policy.default_version).map_err(|_| {
            Error::refused(
                Code::DeleteConflictException,
                format!(
                    "version {version} is the default of policy {name} and cannot be deleted: set another default \
                     first, or delete the policy"
                ),
            )
        })?;

        // No document in force changes, so nobody needs to look again.
        let mut batch = Batch::new();
        batch.delete_policy_version(&policy, version);
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
