//! RemoveThingFromThingGroup: takes a thing out of a group. Where it is not, nothing changes.

use gatehouse_domain::name::ThingName;
use serde::Deserialize;

use super::thing_group::{Membership, change_groups};
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

impl Input {
    fn membership(&self) -> Membership<'_> {
        Membership {
            group_name: self.thing_group_name.as_ref(),
            group_arn: self.thing_group_arn.as_deref(),
            thing_name: self.thing_name.as_ref(),
            thing_arn: self.thing_arn.as_deref(),
        }
    }
}

impl Operation for RemoveThingFromThingGroup {
    const NAME: &'static str = "RemoveThingFromThingGroup";
    const METHOD: &'static str = "PUT";
    const PATH: &'static str = "/thing-groups/removeThingFromThingGroup";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        input.membership().resource(call)
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let (thing_name, group_name) = input.membership().names(call, "iot:RemoveThingFromThingGroup")?;
        change_groups(call, &thing_name, &[group_name], &[]).await?;
        Ok(Nothing {})
    }
}
