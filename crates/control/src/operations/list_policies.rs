//! ListPolicies: the scope's policies by creation date, newest first unless asked otherwise.

use gatehouse_domain::name::PolicyName;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{PageRequest, TimeCursor};
use crate::wire::PolicyItem;

/// The operation.
pub struct ListPolicies;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    page_size: Option<u32>,
    marker: Option<String>,
    #[serde(default)]
    ascending_order: bool,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    policies: Vec<PolicyItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

impl Operation for ListPolicies {
    const NAME: &'static str = "ListPolicies";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/policies";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let request = PageRequest::new(&input.marker, input.page_size, input.ascending_order);
        let (policies, next_marker) = call
            .pager()
            .page(
                request,
                |page| call.store().policies(call.scope, page),
                |policy| -> TimeCursor<PolicyName> { (policy.created_at, policy.name.clone()) },
            )
            .await?;
        let policies = policies.into_iter().map(|policy| PolicyItem::new(call.scope, policy.name)).collect();
        Ok(Output { policies, next_marker })
    }
}
