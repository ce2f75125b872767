//! DeleteBillingGroup: removes a billing group; its things are in none then. Deleting what does not exist succeeds.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::billing_group::may_delete;
use gatehouse_domain::name::ThingName;
use gatehouse_store::Batch;
use serde::Deserialize;

use super::billing_group::version_conflict;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct DeleteBillingGroup;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    billing_group_name: ThingName,
    expected_version: Option<i64>,
}

impl Operation for DeleteBillingGroup {
    const NAME: &'static str = "DeleteBillingGroup";
    const METHOD: &'static str = "DELETE";
    const PATH: &'static str = "/billing-groups/{billingGroupName}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::billing_group(call.scope, input.billing_group_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let name = &input.billing_group_name;
        let Some(record) = call.store().billing_group(call.scope, name).await? else { return Ok(Nothing {}) };
        may_delete(record.version, input.expected_version).map_err(|conflict| version_conflict(name, conflict))?;

        let mut batch = Batch::new();
        batch.delete_billing_group(&record);
        batch.delete_tags(&Arn::billing_group(call.scope, name.clone()));
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
