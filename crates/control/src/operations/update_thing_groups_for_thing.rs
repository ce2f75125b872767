//! UpdateThingGroupsForThing: takes a thing out of groups and puts it into others, all or nothing.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::limits;
use gatehouse_domain::name::ThingName;
use serde::Deserialize;

use super::thing_group::change_groups;
use crate::call::Call;
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
        let most = limits::THING_GROUPS_PER_THING;
        if add.len() > most || remove.len() > most {
            return Err(Error::invalid(format!("at most {most} groups can be added and {most} removed at once")));
        }
        if let Some(both) = add.iter().find(|name| remove.contains(name)) {
            return Err(Error::invalid(format!("thing group {both} is to be added and removed: say one of them")));
        }
        change_groups(call, thing_name, remove, add).await?;
        Ok(Nothing {})
    }
}
