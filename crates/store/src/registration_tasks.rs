//! Registration tasks: what is to be done, how far it has come, and whose turn it is to work on it.
//!
//! Whoever works on a task has taken a *turn*, under a word that nobody else has, until some time. What is written for a
//! task holds that turn against the row: whoever has lost it, by being too slow, writes nothing any more.

use gatehouse_domain::registration_task::input::{BucketName, ObjectKey};
use gatehouse_domain::registration_task::{Progress, TaskId, TaskStatus};
use gatehouse_domain::role_alias::RoleArn;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;

use crate::engine::{Row, params};
use crate::{Batch, Error, Page, Store};

/// A registration task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationTaskRecord {
    /// Its id.
    pub task_id: TaskId,
    /// Whose it is.
    pub scope: Scope,
    /// What state it is in.
    pub status: TaskStatus,
    /// The template that is carried out for each line.
    pub template_body: String,
    /// Where its input file is.
    pub bucket: BucketName,
    /// Where its input file is in the bucket.
    pub key: ObjectKey,
    /// The role that is registered with.
    pub role_arn: RoleArn,
    /// The input file as it was found; `None` until then.
    pub input_file: Option<InputFileRecord>,
    /// How far it has come.
    pub progress: Progress,
    /// Why it failed.
    pub message: Option<String>,
    /// Who works on it; empty before the first.
    pub turn: String,
    /// Until when nobody else may.
    pub turn_until: Timestamp,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it came further, or was stopped.
    pub last_modified_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// An input file as it was found first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFileRecord {
    /// Bytes.
    pub length: u64,
    /// What tells it from another under the same key, or from itself after a change.
    pub version: String,
}

/// Lines removed in one commit.
const PRUNED_AT_ONCE: i64 = 2_000;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT task_id, account, region, status, template_body, bucket, object_key, role_arn, object_length, \
             object_version, position, line, successes, failures, message, turn, turn_until, created_at, \
             last_modified_at, ended_at FROM registration_tasks ",
            $rest
        )
    };
}

const TABLE: &str = "registration_tasks";

fn read(row: Row) -> Result<RegistrationTaskRecord, Error> {
    let mut columns = row.of(TABLE);
    Ok(RegistrationTaskRecord {
        task_id: columns.parsed("task_id")?,
        scope: Scope::new(columns.parsed("account")?, columns.parsed("region")?),
        status: columns.parsed("status")?,
        template_body: columns.text("template_body")?,
        bucket: columns.parsed("bucket")?,
        key: columns.parsed("object_key")?,
        role_arn: columns.parsed("role_arn")?,
        input_file: match (columns.optional_size("object_length")?, columns.optional_text("object_version")?) {
            (Some(length), Some(version)) => Some(InputFileRecord { length, version }),
            _ => None,
        },
        progress: Progress {
            position: columns.size("position")?,
            line: columns.size("line")?,
            successes: columns.size("successes")?,
            failures: columns.size("failures")?,
        },
        message: columns.optional_text("message")?,
        turn: columns.text("turn")?,
        turn_until: columns.time("turn_until")?,
        created_at: columns.time("created_at")?,
        last_modified_at: columns.time("last_modified_at")?,
        ended_at: columns.optional_time("ended_at")?,
    })
}

impl Store {
    /// The registration task.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn registration_task(&self, task_id: &TaskId) -> Result<Option<RegistrationTaskRecord>, Error> {
        self.row(select!("WHERE task_id = $1"), &params![task_id]).await?.map(read).transpose()
    }

    /// The task of the scope that is under way.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn registration_task_under_way(&self, scope: Scope) -> Result<Option<TaskId>, Error> {
        let sql = "SELECT task_id FROM registration_tasks WHERE account = $1 AND region = $2 AND ended_at IS NULL";
        let row = self.row(sql, &params![scope.account, scope.region]).await?;
        row.map(|row| row.of(TABLE).parsed("task_id")).transpose()
    }

    /// The tasks of a scope by the time of their start, with that time; those in one state, if it is given.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn registration_tasks(
        &self,
        scope: Scope,
        status: Option<TaskStatus>,
        page: Page<(Timestamp, TaskId)>,
    ) -> Result<Vec<(Timestamp, TaskId)>, Error> {
        let mut select =
            "SELECT created_at, task_id FROM registration_tasks WHERE account = $1 AND region = $2".to_owned();
        let mut params = params![scope.account, scope.region].to_vec();
        if let Some(status) = status {
            select.push_str(" AND status = $3");
            params.push(status.as_str().into());
        }
        let cursor = page.after.as_ref().map(|(at, task_id)| params![*at, task_id]);
        let (sql, params) = page.complete(&select, params, &["created_at", "task_id"], cursor);
        self.list(&sql, &params, |row| {
            let mut columns = row.of(TABLE);
            Ok((columns.time("created_at")?, columns.parsed("task_id")?))
        })
        .await
    }

    /// Tasks of all scopes that are under way and that nobody works on at `now`; those that have waited longest first.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn waiting_registration_tasks(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<RegistrationTaskRecord>, Error> {
        let sql = select!("WHERE ended_at IS NULL AND turn_until <= $1 ORDER BY turn_until, task_id LIMIT $2");
        self.list(sql, &params![now, limit], read).await
    }

    /// Removes tasks that ended before `before`, with what is kept of their lines.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database cannot be written; what was removed until then is gone.
    pub async fn prune_registration_tasks(&self, before: Timestamp) -> Result<(), Error> {
        let old = "SELECT task_id FROM registration_tasks WHERE ended_at < $1 LIMIT 1";
        while let Some(row) = self.row(old, &params![before]).await? {
            let task_id: TaskId = row.of(TABLE).parsed("task_id")?;
            let probe = "SELECT line FROM registration_task_lines WHERE task_id = $1 LIMIT 1";
            while self.row(probe, &params![&task_id]).await?.is_some() {
                let mut batch = Batch::new();
                batch.write_any(
                    "DELETE FROM registration_task_lines WHERE task_id = $1 AND line IN (SELECT line \
                     FROM registration_task_lines WHERE task_id = $1 ORDER BY line LIMIT $2)",
                    params![&task_id, PRUNED_AT_ONCE],
                );
                self.commit(batch, before).await?;
            }
            let mut batch = Batch::new();
            batch.write_any("DELETE FROM registration_tasks WHERE task_id = $1", params![&task_id]);
            self.commit(batch, before).await?;
        }
        Ok(())
    }
}

