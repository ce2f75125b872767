//! The two reports of a task, behind links: whoever has one reads that report, for an hour, and nothing else. A report is
//! made while it is sent, out of the lines that have an outcome by then.
//!
//! A link names scope, task and report in plain, and carries a MAC over all of it and its end. Nobody can tell a report
//! that does not exist from one that is not his.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use gatehouse_domain::limits;
use gatehouse_domain::registration_task::{ReportType, TaskId};
use gatehouse_domain::scope::{AccountId, Region, Scope};
use gatehouse_domain::time::Timestamp;
use gatehouse_store::{LineOutcome, RegistrationTaskLine};
use http::{HeaderValue, Response, StatusCode, Uri, header};
use http_body::Frame;
use serde_json::json;
use tokio::sync::mpsc;

use crate::call::House;
use crate::query::Query;

/// The path that all links to reports begin with.
pub const PATH: &str = "/_gatehouse/registration-reports/";
/// What the MAC is for. No operation has such a name.
const PURPOSE: &str = "registration report";
/// Lines that are read at once.
const LINES: u32 = 200;
/// How long a reader may take for them.
const PATIENCE: Duration = Duration::from_secs(60);

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Report {
    scope: Scope,
    task_id: TaskId,
    report_type: ReportType,
}

/// What a link is answered with.
pub struct ReportBody(Content);

enum Content {
    Text(Option<Bytes>),
    /// When nothing more comes without the end, the report broke off.
    Lines(mpsc::Receiver<Part>),
}

/// A part of a report on its way.
enum Part {
    Lines(Bytes),
    End,
}

/// A report that does not come to its end: its reader must not take it for whole.
#[derive(Debug, thiserror::Error)]
#[error("the report broke off: read it again")]
pub struct BrokenOff;

const fn word(report_type: ReportType) -> &'static str {
    match report_type {
        ReportType::Errors => "errors",
        ReportType::Results => "results",
    }
}

impl Report {
    fn path(&self) -> String {
        let Self { scope: Scope { account, region }, task_id, report_type } = self;
        format!("{PATH}{account}/{region}/{task_id}/{}", word(*report_type))
    }

    fn read(path: &str) -> Option<Self> {
        let mut segments = path.strip_prefix(PATH)?.split('/');
        let (account, region): (AccountId, Region) = (segments.next()?.parse().ok()?, segments.next()?.parse().ok()?);
        let task_id = segments.next()?.parse().ok()?;
        let name = segments.next()?;
        let report_type = [ReportType::Errors, ReportType::Results].into_iter().find(|found| word(*found) == name)?;
        segments.next().is_none().then_some(Self { scope: Scope::new(account, region), task_id, report_type })
    }

    /// What the MAC is over, besides the scope.
    fn sealed(&self, expires_at: Timestamp) -> String {
        format!("{}?expires={}", self.path(), expires_at.as_secs())
    }
}

/// A link to a report of the scope's task, behind `address`, that is good from `now` on for [`limits::REPORT_LINK_MS`].
pub(crate) fn link(
    house: &House,
    scope: Scope,
    task_id: &TaskId,
    report_type: ReportType,
    address: &str,
    now: Timestamp,
) -> String {
    let report = Report { scope, task_id: task_id.clone(), report_type };
    let sealed = report.sealed(now.plus_millis(limits::REPORT_LINK_MS));
    let mac = house.markers.mac(PURPOSE, scope, sealed.as_bytes());
    format!("{}{sealed}&signature={mac}", address.trim_end_matches('/'))
}

