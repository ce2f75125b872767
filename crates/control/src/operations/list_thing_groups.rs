//! ListThingGroups: the scope's groups by name; all, or those in a group.
//!
//! With `parentGroup`, the groups directly in it, or with `recursive` all below it. Without, all groups, or with
//! `recursive` said to be false the roots.

use gatehouse_domain::name::ThingName;
use gatehouse_store::{GroupPosition, ThingGroupFilter};
use serde::{Deserialize, Serialize};

use super::thing_group::{GroupNameAndArn, existing_group};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;

/// The operation.
pub struct ListThingGroups;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    next_token: Option<String>,
    max_results: Option<u32>,
    parent_group: Option<ThingName>,
    name_prefix_filter: Option<ThingName>,
    recursive: Option<bool>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    thing_groups: Vec<GroupNameAndArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Operation for ListThingGroups {
    const NAME: &'static str = "ListThingGroups";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/thing-groups";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let position = match (&input.parent_group, input.recursive) {
            (Some(parent), recursive) => {
                let parent = existing_group(call, parent).await?.name;
                if recursive == Some(true) { GroupPosition::Below(parent) } else { GroupPosition::ChildOf(parent) }
            }
            (None, Some(false)) => GroupPosition::Root,
            (None, _) => GroupPosition::Any,
        };
        let filter = ThingGroupFilter { position, name_prefix: input.name_prefix_filter.clone() };
        let request = PageRequest { marker: input.next_token.as_deref(), size: input.max_results, is_ascending: true };
        let (groups, next_token) = call
            .pager()
            .page(request, |page| call.store().thing_groups(call.scope, &filter, page), |group| group.name.clone())
            .await?;
        let thing_groups = groups.into_iter().map(|group| GroupNameAndArn::new(call.scope, group.name)).collect();
        Ok(Output { thing_groups, next_token })
    }
}
