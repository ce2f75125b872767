//! DescribeThingGroup: a group and where it lies.

use std::collections::BTreeMap;

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use serde::{Deserialize, Serialize};

use super::thing_group::{GroupNameAndArn, existing_group};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::EpochSeconds;

/// The operation.
pub struct DescribeThingGroup;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_group_name: ThingName,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    thing_group_name: ThingName,
    thing_group_id: String,
    thing_group_arn: String,
    version: i64,
    thing_group_properties: Properties,
    thing_group_metadata: Metadata,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    #[serde(skip_serializing_if = "Option::is_none")]
    thing_group_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribute_payload: Option<Attributes>,
}

#[derive(Debug, Serialize)]
struct Attributes {
    attributes: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_group_name: Option<ThingName>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    root_to_parent_thing_groups: Vec<GroupNameAndArn>,
    creation_date: EpochSeconds,
}

impl Operation for DescribeThingGroup {
    const NAME: &'static str = "DescribeThingGroup";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/thing-groups/{thingGroupName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::thing_group(call.scope, input.thing_group_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let record = existing_group(call, &input.thing_group_name).await?;
        let attributes = record.attributes;
        Ok(Output {
            thing_group_arn: Arn::thing_group(call.scope, record.name.clone()).to_string(),
            thing_group_name: record.name,
            thing_group_id: record.group_id,
            version: record.version,
            thing_group_properties: Properties {
                thing_group_description: record.description,
                attribute_payload: (!attributes.is_empty()).then_some(Attributes { attributes }),
            },
            thing_group_metadata: Metadata {
                parent_group_name: record.ancestors.last().cloned(),
                root_to_parent_thing_groups: record
                    .ancestors
                    .into_iter()
                    .map(|name| GroupNameAndArn::new(call.scope, name))
                    .collect(),
                creation_date: EpochSeconds(record.created_at),
            },
        })
    }
}
