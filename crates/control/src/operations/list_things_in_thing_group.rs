//! ListThingsInThingGroup: the things in a group by name, with `recursive` also those in the groups below it.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use gatehouse_store::Page;
use serde::{Deserialize, Serialize};

use super::thing_group::existing_group;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;

/// The operation.
pub struct ListThingsInThingGroup;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_group_name: ThingName,
    #[serde(default)]
    recursive: bool,
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

impl Operation for ListThingsInThingGroup {
    const NAME: &'static str = "ListThingsInThingGroup";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/thing-groups/{thingGroupName}/things";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::thing_group(call.scope, input.thing_group_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let group = existing_group(call, &input.thing_group_name).await?;
        let request = PageRequest { marker: input.next_token.as_deref(), size: input.max_results, is_ascending: true };
        let read = async |page: Page<ThingName>| {
            if input.recursive && group.child_count > 0 {
                call.store().things_below_group(&group, page).await
            } else {
                call.store().things_in_group(&group, page).await
            }
        };
        let (things, next_token) = call.pager().page(request, read, ThingName::clone).await?;
        Ok(Output { things, next_token })
    }
}
