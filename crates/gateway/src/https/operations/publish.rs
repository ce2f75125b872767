//! Publish: one message, from somebody who keeps no connection for it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gatehouse_broker::Message;
use gatehouse_domain::limits;
use gatehouse_domain::topic::{TopicName, may_publish};
use gatehouse_mqtt::packet::UserProperties;
use gatehouse_mqtt::{MessageProperties, Qos, Utf8Bytes};
use serde_json::{Map, Value};

use super::{Call, DATA, Operation, Running};
use crate::authorization::{Authorized, Publish};
use crate::https::answer::{Code, Failure, Reply};
use crate::report::Denial;

const USER_PROPERTIES: &str = "x-amz-mqtt5-user-properties";
const PAYLOAD_FORMAT: &str = "x-amz-mqtt5-payload-format-indicator";
const CORRELATION_DATA: &str = "x-amz-mqtt5-correlation-data";

pub(super) const OPERATION: Operation = Operation {
    name: "Publish",
    method: "POST",
    path: "/topics/{topic+}",
    endpoints: DATA,
    body_bytes_max: limits::PAYLOAD_BYTES,
    run: Some(run),
};

fn run(call: Call<'_>) -> Running<'_> {
    Box::pin(publish(call))
}

/// What is asked for.
struct Input {
    topic: TopicName,
    qos: Qos,
    retain: bool,
    properties: MessageProperties,
}

async fn publish(mut call: Call<'_>) -> Result<Reply, Failure> {
    let input = read(&mut call)?;
    if let Some(counter) = call.gateway.metrics.received.get(usize::from(input.qos.value())) {
        counter.inc();
    }
    let authorized = match permit(&mut call, &input) {
        Ok(authorized) => authorized,
        Err(failure) => {
            let denial = Denial {
                event_type: "Publish-In",
                details: &failure.message,
                topic: input.topic.as_str(),
                principal: call.principal,
                scope: call.scope,
                client_id: None,
            };
            call.gateway.reporter.deny(&denial, call.now);
            return Err(failure);
        }
    };
    hand_over(&call, &authorized, input);
    Ok(Reply::Done)
}

/// The policy first: who may not publish learns nothing of what is there.
fn permit(call: &mut Call<'_>, input: &Input) -> Result<Authorized<Publish>, Failure> {
    let denied = |action| Failure::new(Code::Forbidden, format!("no policy allows {action} to this topic"));
    let authorized = call.authorization.publish(call.now, &input.topic).map_err(|_| denied("iot:Publish"))?;
    if input.retain {
        call.authorization.retain_publish(call.now, &input.topic).map_err(|_| denied("iot:RetainPublish"))?;
    }
    may_publish(&input.topic).map_err(|reserved| Failure::invalid(reserved.to_string()))?;
    if input.retain {
        // Losing it silently would be worse.
        return Err(Failure::new(
            Code::NotImplemented,
            "retained messages are not kept by Gatehouse yet: publish without retain",
        ));
    }
    Ok(authorized)
}

fn hand_over(call: &Call<'_>, _authorized: &Authorized<Publish>, input: Input) {
    let message = Message {
        topic: input.topic,
        payload: call.body.clone(),
        qos: input.qos,
        properties: input.properties,
        published_at: call.now,
    };
    call.gateway.broker.publish(call.scope, &Arc::new(message));
}

fn read(call: &mut Call<'_>) -> Result<Input, Failure> {
    let topic = TopicName::parse(call.label("topic")).map_err(|invalid| Failure::invalid(invalid.to_string()))?;
    let qos = match call.query.take("qos")?.as_deref() {
        None | Some("0") => Qos::AtMostOnce,
        Some("1") => Qos::AtLeastOnce,
        Some(_) => return Err(Failure::invalid("qos must be 0 or 1")),
    };
    let retain = match call.query.take("retain")? {
        None => false,
        Some(word) => truth(&word).ok_or_else(|| Failure::invalid("retain must be true or false"))?,
    };
    let content_type = call.query.take("contentType")?;
    let response_topic = call.query.take("responseTopic")?;
    let message_expiry = call.query.take("messageExpiry")?;
    call.query.finish()?;
    let properties = MessageProperties {
        payload_format_indicator: payload_format(call)?,
        message_expiry_interval: message_expiry.map(|text| expiry_secs(&text)).transpose()?,
        content_type: content_type.map(|text| bounded(&text, "contentType", limits::CONTENT_TYPE_BYTES)).transpose()?,
        response_topic: response_topic.map(|text| response(&text)).transpose()?,
        correlation_data: call.header(CORRELATION_DATA)?.map(correlation_data).transpose()?,
        user_properties: call.header(USER_PROPERTIES)?.map(user_properties).transpose()?.unwrap_or_default(),
    };
    Ok(Input { topic, qos, retain, properties })
}

/// AWS's clients write booleans in any case.
fn truth(word: &str) -> Option<bool> {
    if word.eq_ignore_ascii_case("true") {
        return Some(true);
    }
    word.eq_ignore_ascii_case("false").then_some(false)
}

fn expiry_secs(text: &str) -> Result<u32, Failure> {
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| {
        Failure::invalid(format!("messageExpiry must be a whole number of seconds, at most {}", u32::MAX))
    })
}

