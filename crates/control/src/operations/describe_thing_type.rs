//! DescribeThingType: one thing type's record.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use serde::{Deserialize, Serialize};

use super::thing_type::{ThingTypeMetadata, ThingTypeProperties, existing_type};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;

/// The operation.
pub struct DescribeThingType;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_type_name: ThingName,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    thing_type_name: ThingName,
    thing_type_id: String,
    thing_type_arn: String,
    thing_type_properties: ThingTypeProperties,
    thing_type_metadata: ThingTypeMetadata,
}

impl Operation for DescribeThingType {
    const NAME: &'static str = "DescribeThingType";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/thing-types/{thingTypeName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::thing_type(call.scope, input.thing_type_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let record = existing_type(call, &input.thing_type_name).await?;
        Ok(Output {
            thing_type_metadata: ThingTypeMetadata::of(&record),
            thing_type_arn: Arn::thing_type(call.scope, record.name.clone()).to_string(),
            thing_type_name: record.name,
            thing_type_id: record.thing_type_id,
            thing_type_properties: record.properties.into(),
        })
    }
}
