//! Bulk registration: a task reads an input file line by line and carries a provisioning template out for each (API
//! reference, StartThingRegistrationTask; developer guide, "Bulk registration").
//!
//! This file has the rules of the task itself. [`input`] says where its file is, [`lines`] cuts it into lines, [`parameters`]
//! reads one, and [`window`] keeps how far a task has come while several lines are under way.

pub mod input;
pub mod lines;
pub mod parameters;
pub mod window;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::certificate::UnknownWord;
use crate::role_alias::{InvalidRoleArn, RoleArn};
use crate::scope::Scope;

/// Characters of a task's id: a UUID's.
const TASK_ID_CHARACTERS: usize = 36;

/// The id of a task: a UUID in lower case, which no other task of any scope has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId(Arc<str>);

/// A text that is no task's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a registration task")]
pub struct InvalidTaskId;

impl TaskId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TaskId {
    type Err = InvalidTaskId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
        if text.len() == TASK_ID_CHARACTERS && text.bytes().all(is_digit) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidTaskId)
        }
    }
}

impl TryFrom<String> for TaskId {
    type Error = InvalidTaskId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The states of a task (service model, `Status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TaskStatus {
    /// Waits for its turn, or has it.
    InProgress,
    /// Every line has been looked at; some may have been refused.
    Completed,
    /// It could not go on.
    Failed,
    /// It was stopped.
    Cancelled,
    /// It is being stopped: lines under way come to their end.
    Cancelling,
}

impl TaskStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::InProgress, Self::Completed, Self::Failed, Self::Cancelled, Self::Cancelling];

    /// The word of the service model, e.g. `InProgress`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::Cancelling => "Cancelling",
        }
    }

    /// Whether nothing happens to it any more.
    #[must_use]
    pub const fn is_over(self) -> bool {
        match self {
            Self::InProgress | Self::Cancelling => false,
            Self::Completed | Self::Failed | Self::Cancelled => true,
        }
    }
}

impl FromStr for TaskStatus {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownWord)
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which lines a report is about (service model, `ReportType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReportType {
    /// Those that were refused.
    Errors,
    /// Those that were carried out.
    Results,
}

/// How far a task has come. Everything before `position` has its outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input file.
    pub position: u64,
    /// Lines of the input file, blank ones among them.
    pub line: u64,
    /// Lines that were carried out.
    pub successes: u64,
    /// Lines that were refused.
    pub failures: u64,
}

/// Why a task is not started, or not stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskRefusal {
    /// Not a role.
    #[error("roleArn: {0}")]
    Role(#[from] InvalidRoleArn),
    /// A role can be passed within its account only (IAM user guide, "Granting a user permissions to pass a role").
    #[error("roleArn: {0} is a role of another account: use one of this account")]
    RoleOfAnotherAccount(RoleArn),
    /// A scope has one task at a time ("AWS IoT Core endpoints and quotas").
    #[error(
        "registration task {0} is under way, and an account has one at a time in a Region: stop it, or wait for its end"
    )]
    UnderWay(TaskId),
    /// There is nothing to stop.
    #[error("registration task {0} has ended: it is {1}")]
    Over(TaskId, TaskStatus),
}

/// The role that a task of `scope` is to register with.
///
/// # Errors
/// [`TaskRefusal::Role`] or [`TaskRefusal::RoleOfAnotherAccount`].
pub fn role(scope: Scope, arn: &str) -> Result<RoleArn, TaskRefusal> {
    let role: RoleArn = arn.parse()?;
    if role.account() == scope.account { Ok(role) } else { Err(TaskRefusal::RoleOfAnotherAccount(role)) }
}

/// StartThingRegistrationTask: may a scope begin another task, that has this one under way?
///
/// # Errors
/// [`TaskRefusal::UnderWay`].
pub fn start(under_way: Option<TaskId>) -> Result<(), TaskRefusal> {
    under_way.map_or(Ok(()), |id| Err(TaskRefusal::UnderWay(id)))
}

/// What becomes of a request to stop a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopOutcome {
    /// It becomes [`TaskStatus::Cancelling`].
    Begins,
    /// Somebody has asked before: nothing changes.
    Unchanged,
}

/// StopThingRegistrationTask: what becomes of a task with this status? Asking twice is no error.
///
/// # Errors
/// [`TaskRefusal::Over`] for a task that came to its end by itself.
pub fn stop(id: &TaskId, status: TaskStatus) -> Result<StopOutcome, TaskRefusal> {
    match status {
        TaskStatus::InProgress => Ok(StopOutcome::Begins),
        TaskStatus::Cancelling | TaskStatus::Cancelled => Ok(StopOutcome::Unchanged),
        TaskStatus::Completed | TaskStatus::Failed => Err(TaskRefusal::Over(id.clone(), status)),
    }
}

