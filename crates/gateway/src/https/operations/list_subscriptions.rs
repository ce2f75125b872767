//! ListSubscriptions: what a client is subscribed to, connected or not.

use serde_json::json;

use super::input::{client_id, page, token};
use super::{Call, DATA, Operation, Running, unknown_client};
use crate::https::answer::{Code, Failure, Reply};

/// Items on a page when the caller does not say, and at most (service model, `MaxResults`).
const PAGE_DEFAULT: u32 = 20;
const PAGE_MAX: u32 = 200;

pub(super) const OPERATION: Operation = Operation {
    name: "ListSubscriptions",
    method: "GET",
    path: "/connections/{clientId}/subscriptions",
    endpoints: DATA,
    body_bytes_max: 0,
    run: Some(run),
};

fn run(call: Call<'_>) -> Running<'_> {
    Box::pin(list(call))
}

async fn list(mut call: Call<'_>) -> Result<Reply, Failure> {
    let client_id = client_id(&call)?;
    let (after, size) = page(&mut call, PAGE_DEFAULT, PAGE_MAX)?;
    call.query.finish()?;
    call.authorization
        .on_client("iot:ListSubscriptions", &client_id, call.now)
        .map_err(|_| Failure::new(Code::Forbidden, "no policy allows iot:ListSubscriptions on this client"))?;
    let session = call.gateway.broker.session(call.scope, &client_id).ok_or_else(unknown_client)?;
    let mut subscriptions = session.subscriptions();
    subscriptions.sort_by(|a, b| a.0.cmp(&b.0));
    let behind = |filter: &str| after.as_deref().is_none_or(|after| filter > after);
    subscriptions.retain(|(filter, _)| behind(filter.as_str()));
    let shown = usize::try_from(size).unwrap_or(usize::MAX);
    let has_more = subscriptions.len() > shown;
    subscriptions.truncate(shown);
    let next = subscriptions.last().filter(|_| has_more).map(|(filter, _)| token(filter.as_str()));
    let subscriptions: Vec<_> = subscriptions
        .iter()
        .map(|(filter, options)| json!({ "topicFilter": filter.as_str(), "qos": options.qos.value() }))
        .collect();
    Ok(Reply::Json(json!({ "subscriptions": subscriptions, "nextToken": next })))
}
