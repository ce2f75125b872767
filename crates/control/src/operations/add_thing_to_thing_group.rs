//! AddThingToThingGroup: puts a thing into a group. Where it is already, nothing changes.

use gatehouse_domain::name::ThingName;
use serde::Deserialize;

use super::thing_group::{Membership, change_groups};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct AddThingToThingGroup;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_group_name: Option<ThingName>,
    thing_group_arn: Option<String>,
    thing_name: Option<ThingName>,
    thing_arn: Option<String>,
    /// Thing groups by query do not exist here, so there is none that the thing could leave for this one.
    #[serde(default, rename = "overrideDynamicGroups")]
    _override_dynamic_groups: bool,
}

impl Input {
    fn membership(&self) -> Membership {
        Membership {
            thing_group_name: self.thing_group_name.clone(),
            thing_group_arn: self.thing_group_arn.clone(),
            thing_name: self.thing_name.clone(),
            thing_arn: self.thing_arn.clone(),
        }
    }
}

impl Operation for AddThingToThingGroup {
    const NAME: &'static str = "AddThingToThingGroup";
    const METHOD: &'static str = "PUT";
    const PATH: &'static str = "/thing-groups/addThingToThingGroup";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        input.membership().resource(call)
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let (thing_name, group_name) = input.membership().names(call, "iot:AddThingToThingGroup")?;
        change_groups(call, &thing_name, &[], &[group_name]).await?;
        Ok(Nothing {})
    }
}
