//! ListPrincipalThingsV2: the things that a certificate is attached to, each with the type of its attachment.

use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing::ThingPrincipalType;
use serde::{Deserialize, Serialize};

use super::thing_attachment::things_of;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;
use crate::wire::canonical_arn;

/// The operation.
pub struct ListPrincipalThingsV2;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    principal: String,
    thing_principal_type: Option<ThingPrincipalType>,
    next_token: Option<String>,
    max_results: Option<u32>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    principal_thing_objects: Vec<PrincipalThingObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PrincipalThingObject {
    thing_name: ThingName,
    thing_principal_type: ThingPrincipalType,
}

impl Operation for ListPrincipalThingsV2 {
    const NAME: &'static str = "ListPrincipalThingsV2";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/principals/things-v2";
    type Input = Input;
    type Output = Output;

    fn resource(_call: &Call, input: &Input) -> String {
        canonical_arn(&input.principal)
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let request = PageRequest { marker: input.next_token.as_deref(), size: input.max_results, is_ascending: true };
        let (attachments, next_token) = things_of(call, &input.principal, input.thing_principal_type, request).await?;
        let principal_thing_objects = attachments
            .into_iter()
            .map(|attachment| PrincipalThingObject {
                thing_name: attachment.thing_name,
                thing_principal_type: ThingPrincipalType::of(attachment.exclusive),
            })
            .collect();
        Ok(Output { principal_thing_objects, next_token })
    }
}