impl Batch {
    /// Starts a task, that nobody works on yet. Conflict when the scope has one under way.
    pub fn insert_registration_task(&mut self, record: &RegistrationTaskRecord) {
        let Scope { account, region } = record.scope;
        self.write(
            1,
            "INSERT INTO registration_tasks (task_id, account, region, status, template_body, bucket, object_key, \
             role_arn, position, line, successes, failures, turn, turn_until, created_at, last_modified_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, 0, 0, '', $9, $9, $9)",
            params![
                &record.task_id,
                account,
                region,
                record.status.as_str(),
                &record.template_body,
                record.bucket.as_str(),
                record.key.as_str(),
                record.role_arn.as_str(),
                record.created_at,
            ],
        );
    }

    /// Takes a turn under the word `turn`. Conflict when somebody else did, or the task has ended.
    pub fn take_registration_task(&mut self, current: &RegistrationTaskRecord, turn: &str, until: Timestamp) {
        self.write(
            1,
            "UPDATE registration_tasks SET turn = $4, turn_until = $5 \
             WHERE task_id = $1 AND turn = $2 AND turn_until = $3 AND ended_at IS NULL",
            params![&current.task_id, &current.turn, current.turn_until, turn, until],
        );
    }

    /// Notes how the input file was found. Conflict when that was noted before, or the turn is lost.
    pub fn note_registration_input(&mut self, task_id: &TaskId, turn: &str, file: &InputFileRecord) {
        self.write(
            1,
            "UPDATE registration_tasks SET object_length = $3, object_version = $4 \
             WHERE task_id = $1 AND turn = $2 AND ended_at IS NULL AND object_length IS NULL",
            params![task_id, turn, file.length, &file.version],
        );
    }

    /// Notes how far a task has come, and that the turn lasts until `until`. Conflict when the turn is lost.
    pub fn advance_registration_task(
        &mut self,
        task_id: &TaskId,
        turn: &str,
        progress: &Progress,
        now: Timestamp,
        until: Timestamp,
    ) {
        self.write(
            1,
            "UPDATE registration_tasks SET position = $3, line = $4, successes = $5, failures = $6, \
             last_modified_at = $7, turn_until = $8 WHERE task_id = $1 AND turn = $2 AND ended_at IS NULL",
            params![task_id, turn, progress.position, progress.line, progress.successes, progress.failures, now, until],
        );
    }

    /// Asks for a task to be stopped. Conflict when it is not in progress any more.
    pub fn stop_registration_task(&mut self, task_id: &TaskId, now: Timestamp) {
        self.write(
            1,
            "UPDATE registration_tasks SET status = $2, last_modified_at = $3 WHERE task_id = $1 AND status = $4",
            params![task_id, TaskStatus::Cancelling.as_str(), now, TaskStatus::InProgress.as_str()],
        );
    }

    /// Ends a task that is `current`. Conflict when its status has changed, or the turn is lost.
    pub fn end_registration_task(
        &mut self,
        task_id: &TaskId,
        turn: &str,
        current: TaskStatus,
        ended: TaskStatus,
        message: Option<&str>,
        now: Timestamp,
    ) {
        self.write(
            1,
            "UPDATE registration_tasks SET status = $4, message = $5, last_modified_at = $6, ended_at = $6 \
             WHERE task_id = $1 AND turn = $2 AND status = $3 AND ended_at IS NULL",
            params![task_id, turn, current.as_str(), ended.as_str(), message, now],
        );
    }
}
