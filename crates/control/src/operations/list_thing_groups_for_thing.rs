//! ListThingGroupsForThing: the groups that a thing is in, by name.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use gatehouse_store::Page;
use serde::{Deserialize, Serialize};

use super::thing_group::GroupNameAndArn;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{PageRequest, page_of};
use crate::wire::unknown_thing;

/// The operation.
pub struct ListThingGroupsForThing;

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
    thing_groups: Vec<GroupNameAndArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Operation for ListThingGroupsForThing {
    const NAME: &'static str = "ListThingGroupsForThing";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/things/{thingName}/thing-groups";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::thing(call.scope, input.thing_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.thing_name;
        let memberships = call.store().memberships(call.scope, name).await?.ok_or_else(|| unknown_thing(name))?;
        let request = PageRequest { marker: input.next_token.as_deref(), size: input.max_results, is_ascending: true };
        // They are ten at most, and come all at once.
        let read = async |page: Page<ThingName>| Ok(page_of(memberships.groups, &page, |group| &group.name));
        let (groups, next_token) = call.pager().page(request, read, |group| group.name.clone()).await?;
        let thing_groups = groups.into_iter().map(|group| GroupNameAndArn::new(call.scope, group.name)).collect();
        Ok(Output { thing_groups, next_token })
    }
}
