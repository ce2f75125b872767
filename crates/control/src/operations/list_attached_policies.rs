//! ListAttachedPolicies: the policies of a certificate, in the order they were attached, or of a thing group by name.

use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use super::policy_attachment::{attached_to, attached_to_group};
use crate::page::PageRequest;
use crate::wire::{PolicyItem, PolicyTarget, canonical_arn, policy_target};

/// The operation.
pub struct ListAttachedPolicies;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    target: String,
    page_size: Option<u32>,
    marker: Option<String>,
    /// Adds the policies of parent groups; a certificate has none.
    #[serde(default)]
    recursive: bool,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    policies: Vec<PolicyItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

impl Operation for ListAttachedPolicies {
    const NAME: &'static str = "ListAttachedPolicies";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/attached-policies/{target}";
    type Input = Input;
    type Output = Output;

    fn resource(_call: &Call, input: &Input) -> String {
        canonical_arn(&input.target)
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let request = PageRequest::new(&input.marker, input.page_size, true);
        let (policies, next_marker) = match policy_target(call, &input.target)? {
            PolicyTarget::Certificate(certificate_id) => attached_to(call, certificate_id, request).await?,
            PolicyTarget::ThingGroup(name) => attached_to_group(call, &name, input.recursive, request).await?,
        };
        Ok(Output { policies, next_marker })
    }
}
