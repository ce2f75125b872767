//! StartThingRegistrationTask: begins a bulk registration, which is carried out behind the caller's back with the rights of
//! the role. Whoever starts one hands those rights out, so the caller's policy must allow `iam:PassRole`.

use gatehouse_domain::provisioning::{Template, TemplateKind};
use gatehouse_domain::registration_task::input::{BucketName, ObjectKey};
use gatehouse_domain::registration_task::{Progress, TaskId, TaskRefusal, TaskStatus, role, start};
use gatehouse_store::{Batch, RegistrationTaskRecord};
use serde::{Deserialize, Serialize};

use crate::bulk::{may_read, unknown_bucket};
use crate::call::Call;
use crate::door::authorize::authorize;
use crate::error::Error;
use crate::operation::Operation;

/// The operation.
pub struct StartThingRegistrationTask;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    template_body: String,
    input_file_bucket: String,
    input_file_key: String,
    role_arn: String,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    task_id: TaskId,
}

impl Operation for StartThingRegistrationTask {
    const NAME: &'static str = "StartThingRegistrationTask";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/thing-registration-tasks";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        Template::parse(&input.template_body, TemplateKind::Registration)
            .map_err(|refusal| Error::invalid(format!("the provisioning template is refused: {refusal}")))?;
        let bucket: BucketName =
            input.input_file_bucket.parse().map_err(|refusal| Error::invalid(format!("inputFileBucket: {refusal}")))?;
        let key: ObjectKey =
            input.input_file_key.parse().map_err(|refusal| Error::invalid(format!("inputFileKey: {refusal}")))?;
        let invalid = |refusal: TaskRefusal| Error::invalid(refusal.to_string());
        let role_arn = role(call.scope, &input.role_arn).map_err(invalid)?;
        authorize(call, "iam:PassRole", role_arn.as_str())?;
        call.house
            .bulk
            .bucket(call.scope.account, &bucket)
            .ok_or_else(|| Error::invalid(format!("inputFileBucket: {}", unknown_bucket(&bucket))))?;
        may_read(&call.house, call.scope, &role_arn, &bucket, &key, call.now)
            .map_err(|refusal| Error::invalid(format!("roleArn: {refusal}")))?;
        start(call.store().registration_task_under_way(call.scope).await?).map_err(invalid)?;

        let task_id: TaskId = call.uuid()?.parse().map_err(|error| Error::Internal(format!("{error}")))?;
        let mut batch = Batch::new();
        batch.insert_registration_task(&RegistrationTaskRecord {
            task_id: task_id.clone(),
            scope: call.scope,
            status: TaskStatus::InProgress,
            template_body: input.template_body.clone(),
            bucket,
            key,
            role_arn,
            input_file: None,
            progress: Progress::default(),
            message: None,
            turn: String::new(),
            turn_until: call.now,
            created_at: call.now,
            last_modified_at: call.now,
            ended_at: None,
        });
        call.commit(batch).await?;
        call.house.bulk.wake();
        Ok(Output { task_id })
    }
}
