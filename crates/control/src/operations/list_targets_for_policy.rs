//! ListTargetsForPolicy: what a policy is attached to.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::PolicyName;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use super::policy_attachment::targets_of;
use crate::page::PageRequest;

/// The operation.
pub struct ListTargetsForPolicy;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    policy_name: PolicyName,
    page_size: Option<u32>,
    marker: Option<String>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    targets: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

impl Operation for ListTargetsForPolicy {
    const NAME: &'static str = "ListTargetsForPolicy";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/policy-targets/{policyName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::policy(call.scope, input.policy_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let request = PageRequest::new(&input.marker, input.page_size, true);
        let (targets, next_marker) = targets_of(call, &input.policy_name, request).await?;
        Ok(Output { targets, next_marker })
    }
}
