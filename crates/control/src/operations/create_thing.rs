//! CreateThing: a named thing with attributes. Repeating the call exactly answers the thing that exists.

use std::collections::BTreeMap;

use gatehouse_domain::arn::Arn;
use gatehouse_domain::event::Event;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing::{AttributeUpdate, Configuration, create_again, update_attributes};
use gatehouse_store::{Batch, ThingRecord};
use serde::{Deserialize, Serialize};

use super::thing_configuration::{AttributePayload, configuration};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::{unknown_billing_group, unknown_thing_type};

/// The operation.
pub struct CreateThing;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_name: ThingName,
    thing_type_name: Option<ThingName>,
    attribute_payload: Option<AttributePayload>,
    billing_group_name: Option<ThingName>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    thing_name: ThingName,
    thing_arn: String,
    thing_id: String,
}

impl Operation for CreateThing {
    const NAME: &'static str = "CreateThing";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/things/{thingName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::thing(call.scope, input.thing_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.thing_name;
        let arn = Arn::thing(call.scope, name.clone());
        // Thing types and billing groups do not exist in this release, so every name of one is unknown.
        if let Some(thing_type_name) = &input.thing_type_name {
            return Err(unknown_thing_type(thing_type_name));
        }
        if let Some(billing_group_name) = &input.billing_group_name {
            return Err(unknown_billing_group(billing_group_name));
        }
        let existing = call.store().thing(call.scope, name).await?;

        let given = input.attribute_payload.as_ref().and_then(|payload| payload.attributes.clone());
        let attributes =
            update_attributes(&BTreeMap::new(), given.unwrap_or_default(), AttributeUpdate::Replace, false)
                .map_err(|refusal| Error::invalid(refusal.to_string()))?;
        let wanted = Configuration { thing_type_name: None, attributes, billing_group_name: None };
        if let Some(existing) = existing {
            return match create_again(&configuration(&existing), &wanted) {
                Ok(()) => Ok(output(&arn, existing)),
                Err(refusal) => Err(Error::already_exists(format!("thing {name}: {refusal}"), existing.thing_id, &arn)),
            };
        }

        let record = ThingRecord {
            scope: call.scope,
            name: name.clone(),
            thing_id: call.uuid()?,
            thing_type_name: wanted.thing_type_name,
            attributes: wanted.attributes,
            billing_group_id: None,
            version: 1,
            principal_count: 0,
            created_at: call.now,
        };
        let mut batch = Batch::new();
        batch.insert_thing(&record);
        batch.announce(Event::Thing { scope: call.scope, thing_name: name.clone() });
        call.commit(batch).await?;
        Ok(output(&arn, record))
    }
}

fn output(arn: &Arn, record: ThingRecord) -> Output {
    Output { thing_name: record.name, thing_arn: arn.to_string(), thing_id: record.thing_id }
}
