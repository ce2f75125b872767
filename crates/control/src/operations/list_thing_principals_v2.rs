//! ListThingPrincipalsV2: the certificates attached to a thing, each with the type of its attachment.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing::ThingPrincipalType;
use serde::{Deserialize, Serialize};

use super::thing_attachment::principals_of;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;

/// The operation.
pub struct ListThingPrincipalsV2;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_name: ThingName,
    thing_principal_type: Option<ThingPrincipalType>,
    next_token: Option<String>,
    max_results: Option<u32>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    thing_principal_objects: Vec<ThingPrincipalObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ThingPrincipalObject {
    principal: String,
    thing_principal_type: ThingPrincipalType,
}

impl Operation for ListThingPrincipalsV2 {
    const NAME: &'static str = "ListThingPrincipalsV2";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/things/{thingName}/principals-v2";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::thing(call.scope, input.thing_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let request = PageRequest { marker: input.next_token.as_deref(), size: input.max_results, is_ascending: true };
        let (attachments, next_token) =
            principals_of(call, &input.thing_name, input.thing_principal_type, request).await?;
        let thing_principal_objects = attachments
            .into_iter()
            .map(|attachment| ThingPrincipalObject {
                principal: Arn::certificate(call.scope, attachment.certificate_id).to_string(),
                thing_principal_type: ThingPrincipalType::of(attachment.exclusive),
            })
            .collect();
        Ok(Output { thing_principal_objects, next_token })
    }
}
