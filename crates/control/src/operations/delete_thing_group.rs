//! DeleteThingGroup: removes a group that no other lies in. Its things leave it and its policies are detached. Deleting
//! what does not exist succeeds.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::event::Event;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing_group::{GroupDeletionRefusal, may_delete};
use gatehouse_store::Batch;
use serde::Deserialize;

use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct DeleteThingGroup;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_group_name: ThingName,
    expected_version: Option<i64>,
}

impl Operation for DeleteThingGroup {
    const NAME: &'static str = "DeleteThingGroup";
    const METHOD: &'static str = "DELETE";
    const PATH: &'static str = "/thing-groups/{thingGroupName}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::thing_group(call.scope, input.thing_group_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let name = &input.thing_group_name;
        let Some(record) = call.store().thing_group(call.scope, name).await? else { return Ok(Nothing {}) };
        may_delete(record.version, input.expected_version, record.child_count).map_err(|refusal| match refusal {
            GroupDeletionRefusal::Version(conflict) => {
                Error::refused(Code::VersionConflictException, format!("thing group {name}: {conflict}"))
            }
            GroupDeletionRefusal::HasChildren => Error::invalid(format!("thing group {name}: {refusal}")),
        })?;

        let mut batch = Batch::new();
        batch.delete_thing_group(&record);
        call.told().await?.group_deleted(&mut batch, &record).await?;
        batch.delete_tags(&Arn::thing_group(call.scope, name.clone()));
        batch.announce(Event::ThingGroup { scope: call.scope, group_name: name.clone() });
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
