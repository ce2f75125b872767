//! RemoveThingFromThingGroup: takes a thing out of a group. Where it is not, nothing changes.

use super::thing_group::{Membership, change_groups};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct RemoveThingFromThingGroup;

impl Operation for RemoveThingFromThingGroup {
    const NAME: &'static str = "RemoveThingFromThingGroup";
    const METHOD: &'static str = "PUT";
    const PATH: &'static str = "/thing-groups/removeThingFromThingGroup";
    type Input = Membership;
    type Output = Nothing;

    fn resource(call: &Call, input: &Membership) -> String {
        input.resource(call)
    }

    async fn run(call: &Call, input: &Membership) -> Result<Nothing, Error> {
        let (thing_name, group_name) = input.names(call, "iot:RemoveThingFromThingGroup")?;
        change_groups(call, &thing_name, &[group_name], &[]).await?;
        Ok(Nothing {})
    }
}
