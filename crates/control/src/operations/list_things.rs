//! ListThings: the scope's things by name, all or those of a type or with an attribute.

use std::collections::BTreeMap;

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing::searched_attribute;
use gatehouse_store::ThingFilter;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;

/// The operation.
pub struct ListThings;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    next_token: Option<String>,
    max_results: Option<u32>,
    attribute_name: Option<String>,
    attribute_value: Option<String>,
    thing_type_name: Option<ThingName>,
    #[serde(default)]
    use_prefix_attribute_value: bool,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    things: Vec<ThingAttribute>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ThingAttribute {
    thing_name: ThingName,
    #[serde(skip_serializing_if = "Option::is_none")]
    thing_type_name: Option<ThingName>,
    thing_arn: String,
    attributes: BTreeMap<String, String>,
    version: i64,
}

impl Operation for ListThings {
    const NAME: &'static str = "ListThings";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/things";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let attribute = searched_attribute(input.attribute_name.clone(), input.attribute_value.clone())
            .map_err(|refusal| Error::invalid(refusal.to_string()))?;
        let filter = ThingFilter {
            attribute,
            prefix_value: input.use_prefix_attribute_value,
            thing_type_name: input.thing_type_name.clone(),
        };
        let request = PageRequest { marker: input.next_token.as_deref(), size: input.max_results, is_ascending: true };
        let (records, next_token) = call
            .pager()
            .page(request, |page| call.store().things(call.scope, &filter, page), |record| record.name.clone())
            .await?;
        let things = records
            .into_iter()
            .map(|record| ThingAttribute {
                thing_arn: Arn::thing(call.scope, record.name.clone()).to_string(),
                thing_name: record.name,
                thing_type_name: record.thing_type_name,
                attributes: record.attributes,
                version: record.version,
            })
            .collect();
        Ok(Output { things, next_token })
    }
}
