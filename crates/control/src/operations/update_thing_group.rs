//! UpdateThingGroup: another description, and attributes merged or replaced. What is not given stays.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing_group::{GroupUpdate, GroupUpdateRefusal, update};
use gatehouse_store::{Batch, ThingGroupRecord};
use serde::{Deserialize, Serialize};

use super::thing_group::{ThingGroupProperties, existing_group};
use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;

/// The operation.
pub struct UpdateThingGroup;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_group_name: ThingName,
    thing_group_properties: ThingGroupProperties,
    expected_version: Option<i64>,
}

/// What it answers.
#[derive(Debug, Serialize)]
pub struct Output {
    version: i64,
}

impl Operation for UpdateThingGroup {
    const NAME: &'static str = "UpdateThingGroup";
    const METHOD: &'static str = "PATCH";
    const PATH: &'static str = "/thing-groups/{thingGroupName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::thing_group(call.scope, input.thing_group_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.thing_group_name;
        let record = existing_group(call, name).await?;
        let wanted = GroupUpdate {
            description: input.thing_group_properties.thing_group_description.clone(),
            attributes: input.thing_group_properties.attributes(),
            expected_version: input.expected_version,
        };
        let changed = update(record.configuration(), record.version, wanted).map_err(|refusal| match refusal {
            GroupUpdateRefusal::Version(conflict) => {
                Error::refused(Code::VersionConflictException, format!("thing group {name}: {conflict}"))
            }
            GroupUpdateRefusal::Attributes(_) => Error::invalid(refusal.to_string()),
        })?;

        let mut batch = Batch::new();
        batch.update_thing_group(&record, &changed);
        let version = record.version.saturating_add(1);
        let updated = ThingGroupRecord {
            description: changed.description,
            attributes: changed.attributes,
            version,
            ..record
        };
        call.told().await?.group_updated(&mut batch, &updated).await?;
        call.commit(batch).await?;
        Ok(Output { version })
    }
}
