//! ListPolicyPrincipals: the older form of ListTargetsForPolicy, which tells of certificates only.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::PolicyName;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use super::policy_attachment::certificates_of;
use crate::page::PageRequest;

/// The operation.
pub struct ListPolicyPrincipals;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    policy_name: PolicyName,
    page_size: Option<u32>,
    marker: Option<String>,
    #[serde(default)]
    ascending_order: bool,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    principals: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

impl Operation for ListPolicyPrincipals {
    const NAME: &'static str = "ListPolicyPrincipals";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/policy-principals";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::policy(call.scope, input.policy_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let request = PageRequest::new(&input.marker, input.page_size, input.ascending_order);
        let (principals, next_marker) = certificates_of(call, &input.policy_name, request).await?;
        Ok(Output { principals, next_marker })
    }
}
