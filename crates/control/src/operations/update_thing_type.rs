//! UpdateThingType: other properties for a type that is in use. What is not named stays as it is.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing_type::in_use;
use gatehouse_store::{Batch, ThingTypeRecord};
use serde::Deserialize;

use super::thing_type::{GivenThingTypeProperties, existing_type};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct UpdateThingType;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_type_name: ThingName,
    thing_type_properties: Option<GivenThingTypeProperties>,
}

impl Operation for UpdateThingType {
    const NAME: &'static str = "UpdateThingType";
    const METHOD: &'static str = "PATCH";
    const PATH: &'static str = "/thing-types/{thingTypeName}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::thing_type(call.scope, input.thing_type_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let current = existing_type(call, &input.thing_type_name).await?;
        in_use(&current.name, current.deprecated_at).map_err(|refusal| Error::invalid(refusal.to_string()))?;
        let properties =
            GivenThingTypeProperties::applied_to(input.thing_type_properties.as_ref(), &current.properties)?;
        if properties == current.properties {
            return Ok(Nothing {});
        }

        let changed = ThingTypeRecord { properties, ..current.clone() };
        let mut batch = Batch::new();
        batch.update_thing_type(&current, &changed);
        call.told().await?.thing_type_updated(&mut batch, &changed)?;
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
