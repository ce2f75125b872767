//! UpdateThing: merges or replaces a thing's attributes, and sets or removes its type.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::event::Event;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing::{AttributeUpdate, Update, UpdateRefusal, newly_associated, update};
use gatehouse_store::{Batch, ThingRecord};
use serde::Deserialize;

use super::thing_configuration::{AttributePayload, configuration};
use super::thing_type::may_associate;
use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::{Nothing, unknown_thing};

/// The operation.
pub struct UpdateThing;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_name: ThingName,
    thing_type_name: Option<ThingName>,
    attribute_payload: Option<AttributePayload>,
    expected_version: Option<i64>,
    #[serde(default)]
    remove_thing_type: bool,
}

impl Operation for UpdateThing {
    const NAME: &'static str = "UpdateThing";
    const METHOD: &'static str = "PATCH";
    const PATH: &'static str = "/things/{thingName}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::thing(call.scope, input.thing_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let name = &input.thing_name;
        let record = call.store().thing(call.scope, name).await?.ok_or_else(|| unknown_thing(name))?;

        let updated =
            update(&configuration(&record, None), record.version, wanted(input)).map_err(|refusal| match refusal {
                UpdateRefusal::Version(conflict) => {
                    Error::refused(Code::VersionConflictException, format!("thing {name}: {conflict}"))
                }
                UpdateRefusal::TypeSetAndRemoved | UpdateRefusal::Attributes(_) => Error::invalid(refusal.to_string()),
            })?;
        let (before, after) = (record.thing_type_name.as_ref(), updated.thing_type_name.as_ref());
        if let Some(type_name) = newly_associated(before, after) {
            may_associate(call, type_name).await?;
        }

        let changed = ThingRecord {
            thing_type_name: updated.thing_type_name,
            attributes: updated.attributes,
            version: record.version.saturating_add(1),
            ..record.clone()
        };
        let mut batch = Batch::new();
        batch.update_thing(&record, changed.thing_type_name.as_ref(), &changed.attributes);
        call.told().await?.thing_updated(&mut batch, &record, &changed).await?;
        batch.announce(Event::Thing { scope: call.scope, thing_name: name.clone() });
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}

fn wanted(input: &Input) -> Update {
    let attributes = input.attribute_payload.as_ref().and_then(|payload| {
        let how = if payload.merge { AttributeUpdate::Merge } else { AttributeUpdate::Replace };
        // A payload that names no attributes asks for no change: nothing is taken away without being told to.
        Some((payload.attributes.clone()?, how))
    });
    Update {
        thing_type_name: input.thing_type_name.clone(),
        remove_thing_type: input.remove_thing_type,
        attributes,
        expected_version: input.expected_version,
    }
}