/// Answers a GET of `uri`, whose path begins with [`PATH`].
pub async fn answer(house: &Arc<House>, uri: &Uri) -> Response<ReportBody> {
    let Some(report) = opened(house, uri) else {
        let text = "this link is not valid, or not any more: ListThingRegistrationTaskReports gives a new one\n";
        return refused(StatusCode::FORBIDDEN, text);
    };
    match house.store.registration_task(&report.task_id).await {
        Ok(Some(task)) if task.scope == report.scope => {}
        Ok(_) => return refused(StatusCode::NOT_FOUND, "the report is not kept any more\n"),
        Err(error) => {
            tracing::error!(%error, "a report cannot be read");
            return refused(StatusCode::SERVICE_UNAVAILABLE, "the report cannot be read at the moment: try again\n");
        }
    }
    let Some(place) = house.bulk.reports.enter(report.scope) else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "too many reports are being read: try again\n");
    };
    let (sender, receiver) = mpsc::channel(1);
    let house = Arc::clone(house);
    tokio::spawn(async move {
        let _place = place;
        send(&house, &report, &sender).await;
    });
    let mut response = Response::new(ReportBody(Content::Lines(receiver)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The report that a link is for, if the link is good.
fn opened(house: &House, uri: &Uri) -> Option<Report> {
    let report = Report::read(uri.path())?;
    let mut query = Query::parse(uri.query()?).ok()?;
    let (expires, mac) = (query.take("expires").ok()??, query.take("signature").ok()??);
    query.finish().ok()?;
    let expires_at = Timestamp::from_secs(u32::try_from(expires.parse::<u64>().ok()?).ok()?.into());
    let is_ours = house.markers.is_mac(PURPOSE, report.scope, report.sealed(expires_at).as_bytes(), &mac);
    (is_ours && house.clock.now() <= expires_at).then_some(report)
}

/// Sends the lines of the report, and its end. Breaks off when the store fails, or when nobody reads for [`PATIENCE`].
async fn send(house: &House, report: &Report, sender: &mpsc::Sender<Part>) {
    let Report { scope, task_id, report_type } = report;
    let mut behind = 0;
    loop {
        let lines = match house.store.registration_report(*scope, task_id, *report_type, behind, LINES).await {
            Ok(lines) => lines,
            Err(error) => {
                tracing::error!(%error, %task_id, "a report broke off");
                return;
            }
        };
        let part = match lines.last() {
            None => Part::End,
            Some(last) => {
                behind = last.line;
                Part::Lines(lines.iter().map(shown).collect::<String>().into())
            }
        };
        let is_end = matches!(part, Part::End);
        let sent = tokio::time::timeout(PATIENCE, sender.send(part)).await;
        if is_end || !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

/// A line as reports have it, with its end.
fn shown(line: &RegistrationTaskLine) -> String {
    let shown = match &line.outcome {
        LineOutcome::Registered { resource_arns, .. } => {
            let mut response = json!({ "ResourceArns": resource_arns });
            // Gone from the scope meanwhile, a certificate is not shown.
            if let (Some(pem), Some(response)) = (&line.certificate_pem, response.as_object_mut()) {
                response.insert("certificatePem".to_owned(), json!(pem));
            }
            json!({ "lineId": line.line, "response": response })
        }
        LineOutcome::Refused { code, message } => {
            json!({ "lineId": line.line, "errorCode": code, "errorMessage": message })
        }
    };
    format!("{shown}\n")
}

fn refused(status: StatusCode, text: &'static str) -> Response<ReportBody> {
    let mut response = Response::new(ReportBody(Content::Text(Some(Bytes::from_static(text.as_bytes())))));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

impl http_body::Body for ReportBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match &mut self.0 {
            Content::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Content::Lines(receiver) => {
                let frame = match ready!(receiver.poll_recv(context)) {
                    Some(Part::Lines(lines)) => return Poll::Ready(Some(Ok(Frame::data(lines)))),
                    Some(Part::End) => None,
                    None => Some(Err(BrokenOff)),
                };
                self.0 = Content::Text(None);
                Poll::Ready(frame)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_report_is_whole_only_when_its_end_was_sent() {
        for is_ended in [true, false] {
            let (sender, receiver) = mpsc::channel(2);
            sender.send(Part::Lines(Bytes::from_static(b"{}\n"))).await.unwrap();
            if is_ended {
                sender.send(Part::End).await.unwrap();
            }
            // As when its reader was too slow, or the store failed.
            drop(sender);
            let read = ReportBody(Content::Lines(receiver)).collect().await.map(|read| read.to_bytes());
            assert_eq!(read.ok(), is_ended.then(|| Bytes::from_static(b"{}\n")));
        }
    }

    #[test]
    fn a_path_names_one_report() {
        let id = "0aeb8f2c-5b0c-4a55-9f3e-0123456789ab";
        let path = format!("{PATH}123456789012/us-east-1/{id}/results");
        let report = Report::read(&path).unwrap();
        assert_eq!(report.path(), path);
        assert_eq!((report.task_id.as_str(), report.report_type), (id, ReportType::Results));
        for wrong in [
            path.replace("results", "result"),
            path.replace("results", "errors/"),
            path.replace("1234", "x"),
            path.replace("/us-east-1", ""),
            path.replace(id, "x"),
            path.replace("reports/", "reports//"),
            format!("{path}/x"),
        ] {
            assert_eq!(Report::read(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn lines_of_reports_are_json_objects() {
        let resource_arns = std::collections::BTreeMap::from([("thing".to_owned(), "arn".to_owned())]);
        let certificate_id = gatehouse_domain::certificate::CertificateId::from_bytes([1; 32]);
        let registered = LineOutcome::Registered { certificate_id, resource_arns };
        let refused =
            LineOutcome::Refused { code: "InvalidRequestException".to_owned(), message: "\"x\"\n".to_owned() };
        let line = |outcome, certificate_pem: Option<&str>| RegistrationTaskLine {
            line: 7,
            outcome,
            certificate_pem: certificate_pem.map(str::to_owned),
        };
        for (line, expected) in [
            (
                line(registered.clone(), Some("PEM\n")),
                "{\"lineId\":7,\"response\":{\"ResourceArns\":{\"thing\":\"arn\"},\"certificatePem\":\"PEM\\n\"}}\n",
            ),
            (line(registered, None), "{\"lineId\":7,\"response\":{\"ResourceArns\":{\"thing\":\"arn\"}}}\n"),
            (
                line(refused, None),
                "{\"errorCode\":\"InvalidRequestException\",\"errorMessage\":\"\\\"x\\\"\\n\",\"lineId\":7}\n",
            ),
        ] {
            assert_eq!(shown(&line), expected);
        }
    }
}
