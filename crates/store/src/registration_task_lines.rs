//! What became of the lines of registration tasks: one outcome each, and the two reports that are made of them.

use std::collections::BTreeMap;

use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::registration_task::{ReportType, TaskId};
use gatehouse_domain::scope::Scope;

use crate::engine::{Columns, Value, params, storable};
use crate::{Batch, Error, Store};

/// What became of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineOutcome {
    /// It was carried out.
    Registered {
        /// The certificate.
        certificate_id: CertificateId,
        /// The ARNs of what the template names, by their logical names.
        resource_arns: BTreeMap<String, String>,
    },
    /// It was refused, and nothing was done.
    Refused {
        /// What kind of refusal it is.
        code: String,
        /// What is wrong, and what to do about it.
        message: String,
    },
}

/// A line of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationTaskLine {
    /// Its number in the input file, from 1.
    pub line: u64,
    /// What became of it.
    pub outcome: LineOutcome,
    /// The certificate itself, as long as the scope has it.
    pub certificate_pem: Option<String>,
}

const TABLE: &str = "registration_task_lines";

fn read(columns: &mut Columns) -> Result<(u64, LineOutcome), Error> {
    let line = columns.size("line")?;
    let certificate_id = columns.optional_digest("certificate_id")?.map(CertificateId::from_bytes);
    let Some(certificate_id) = certificate_id else {
        let _none = columns.optional_text("resource_arns")?;
        let (code, message) = (columns.text("error_code")?, columns.text("error_message")?);
        return Ok((line, LineOutcome::Refused { code, message }));
    };
    let resource_arns = columns.map("resource_arns")?;
    let _none = (columns.optional_text("error_code")?, columns.optional_text("error_message")?);
    Ok((line, LineOutcome::Registered { certificate_id, resource_arns }))
}

impl Store {
    /// Whether the line was carried out; `None` when it has no outcome yet.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn registration_line(&self, task_id: &TaskId, line: u64) -> Result<Option<bool>, Error> {
        let sql = "SELECT certificate_id FROM registration_task_lines WHERE task_id = $1 AND line = $2";
        let row = self.row(sql, &params![task_id, line]).await?;
        row.map(|row| Ok(row.of(TABLE).optional_digest("certificate_id")?.is_some())).transpose()
    }

    /// The lines behind `line` that have an outcome, and whether they were carried out: those that were under way when the
    /// last progress was noted, which are not many.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn registration_lines_behind(&self, task_id: &TaskId, line: u64) -> Result<BTreeMap<u64, bool>, Error> {
        let sql = "SELECT line, certificate_id FROM registration_task_lines WHERE task_id = $1 AND line > $2";
        let rows = self.scan(sql, params![task_id, line].into()).await?;
        rows.into_iter()
            .map(|row| {
                let mut columns = row.of(TABLE);
                Ok((columns.size("line")?, columns.optional_digest("certificate_id")?.is_some()))
            })
            .collect()
    }

    /// Lines of a report behind `line`, in order, at most `limit`. `scope` is the task's.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn registration_report(
        &self,
        scope: Scope,
        task_id: &TaskId,
        report_type: ReportType,
        line: u64,
        limit: u32,
    ) -> Result<Vec<RegistrationTaskLine>, Error> {
        // Of many lines of the other kind that lie between: such a read keeps no other task from running.
        let rows = match report_type {
            ReportType::Errors => {
                let sql = "SELECT line, certificate_id, resource_arns, error_code, error_message \
                           FROM registration_task_lines WHERE task_id = $1 AND line > $2 AND certificate_id IS NULL \
                           ORDER BY line LIMIT $3";
                self.scan(sql, params![task_id, line, limit].into()).await?
            }
            ReportType::Results => {
                let sql = "SELECT l.line, l.certificate_id, l.resource_arns, l.error_code, l.error_message, p.pem \
                           FROM registration_task_lines l LEFT JOIN certificate_pems p \
                           ON p.certificate_id = l.certificate_id AND p.account = $4 AND p.region = $5 \
                           WHERE l.task_id = $1 AND l.line > $2 AND l.certificate_id IS NOT NULL \
                           ORDER BY l.line LIMIT $3";
                self.scan(sql, params![task_id, line, limit, scope.account, scope.region].into()).await?
            }
        };
        rows.into_iter()
            .map(|row| {
                let mut columns = row.of(TABLE);
                let (line, outcome) = read(&mut columns)?;
                let certificate_pem = match report_type {
                    ReportType::Errors => None,
                    ReportType::Results => columns.next_table("certificate_pems").optional_text("pem")?,
                };
                Ok(RegistrationTaskLine { line, outcome, certificate_pem })
            })
            .collect()
    }
}

impl Batch {
    /// Notes what became of a line. Conflict when it has an outcome, or when the turn is lost or the task has ended.
    pub fn insert_registration_line(&mut self, task_id: &TaskId, turn: &str, line: u64, outcome: &LineOutcome) {
        let [certificate_id, resource_arns, code, message] = match outcome {
            LineOutcome::Registered { certificate_id, resource_arns } => {
                let resource_arns = serde_json::Value::from_iter(resource_arns.clone()).to_string();
                [Value::from(*certificate_id), Value::from(resource_arns), Value::Null, Value::Null]
            }
            LineOutcome::Refused { code, message } => {
                [Value::Null, Value::Null, Value::from(code), Value::from(storable(message))]
            }
        };
        self.write(
            1,
            "INSERT INTO registration_task_lines (task_id, line, certificate_id, resource_arns, error_code, \
             error_message) SELECT task_id, $3, $4, $5, $6, $7 FROM registration_tasks \
             WHERE task_id = $1 AND turn = $2 AND ended_at IS NULL",
            [Value::from(task_id), turn.into(), line.into(), certificate_id, resource_arns, code, message],
        );
    }
}
