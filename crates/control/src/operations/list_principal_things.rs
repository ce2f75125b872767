//! ListPrincipalThings: the things that a certificate is attached to, in whatever way.

use gatehouse_domain::name::ThingName;
use serde::{Deserialize, Serialize};

use super::thing_attachment::things_of;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;
use crate::wire::canonical_arn;

/// The operation.
pub struct ListPrincipalThings;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    principal: String,
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

impl Operation for ListPrincipalThings {
    const NAME: &'static str = "ListPrincipalThings";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/principals/things";
    type Input = Input;
    type Output = Output;

    fn resource(_call: &Call, input: &Input) -> String {
        canonical_arn(&input.principal)
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let request = PageRequest { marker: input.next_token.as_deref(), size: input.max_results, is_ascending: true };
        let (attachments, next_token) = things_of(call, &input.principal, None, request).await?;
        let things = attachments.into_iter().map(|attachment| attachment.thing_name).collect();
        Ok(Output { things, next_token })
    }
}
