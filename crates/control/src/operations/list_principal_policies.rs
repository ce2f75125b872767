//! ListPrincipalPolicies: the older form of ListAttachedPolicies.

use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use super::policy_attachment::attached_to;
use crate::page::PageRequest;
use crate::wire::{PolicyItem, canonical_arn, certificate_principal};

/// The operation.
pub struct ListPrincipalPolicies;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    principal: String,
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

impl Operation for ListPrincipalPolicies {
    const NAME: &'static str = "ListPrincipalPolicies";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/principal-policies";
    type Input = Input;
    type Output = Output;

    fn resource(_call: &Call, input: &Input) -> String {
        canonical_arn(&input.principal)
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let certificate_id = certificate_principal(call, &input.principal)?;
        let request = PageRequest::new(&input.marker, input.page_size, input.ascending_order);
        let (policies, next_marker) = attached_to(call, certificate_id, request).await?;
        Ok(Output { policies, next_marker })
    }
}
