//! DescribeThingRegistrationTask: what a bulk registration is to do, and how far it has come.

use gatehouse_domain::registration_task::input::{BucketName, ObjectKey};
use gatehouse_domain::registration_task::{TaskId, TaskStatus, percentage};
use serde::{Deserialize, Serialize};

use super::registration_task::existing;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::EpochSeconds;

/// The operation.
pub struct DescribeThingRegistrationTask;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    task_id: String,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    task_id: TaskId,
    creation_date: EpochSeconds,
    last_modified_date: EpochSeconds,
    template_body: String,
    input_file_bucket: BucketName,
    input_file_key: ObjectKey,
    role_arn: String,
    status: TaskStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    success_count: u64,
    failure_count: u64,
    percentage_progress: u8,
}

impl Operation for DescribeThingRegistrationTask {
    const NAME: &'static str = "DescribeThingRegistrationTask";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/thing-registration-tasks/{taskId}";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let task = existing(call, &input.task_id).await?;
        let length = task.input_file.map(|file| file.length);
        Ok(Output {
            task_id: task.task_id,
            creation_date: EpochSeconds(task.created_at),
            last_modified_date: EpochSeconds(task.last_modified_at),
            template_body: task.template_body,
            input_file_bucket: task.bucket,
            input_file_key: task.key,
            role_arn: task.role_arn.as_str().to_owned(),
            status: task.status,
            message: task.message,
            success_count: task.progress.successes,
            failure_count: task.progress.failures,
            percentage_progress: percentage(task.status, task.progress.position, length),
        })
    }
}
