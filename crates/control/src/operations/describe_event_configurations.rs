//! DescribeEventConfigurations: which registry events are published.

use std::collections::BTreeMap;

use gatehouse_domain::event_configuration::EventType;
use serde::{Deserialize, Serialize};

use super::event_configuration::Switch;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::EpochSeconds;

/// The operation.
pub struct DescribeEventConfigurations;

/// What it takes.
#[derive(Debug, Deserialize)]
pub struct Input {}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    event_configurations: BTreeMap<EventType, Switch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creation_date: Option<EpochSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified_date: Option<EpochSeconds>,
}

impl Operation for DescribeEventConfigurations {
    const NAME: &'static str = "DescribeEventConfigurations";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/event-configurations";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, _: &Input) -> Result<Output, Error> {
        let record = call.store().event_configurations(call.scope).await?;
        let is_enabled =
            |event_type| record.as_ref().is_some_and(|record| record.configurations.is_enabled(event_type));
        let switch = |event_type| (event_type, Switch { enabled: Some(is_enabled(event_type)) });
        Ok(Output {
            event_configurations: EventType::ALL.into_iter().map(switch).collect(),
            creation_date: record.as_ref().map(|record| EpochSeconds(record.created_at)),
            last_modified_date: record.as_ref().map(|record| EpochSeconds(record.last_modified_at)),
        })
    }
}
