//! ListThingsInBillingGroup: the names of the things in a billing group.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use serde::{Deserialize, Serialize};

use super::billing_group::existing_group;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;

/// The operation.
pub struct ListThingsInBillingGroup;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    billing_group_name: ThingName,
    next_token: Option<String>,
    max_results: Option<u32>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    things: Vec<ThingName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Operation for ListThingsInBillingGroup {
    const NAME: &'static str = "ListThingsInBillingGroup";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/billing-groups/{billingGroupName}/things";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::billing_group(call.scope, input.billing_group_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let group = existing_group(call, &input.billing_group_name).await?;
        let request = PageRequest { marker: input.next_token.as_deref(), size: input.max_results, is_ascending: true };
        let (things, next_token) = call
            .pager()
            .page(request, |page| call.store().things_in_billing_group(&group, page), ThingName::clone)
            .await?;
        Ok(Output { things, next_token })
    }
}
