//! ListThingPrincipals: the certificates attached to a thing, of whatever type.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use serde::{Deserialize, Serialize};

use super::thing_attachment::principals_of;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;

/// The operation.
pub struct ListThingPrincipals;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_name: ThingName,
    next_token: Option<String>,
    max_results: Option<u32>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    principals: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Operation for ListThingPrincipals {
    const NAME: &'static str = "ListThingPrincipals";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/things/{thingName}/principals";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::thing(call.scope, input.thing_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let request = PageRequest { marker: input.next_token.as_deref(), size: input.max_results, is_ascending: true };
        let (attachments, next_token) = principals_of(call, &input.thing_name, None, request).await?;
        let principals = attachments
            .into_iter()
            .map(|attachment| Arn::certificate(call.scope, attachment.certificate_id).to_string())
            .collect();
        Ok(Output { principals, next_token })
    }
}
