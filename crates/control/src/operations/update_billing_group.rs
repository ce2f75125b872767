//! UpdateBillingGroup: another description. One that is not named stays; an empty one goes.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::billing_group::update;
use gatehouse_domain::name::ThingName;
use gatehouse_store::Batch;
use serde::{Deserialize, Serialize};

use super::billing_group::{BillingGroupProperties, existing_group, version_conflict};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;

/// The operation.
pub struct UpdateBillingGroup;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    billing_group_name: ThingName,
    billing_group_properties: BillingGroupProperties,
    expected_version: Option<i64>,
}

/// What it answers.
#[derive(Debug, Serialize)]
pub struct Output {
    version: i64,
}

impl Operation for UpdateBillingGroup {
    const NAME: &'static str = "UpdateBillingGroup";
    const METHOD: &'static str = "PATCH";
    const PATH: &'static str = "/billing-groups/{billingGroupName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::billing_group(call.scope, input.billing_group_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.billing_group_name;
        let record = existing_group(call, name).await?;
        let given = input.billing_group_properties.billing_group_description.clone();
        let description = update(record.description.as_deref(), record.version, given, input.expected_version)
            .map_err(|conflict| version_conflict(name, conflict))?;

        let mut batch = Batch::new();
        batch.update_billing_group(&record, description.as_deref());
        call.commit(batch).await?;
        Ok(Output { version: record.version.saturating_add(1) })
    }
}
