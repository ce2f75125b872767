//! ListRetainedMessages: which topics have a retained message.

use gatehouse_domain::topic::TopicName;
use gatehouse_store::Page;
use serde_json::json;

use super::input::{page, token};
use super::{Call, DATA, Operation, Running};
use crate::https::answer::{Code, Failure, Reply};

/// Items on a page at most, and when the caller does not say (service model, `MaxResults`).
const PAGE: u32 = 200;

pub(super) const OPERATION: Operation = Operation {
    name: "ListRetainedMessages",
    method: "GET",
    path: "/retainedMessage",
    endpoints: DATA,
    body_bytes_max: 0,
    run: Some(run),
};

fn run(call: Call<'_>) -> Running<'_> {
    Box::pin(list(call))
}

async fn list(mut call: Call<'_>) -> Result<Reply, Failure> {
    let (after, size) = page(&mut call, PAGE, PAGE)?;
    call.query.finish()?;
    call.authorization
        .on_everything("iot:ListRetainedMessages", call.now)
        .map_err(|_| Failure::new(Code::Forbidden, "no policy allows iot:ListRetainedMessages"))?;
    let after = after.map(|topic| TopicName::of_service(&topic)).transpose();
    let after = after.map_err(|_| Failure::invalid("nextToken is none that this operation has given"))?;
    // One more tells whether there is another page.
    let wanted = Page { after, ascending: true, limit: size.saturating_add(1) };
    let found = call.gateway.store.retained_topics(call.scope, call.now, wanted).await;
    let mut topics = found.map_err(|error| Failure::unavailable(&error))?;
    let shown = usize::try_from(size).unwrap_or(usize::MAX);
    let has_more = topics.len() > shown;
    topics.truncate(shown);
    let next = topics.last().filter(|_| has_more).map(|last| token(last.topic.as_str()));
    let topics: Vec<_> = topics
        .iter()
        .map(|topic| {
            json!({
                "topic": topic.topic.as_str(),
                "payloadSize": topic.payload_bytes,
                "qos": topic.qos,
                "lastModifiedTime": topic.published_at.as_millis(),
            })
        })
        .collect();
    Ok(Reply::Json(json!({ "retainedTopics": topics, "nextToken": next })))
}
