//! RemoveThingFromThingGroup: takes a thing out of a group. Where it is not, nothing changes.

use gatehouse_domain::name::ThingName;
use serde::Deserialize;

use super::thing_group::{change_groups, group_resource, named_group, named_thing};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct RemoveThingFromThingGroup;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_group_name: Option<ThingName>,
    thing_group_arn: Option<String>,
    thing_name: Option<ThingName>,
    thing_arn: Option<String>,
}

impl Operation for RemoveThingFromThingGroup {
    const NAME: &'static str = "RemoveThingFromThingGroup";
    const METHOD: &'static str = "PUT";
    const PATH: &'static str = "/thing-groups/removeThingFromThingGroup";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        group_resource(call, input.thing_group_name.as_ref(), input.thing_group_arn.as_deref())
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let thing_name = named_thing(call, input.thing_name.as_ref(), input.thing_arn.as_deref())?;
        let group_name = named_group(call, input.thing_group_name.as_ref(), input.thing_group_arn.as_deref())?;
        change_groups(call, &thing_name, &[group_name], &[]).await?;
        Ok(Nothing {})
    }
}