/// How the work on a task comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every line has its outcome.
    Done,
    /// It cannot go on.
    Broken,
    /// It was stopped on the way.
    Stopped,
}

/// The status of a task whose work ends so, and which is `current` at that moment. Whoever asked for a stop gets it, however
/// near the end it was; `None` when the task is over already, or nobody has asked for the stop.
#[must_use]
pub const fn end(current: TaskStatus, ending: Ending) -> Option<TaskStatus> {
    match (current, ending) {
        (TaskStatus::InProgress, Ending::Done) => Some(TaskStatus::Completed),
        (TaskStatus::InProgress, Ending::Broken) => Some(TaskStatus::Failed),
        (TaskStatus::Cancelling, _) => Some(TaskStatus::Cancelled),
        (TaskStatus::InProgress, Ending::Stopped)
        | (TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled, _) => None,
    }
}

/// `percentageProgress`: how much of an input file of `length` bytes lies behind, rounded down; 100 for completed tasks alone.
#[must_use]
pub fn percentage(status: TaskStatus, position: u64, length: Option<u64>) -> u8 {
    if status == TaskStatus::Completed {
        return 100;
    }
    match length {
        None | Some(0) => 0,
        Some(length) => {
            let percent = u128::from(position) * 100 / u128::from(length);
            u8::try_from(percent.min(99)).unwrap_or(99)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0aeb8f2c-5b0c-4a55-9f3e-0123456789ab";

    #[test]
    fn an_id_is_a_uuid_in_lower_case() {
        assert_eq!(ID.parse::<TaskId>().unwrap().as_str(), ID);
        for text in ["", "x", &ID[1..], &ID.to_uppercase(), &format!("{ID}0"), &ID.replace('-', "/")] {
            assert_eq!(text.parse::<TaskId>(), Err(InvalidTaskId), "{text}");
        }
    }

    #[test]
    fn a_role_is_one_of_the_account() {
        let scope = Scope::new("123456789012".parse().unwrap(), "us-east-1".parse().unwrap());
        let ours = "arn:aws:iam::123456789012:role/bulk";
        assert_eq!(role(scope, ours).unwrap().as_str(), ours);
        assert!(matches!(role(scope, "bulk"), Err(TaskRefusal::Role(_))));
        let other = role(scope, "arn:aws:iam::210987654321:role/bulk");
        assert!(matches!(other, Err(TaskRefusal::RoleOfAnotherAccount(_))));
    }

    #[test]
    fn a_scope_has_one_task_at_a_time() {
        let id: TaskId = ID.parse().unwrap();
        assert_eq!(start(None), Ok(()));
        assert_eq!(start(Some(id.clone())), Err(TaskRefusal::UnderWay(id)));
    }

    #[test]
    fn a_task_goes_one_way() {
        use TaskStatus as S;
        let id: TaskId = ID.parse().unwrap();
        let over = |status| Err(TaskRefusal::Over(ID.parse().unwrap(), status));
        for (status, stopped, done, broken, interrupted) in [
            (S::InProgress, Ok(StopOutcome::Begins), Some(S::Completed), Some(S::Failed), None),
            (S::Cancelling, Ok(StopOutcome::Unchanged), Some(S::Cancelled), Some(S::Cancelled), Some(S::Cancelled)),
            (S::Cancelled, Ok(StopOutcome::Unchanged), None, None, None),
            (S::Completed, over(S::Completed), None, None, None),
            (S::Failed, over(S::Failed), None, None, None),
        ] {
            assert_eq!(stop(&id, status), stopped, "{status}");
            for (ending, expected) in [(Ending::Done, done), (Ending::Broken, broken), (Ending::Stopped, interrupted)] {
                assert_eq!(end(status, ending), expected, "{status} {ending:?}");
                assert!(end(status, ending).is_none_or(S::is_over));
            }
            assert_eq!(status.as_str().parse(), Ok(status));
        }
    }

    #[test]
    fn a_hundred_percent_are_the_end() {
        use TaskStatus as S;
        for (status, position, length, expected) in [
            (S::InProgress, 0, None, 0),
            (S::InProgress, 0, Some(0), 0),
            (S::InProgress, 0, Some(10), 0),
            (S::InProgress, 1, Some(3), 33),
            (S::InProgress, 10, Some(10), 99),
            (S::InProgress, 11, Some(10), 99),
            (S::Cancelling, u64::MAX / 2, Some(u64::MAX), 49),
            (S::Cancelled, 5, Some(10), 50),
            (S::Failed, 0, None, 0),
            (S::Completed, 0, Some(0), 100),
            (S::Completed, 10, Some(10), 100),
        ] {
            assert_eq!(percentage(status, position, length), expected, "{status} {position} {length:?}");
        }
    }
}
