//! GetRetainedMessage: the retained message of one topic.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehouse_domain::topic::TopicName;
use serde_json::{Value, json};

use super::{Call, DATA, Operation, Running};
use crate::https::answer::{Code, Failure, Reply};

pub(super) const OPERATION: Operation = Operation {
    name: "GetRetainedMessage",
    method: "GET",
    path: "/retainedMessage/{topic+}",
    endpoints: DATA,
    body_bytes_max: 0,
    run: Some(run),
};

fn run(call: Call<'_>) -> Running<'_> {
    Box::pin(get(call))
}

async fn get(call: Call<'_>) -> Result<Reply, Failure> {
    let topic = TopicName::parse(call.label("topic")).map_err(|invalid| Failure::invalid(invalid.to_string()))?;
    call.query.finish()?;
    call.authorization
        .on_topic("iot:GetRetainedMessage", &topic, call.now)
        .map_err(|_| Failure::new(Code::Forbidden, "no policy allows iot:GetRetainedMessage on this topic"))?;
    let found = call.gateway.store.retained_message(call.scope, &topic).await;
    let found = found.map_err(|error| Failure::unavailable(&error))?;
    let is_valid = |expires_at: Option<_>| expires_at.is_none_or(|expires_at| call.now < expires_at);
    let retained = found
        .filter(|retained| is_valid(retained.message.expires_at))
        .ok_or_else(|| Failure::new(Code::ResourceNotFound, "the topic has no retained message"))?;
    let message = retained.message;
    let user_properties = match message.user_properties.as_slice() {
        [] => Value::Null,
        pairs => {
            let list: Vec<Value> = pairs.iter().map(|(name, value)| json!({ name: value })).collect();
            Value::String(STANDARD.encode(Value::Array(list).to_string()))
        }
    };
    Ok(Reply::Json(json!({
        "topic": topic.as_str(),
        "payload": STANDARD.encode(&message.payload),
        "qos": retained.qos,
        "lastModifiedTime": message.published_at.as_millis(),
        "userProperties": user_properties,
    })))
}
