//! StopThingRegistrationTask: has a bulk registration end where it is. Lines under way come to their end, and what is done
//! stays.

use gatehouse_domain::registration_task::{StopOutcome, stop};
use gatehouse_store::Batch;
use serde::Deserialize;

use super::registration_task::existing;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct StopThingRegistrationTask;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    task_id: String,
}

impl Operation for StopThingRegistrationTask {
    const NAME: &'static str = "StopThingRegistrationTask";
    const METHOD: &'static str = "PUT";
    const PATH: &'static str = "/thing-registration-tasks/{taskId}/cancel";
    type Input = Input;
    type Output = Nothing;

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let task = existing(call, &input.task_id).await?;
        let outcome = stop(&task.task_id, task.status).map_err(|refusal| Error::invalid(refusal.to_string()))?;
        match outcome {
            StopOutcome::Unchanged => {}
            StopOutcome::Begins => {
                let mut batch = Batch::new();
                batch.stop_registration_task(&task.task_id, call.now);
                call.commit(batch).await?;
                call.house.bulk.wake();
            }
        }
        Ok(Nothing {})
    }
}
