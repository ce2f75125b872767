//! UpdateThingGroupsForThing: takes a thing out of groups and puts it into others, all or nothing.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing_group::check_move;
use serde::Deserialize;

use super::thing_group::change_groups;
use crate::call::Call;
use crate::door::authorize::authorize;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct UpdateThingGroupsForThing;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_name: Option<ThingName>,
    #[serde(default)]
    thing_groups_to_add: Vec<ThingName>,
    #[serde(default)]
    thing_groups_to_remove: Vec<ThingName>,
    /// Thing groups by query do not exist here, so there is none that the thing could leave.
    #[serde(default, rename = "overrideDynamicGroups")]
    _override_dynamic_groups: bool,
}

impl Operation for UpdateThingGroupsForThing {
    const NAME: &'static str = "UpdateThingGroupsForThing";
    const METHOD: &'static str = "PUT";
    const PATH: &'static str = "/thing-groups/updateThingGroupsForThing";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        let name = input.thing_name.clone();
        name.map_or_else(|| "*".to_owned(), |name| Arn::thing(call.scope, name).to_string())
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let thing_name = input.thing_name.as_ref().ok_or_else(|| Error::invalid("name a thing: give its thingName"))?;
        let (add, remove) = (&input.thing_groups_to_add, &input.thing_groups_to_remove);
        check_move(remove, add).map_err(|refusal| Error::invalid(refusal.to_string()))?;
        // As for entering and leaving alone: who has a thing in a group gives it the group's policies.
        for group in remove.iter().chain(add) {
            authorize(call, "iot:UpdateThingGroupsForThing", &Arn::thing_group(call.scope, group.clone()).to_string())?;
        }
        change_groups(call, thing_name, remove, add).await?;
        Ok(Nothing {})
    }
}
