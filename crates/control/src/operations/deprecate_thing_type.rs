//! DeprecateThingType: the type takes no more things and keeps those it has, until that is undone.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing_type::deprecate;
use gatehouse_store::{Batch, ThingTypeRecord};
use serde::Deserialize;

use super::thing_type::existing_type;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct DeprecateThingType;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_type_name: ThingName,
    #[serde(default)]
    undo_deprecate: bool,
}

impl Operation for DeprecateThingType {
    const NAME: &'static str = "DeprecateThingType";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/thing-types/{thingTypeName}/deprecate";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::thing_type(call.scope, input.thing_type_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let current = existing_type(call, &input.thing_type_name).await?;
        let deprecated_at = deprecate(current.deprecated_at, input.undo_deprecate, call.now);
        if deprecated_at == current.deprecated_at {
            return Ok(Nothing {});
        }

        let changed = ThingTypeRecord { deprecated_at, ..current.clone() };
        let mut batch = Batch::new();
        batch.update_thing_type(&current, &changed);
        call.told().await?.thing_type_updated(&mut batch, &changed)?;
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
