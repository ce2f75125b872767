//! DescribeBillingGroup: one billing group's record.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use serde::{Deserialize, Serialize};

use super::billing_group::{BillingGroupProperties, existing_group};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::EpochSeconds;

/// The operation.
pub struct DescribeBillingGroup;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    billing_group_name: ThingName,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    billing_group_name: ThingName,
    billing_group_id: String,
    billing_group_arn: String,
    version: i64,
    billing_group_properties: BillingGroupProperties,
    billing_group_metadata: BillingGroupMetadata,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BillingGroupMetadata {
    creation_date: EpochSeconds,
}

impl Operation for DescribeBillingGroup {
    const NAME: &'static str = "DescribeBillingGroup";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/billing-groups/{billingGroupName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::billing_group(call.scope, input.billing_group_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let record = existing_group(call, &input.billing_group_name).await?;
        Ok(Output {
            billing_group_arn: Arn::billing_group(call.scope, record.name.clone()).to_string(),
            billing_group_name: record.name,
            billing_group_id: record.billing_group_id,
            version: record.version,
            billing_group_properties: BillingGroupProperties { billing_group_description: record.description },
            billing_group_metadata: BillingGroupMetadata { creation_date: EpochSeconds(record.created_at) },
        })
    }
}
