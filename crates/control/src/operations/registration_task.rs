//! What the operations of registration tasks share: which task is meant.

use gatehouse_domain::registration_task::TaskId;
use gatehouse_store::RegistrationTaskRecord;

use crate::call::Call;
use crate::error::Error;

/// The task of the call's scope, if it has it. Another's is not told apart from one that does not exist.
///
/// # Errors
/// When the store fails.
pub(super) async fn find(call: &Call, task_id: &str) -> Result<Option<RegistrationTaskRecord>, Error> {
    let Ok(task_id) = task_id.parse::<TaskId>() else { return Ok(None) };
    let task = call.store().registration_task(&task_id).await?;
    Ok(task.filter(|task| task.scope == call.scope))
}

/// The task of the call's scope.
///
/// # Errors
/// `ResourceNotFoundException` when there is none.
pub(super) async fn existing(call: &Call, task_id: &str) -> Result<RegistrationTaskRecord, Error> {
    find(call, task_id).await?.ok_or_else(|| Error::not_found(unknown(task_id)))
}

/// What is said of a task that the scope does not have.
pub(super) fn unknown(task_id: &str) -> String {
    format!("registration task {task_id} does not exist in this account and Region; tasks are kept for 30 days")
}
