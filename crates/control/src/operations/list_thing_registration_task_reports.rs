//! ListThingRegistrationTaskReports: a link to one of the two reports of a bulk registration, as far as it has come; none,
//! while the report has no lines. Whoever has the link reads that report for an hour.

use gatehouse_domain::registration_task::ReportType;
use serde::{Deserialize, Serialize};

use super::registration_task::{find, unknown};
use crate::bulk::report;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;

/// The operation.
pub struct ListThingRegistrationTaskReports;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    task_id: String,
    report_type: ReportType,
    /// Whatever it is, there is one link at most.
    #[serde(rename = "maxResults")]
    _max_results: Option<u32>,
    next_token: Option<String>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    resource_links: Vec<String>,
    report_type: ReportType,
}

impl Operation for ListThingRegistrationTaskReports {
    const NAME: &'static str = "ListThingRegistrationTaskReports";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/thing-registration-tasks/{taskId}/reports";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        if input.next_token.is_some() {
            return Err(Error::invalid("nextToken: this operation has one page, and gives no token: leave it out"));
        }
        let task = find(call, &input.task_id).await?.ok_or_else(|| Error::invalid(unknown(&input.task_id)))?;
        let report_type = input.report_type;
        let first = call.store().registration_report(call.scope, &task.task_id, report_type, 0, 1).await?;
        if first.is_empty() {
            return Ok(Output { resource_links: Vec::new(), report_type });
        }
        let address = address(call)?;
        let link = report::link(&call.house, call.scope, &task.task_id, report_type, &address, call.now);
        Ok(Output { resource_links: vec![link], report_type })
    }
}

/// Where the caller reaches the reports.
fn address(call: &Call) -> Result<String, Error> {
    if let Some(address) = call.house.bulk.address() {
        return Ok(address.to_owned());
    }
    let scheme = if call.caller.is_secure { "https" } else { "http" };
    let host = call.caller.host.as_deref();
    let host = host.ok_or_else(|| Error::invalid("the request's Host header names no host that a link could lead to"))?;
    Ok(format!("{scheme}://{host}"))
}
