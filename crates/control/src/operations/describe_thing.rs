//! DescribeThing: one thing's record.

use std::collections::BTreeMap;

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::unknown_thing;

/// The operation.
pub struct DescribeThing;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_name: ThingName,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    default_client_id: ThingName,
    thing_name: ThingName,
    thing_id: String,
    thing_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    thing_type_name: Option<ThingName>,
    attributes: BTreeMap<String, String>,
    version: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_group_name: Option<ThingName>,
}

impl Operation for DescribeThing {
    const NAME: &'static str = "DescribeThing";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/things/{thingName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::thing(call.scope, input.thing_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.thing_name;
        let record = call.store().thing(call.scope, name).await?.ok_or_else(|| unknown_thing(name))?;
        let billing_group = call.store().billing_group_of(&record).await?;
        Ok(Output {
            default_client_id: record.name.clone(),
            thing_arn: Arn::thing(call.scope, record.name.clone()).to_string(),
            thing_name: record.name,
            thing_id: record.thing_id,
            thing_type_name: record.thing_type_name,
            attributes: record.attributes,
            version: record.version,
            billing_group_name: billing_group.map(|group| group.name),
        })
    }
}