fn bounded(text: &str, name: &str, limit_bytes: usize) -> Result<Utf8Bytes, Failure> {
    if text.len() > limit_bytes {
        return Err(Failure::invalid(format!("{name} has more than {limit_bytes} bytes")));
    }
    Utf8Bytes::try_from(text).map_err(|invalid| Failure::invalid(format!("{name}: {invalid}")))
}

fn response(text: &str) -> Result<Utf8Bytes, Failure> {
    let topic = TopicName::parse(text).map_err(|invalid| Failure::invalid(format!("responseTopic: {invalid}")))?;
    bounded(topic.as_str(), "responseTopic", usize::from(u16::MAX))
}

fn payload_format(call: &Call<'_>) -> Result<Option<bool>, Failure> {
    match call.header(PAYLOAD_FORMAT)? {
        None => Ok(None),
        Some("UNSPECIFIED_BYTES") => Ok(Some(false)),
        Some("UTF8_DATA") if std::str::from_utf8(&call.body).is_ok() => Ok(Some(true)),
        Some("UTF8_DATA") => Err(Failure::invalid("the payload is said to be UTF8_DATA, and is not UTF-8")),
        Some(_) => Err(Failure::invalid(format!("{PAYLOAD_FORMAT} must be UNSPECIFIED_BYTES or UTF8_DATA"))),
    }
}

fn correlation_data(text: &str) -> Result<Bytes, Failure> {
    let data =
        STANDARD.decode(text.trim()).map_err(|_| Failure::invalid(format!("{CORRELATION_DATA} must be base64")))?;
    if data.len() > limits::CORRELATION_DATA_BYTES {
        let limit = limits::CORRELATION_DATA_BYTES;
        return Err(Failure::invalid(format!("{CORRELATION_DATA} has more than {limit} bytes")));
    }
    Ok(Bytes::from(data))
}

/// Base64 of a JSON array, whose elements are objects with one name and its value; or of a JSON string that holds such an
/// array, which is what AWS's CLI and boto3 make of a string.
fn user_properties(text: &str) -> Result<UserProperties, Failure> {
    let form = || {
        Failure::invalid(format!(
            "{USER_PROPERTIES} must be base64 of a JSON array of objects with one string each, such as [{{\"name\":\"value\"}}]"
        ))
    };
    let json = STANDARD.decode(text.trim()).map_err(|_| form())?;
    let list: Vec<Map<String, Value>> = match serde_json::from_slice::<String>(&json) {
        Ok(text) => serde_json::from_str(&text),
        Err(_) => serde_json::from_slice(&json),
    }
    .map_err(|_| form())?;
    let mut properties = UserProperties::new();
    let mut bytes = 0;
    for property in list {
        let mut members = property.into_iter();
        let (Some((name, Value::String(value))), None) = (members.next(), members.next()) else { return Err(form()) };
        bytes += name.len() + value.len();
        let text = |text: &str| bounded(text, USER_PROPERTIES, usize::from(u16::MAX));
        properties.push((text(&name)?, text(&value)?));
    }
    if bytes > limits::USER_PROPERTIES_BYTES {
        let limit = limits::USER_PROPERTIES_BYTES;
        return Err(Failure::invalid(format!("{USER_PROPERTIES} has more than {limit} bytes of names and values")));
    }
    Ok(properties)
}
