//! UpdateEventConfigurations: which registry events are published, from the next change on. What is not named stays.

use std::collections::BTreeMap;

use gatehouse_domain::event_configuration::{EventType, update};
use gatehouse_store::{Batch, EventConfigurationsRecord};
use serde::Deserialize;

use super::event_configuration::Switch;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct UpdateEventConfigurations;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    #[serde(default)]
    event_configurations: BTreeMap<EventType, Switch>,
}

impl Operation for UpdateEventConfigurations {
    const NAME: &'static str = "UpdateEventConfigurations";
    const METHOD: &'static str = "PATCH";
    const PATH: &'static str = "/event-configurations";
    type Input = Input;
    type Output = Nothing;

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let given = input.event_configurations.iter().map(|(event_type, switch)| (*event_type, switch.enabled)).collect();
        let current = call.store().event_configurations(call.scope).await?;
        let present = current.as_ref().map(|record| record.configurations.clone()).unwrap_or_default();
        let changed = update(&present, &given).map_err(|refusal| Error::invalid(refusal.to_string()))?;
        if changed == present {
            return Ok(Nothing {});
        }

        let mut batch = Batch::new();
        match &current {
            Some(current) => batch.update_event_configurations(current, &changed, call.now),
            None => batch.insert_event_configurations(&EventConfigurationsRecord {
                scope: call.scope,
                configurations: changed,
                created_at: call.now,
                last_modified_at: call.now,
                row_version: 1,
            }),
        }
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
