//! DeleteThing: removes a thing that has no principals. Deleting what does not exist succeeds.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::event::Event;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing::{DeletionRefusal, may_delete};
use gatehouse_store::Batch;
use serde::Deserialize;

use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct DeleteThing;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_name: ThingName,
    expected_version: Option<i64>,
}

impl Operation for DeleteThing {
    const NAME: &'static str = "DeleteThing";
    const METHOD: &'static str = "DELETE";
    const PATH: &'static str = "/things/{thingName}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::thing(call.scope, input.thing_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let name = &input.thing_name;
        let Some(record) = call.store().thing(call.scope, name).await? else { return Ok(Nothing {}) };

        may_delete(record.version, input.expected_version, record.principal_count).map_err(
            |refusal| match refusal {
                DeletionRefusal::Version(conflict) => {
                    Error::refused(Code::VersionConflictException, format!("thing {name}: {conflict}"))
                }
                DeletionRefusal::PrincipalsAttached => {
                    Error::invalid(format!("Cannot delete. Thing {name} is still attached to one or more principals"))
                }
            },
        )?;

        let mut batch = Batch::new();
        call.told().await?.thing_deleted(&mut batch, &record).await?;
        batch.delete_thing(&record);
        batch.announce(Event::Thing { scope: call.scope, thing_name: name.clone() });
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
