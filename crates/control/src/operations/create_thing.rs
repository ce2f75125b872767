//! CreateThing: a named thing with attributes, of a thing type and in a billing group when it is given them. Repeating
//! the call exactly answers the thing that exists.

use std::collections::BTreeMap;

use gatehouse_domain::arn::Arn;
use gatehouse_domain::event::Event;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing::{AttributeUpdate, Configuration, create_again, update_attributes};
use gatehouse_store::{Batch, ThingRecord};
use serde::{Deserialize, Serialize};

use super::billing_group::existing_group;
use super::thing_configuration::{AttributePayload, configuration};
use super::thing_type::may_associate;
use crate::call::Call;
use crate::door::authorize::authorize;
use crate::error::Error;
use crate::operation::Operation;

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
        if let Some(group_name) = &input.billing_group_name {
            let group = Arn::billing_group(call.scope, group_name.clone());
            authorize(call, "iot:CreateThing", &group.to_string())?;
        }
        let wanted = wanted(input)?;
        if let Some(existing) = call.store().thing(call.scope, name).await? {
            let group = call.store().billing_group_of(&existing).await?;
            return match create_again(&configuration(&existing, group.map(|group| group.name)), &wanted) {
                Ok(()) => Ok(output(&arn, existing)),
                Err(refusal) => Err(Error::already_exists(format!("thing {name}: {refusal}"), existing.thing_id, &arn)),
            };
        }
        if let Some(type_name) = &wanted.thing_type_name {
            may_associate(call, type_name).await?;
        }
        let billing_group = match &wanted.billing_group_name {
            Some(group_name) => Some(existing_group(call, group_name).await?),
            None => None,
        };

        let record = ThingRecord {
            thing_type_name: wanted.thing_type_name,
            attributes: wanted.attributes,
            billing_group_id: billing_group.map(|group| group.billing_group_id),
            ..ThingRecord::new(call.scope, name.clone(), call.uuid()?, call.now)
        };
        let mut batch = Batch::new();
        batch.insert_thing(&record);
        call.told().await?.thing_created(&mut batch, &record).await?;
        batch.announce(Event::Thing { scope: call.scope, thing_name: name.clone() });
        call.commit(batch).await?;
        Ok(output(&arn, record))
    }
}

fn wanted(input: &Input) -> Result<Configuration, Error> {
    let given = input.attribute_payload.as_ref().and_then(|payload| payload.attributes.clone()).unwrap_or_default();
    let is_typed = input.thing_type_name.is_some();
    let attributes = update_attributes(&BTreeMap::new(), given, AttributeUpdate::Replace, is_typed)
        .map_err(|refusal| Error::invalid(refusal.to_string()))?;
    Ok(Configuration {
        thing_type_name: input.thing_type_name.clone(),
        attributes,
        billing_group_name: input.billing_group_name.clone(),
    })
}

fn output(arn: &Arn, record: ThingRecord) -> Output {
    Output { thing_name: record.name, thing_arn: arn.to_string(), thing_id: record.thing_id }
}
