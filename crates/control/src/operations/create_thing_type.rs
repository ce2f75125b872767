//! CreateThingType: a name for things of one kind. Repeating the call exactly answers the type that exists.

use std::collections::BTreeMap;

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::tag;
use gatehouse_domain::thing_type::{Properties, create_again};
use gatehouse_store::{Batch, ThingTypeRecord};
use serde::{Deserialize, Serialize};

use super::thing_type::GivenThingTypeProperties;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Tag;

/// The operation.
pub struct CreateThingType;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_type_name: ThingName,
    thing_type_properties: Option<GivenThingTypeProperties>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    thing_type_name: ThingName,
    thing_type_arn: String,
    thing_type_id: String,
}

impl Operation for CreateThingType {
    const NAME: &'static str = "CreateThingType";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/thing-types/{thingTypeName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::thing_type(call.scope, input.thing_type_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.thing_type_name;
        let arn = Arn::thing_type(call.scope, name.clone());
        let properties =
            GivenThingTypeProperties::applied_to(input.thing_type_properties.as_ref(), &Properties::default())?;
        let tags = tag::add(&BTreeMap::new(), input.tags.iter().map(Tag::pair))
            .map_err(|refusal| Error::invalid(refusal.to_string()))?;
        if let Some(existing) = call.store().thing_type(call.scope, name).await? {
            let present = call.store().tags(&arn).await?.map(|record| record.tags).unwrap_or_default();
            return match create_again(&existing.properties, &properties, tag::has_all(&present, &tags)) {
                Ok(()) => Ok(output(&arn, existing)),
                Err(refusal) => {
                    Err(Error::already_exists(format!("thing type {name}: {refusal}"), existing.thing_type_id, &arn))
                }
            };
        }

        let record = ThingTypeRecord {
            scope: call.scope,
            name: name.clone(),
            thing_type_id: call.uuid()?,
            properties,
            deprecated_at: None,
            created_at: call.now,
            row_version: 1,
        };
        let mut batch = Batch::new();
        batch.insert_thing_type(&record);
        call.told().await?.thing_type_created(&mut batch, &record)?;
        if !tags.is_empty() {
            batch.set_tags(&arn, &tags, None);
        }
        call.commit(batch).await?;
        Ok(output(&arn, record))
    }
}

fn output(arn: &Arn, record: ThingTypeRecord) -> Output {
    Output { thing_type_name: record.name, thing_type_arn: arn.to_string(), thing_type_id: record.thing_type_id }
}
