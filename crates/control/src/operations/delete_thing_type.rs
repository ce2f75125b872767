//! DeleteThingType: removes a type that has been deprecated for five minutes and has no things.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing_type::may_delete;
use gatehouse_store::Batch;
use serde::Deserialize;

use super::thing_type::existing_type;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct DeleteThingType;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_type_name: ThingName,
}

impl Operation for DeleteThingType {
    const NAME: &'static str = "DeleteThingType";
    const METHOD: &'static str = "DELETE";
    const PATH: &'static str = "/thing-types/{thingTypeName}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::thing_type(call.scope, input.thing_type_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let name = &input.thing_type_name;
        let record = existing_type(call, name).await?;
        let has_things = call.store().has_things_of_type(call.scope, name).await?;
        may_delete(record.deprecated_at, has_things, call.now)
            .map_err(|refusal| Error::invalid(format!("thing type {name} cannot be deleted: {refusal}")))?;

        let mut batch = Batch::new();
        batch.delete_thing_type(&record);
        call.told().await?.thing_type_deleted(&mut batch, &record)?;
        batch.delete_tags(&Arn::thing_type(call.scope, name.clone()));
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
