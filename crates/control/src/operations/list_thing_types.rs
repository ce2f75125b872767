//! ListThingTypes: the scope's thing types by name, all or the one that is named.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use gatehouse_store::{Page, ThingTypeRecord};
use serde::{Deserialize, Serialize};

use super::thing_type::{ThingTypeMetadata, ThingTypeProperties};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;

/// The operation.
pub struct ListThingTypes;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    next_token: Option<String>,
    max_results: Option<u32>,
    thing_type_name: Option<ThingName>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    thing_types: Vec<ThingTypeDefinition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ThingTypeDefinition {
    thing_type_name: ThingName,
    thing_type_arn: String,
    thing_type_properties: ThingTypeProperties,
    thing_type_metadata: ThingTypeMetadata,
}

impl Operation for ListThingTypes {
    const NAME: &'static str = "ListThingTypes";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/thing-types";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let request = PageRequest { marker: input.next_token.as_deref(), size: input.max_results, is_ascending: true };
        let (records, next_token) = call
            .pager()
            .page(
                request,
                |page| read(call, input.thing_type_name.as_ref(), page),
                |record: &ThingTypeRecord| record.name.clone(),
            )
            .await?;
        let thing_types = records
            .into_iter()
            .map(|record| ThingTypeDefinition {
                thing_type_metadata: ThingTypeMetadata::of(&record),
                thing_type_arn: Arn::thing_type(call.scope, record.name.clone()).to_string(),
                thing_type_name: record.name,
                thing_type_properties: record.properties.into(),
            })
            .collect();
        Ok(Output { thing_types, next_token })
    }
}

async fn read(
    call: &Call,
    name: Option<&ThingName>,
    page: Page<ThingName>,
) -> Result<Vec<ThingTypeRecord>, gatehouse_store::Error> {
    let Some(name) = name else { return call.store().thing_types(call.scope, page).await };
    // A token of the whole list may lie behind it.
    let found = call.store().thing_type(call.scope, name).await?;
    Ok(found.into_iter().filter(|record| page.after.as_ref().is_none_or(|after| record.name > *after)).collect())
}
