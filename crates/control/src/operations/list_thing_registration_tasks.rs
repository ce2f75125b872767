//! ListThingRegistrationTasks: the scope's bulk registrations, newest first; those in one state, if it is given.

use gatehouse_domain::registration_task::{TaskId, TaskStatus};
use gatehouse_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;

/// The operation.
pub struct ListThingRegistrationTasks;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    max_results: Option<u32>,
    next_token: Option<String>,
    status: Option<TaskStatus>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    task_ids: Vec<TaskId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Operation for ListThingRegistrationTasks {
    const NAME: &'static str = "ListThingRegistrationTasks";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/thing-registration-tasks";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let request = PageRequest::new(&input.next_token, input.max_results, false);
        let (tasks, next_token) = call
            .pager()
            .page(
                request,
                |page| call.store().registration_tasks(call.scope, input.status, page),
                |(at, task_id): &(Timestamp, TaskId)| (*at, task_id.clone()),
            )
            .await?;
        Ok(Output { task_ids: tasks.into_iter().map(|(_, task_id)| task_id).collect(), next_token })
    }
}
