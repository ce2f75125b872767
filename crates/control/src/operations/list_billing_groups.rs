//! ListBillingGroups: the scope's billing groups by name, all or those whose names begin alike.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use gatehouse_store::BillingGroupRecord;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;

/// The operation.
pub struct ListBillingGroups;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    next_token: Option<String>,
    max_results: Option<u32>,
    name_prefix_filter: Option<ThingName>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    billing_groups: Vec<GroupNameAndArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupNameAndArn {
    group_name: ThingName,
    group_arn: String,
}

impl Operation for ListBillingGroups {
    const NAME: &'static str = "ListBillingGroups";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/billing-groups";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let request = PageRequest { marker: input.next_token.as_deref(), size: input.max_results, is_ascending: true };
        let (records, next_token) = call
            .pager()
            .page(
                request,
                |page| call.store().billing_groups(call.scope, input.name_prefix_filter.as_ref(), page),
                |record: &BillingGroupRecord| record.name.clone(),
            )
            .await?;
        let billing_groups = records
            .into_iter()
            .map(|record| GroupNameAndArn {
                group_arn: Arn::billing_group(call.scope, record.name.clone()).to_string(),
                group_name: record.name,
            })
            .collect();
        Ok(Output { billing_groups, next_token })
    }
}
