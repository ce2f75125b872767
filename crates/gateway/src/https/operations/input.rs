//! What several operations take: flags, numbers, and the properties of a message.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::limits;
use gatehouse_domain::topic::TopicName;
use gatehouse_mqtt::packet::UserProperties;
use gatehouse_mqtt::{MessageProperties, Utf8Bytes};
use serde_json::{Map, Value};

use super::Call;
use crate::https::answer::Failure;

const USER_PROPERTIES: &str = "x-amz-mqtt5-user-properties";
const PAYLOAD_FORMAT: &str = "x-amz-mqtt5-payload-format-indicator";
const CORRELATION_DATA: &str = "x-amz-mqtt5-correlation-data";

/// A flag of the query, `false` when it is not there. AWS's clients write booleans in any case.
pub(super) fn truth(call: &mut Call<'_>, name: &'static str) -> Result<bool, Failure> {
    match call.query.take(name)? {
        None => Ok(false),
        Some(word) if word.eq_ignore_ascii_case("true") => Ok(true),
        Some(word) if word.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => Err(Failure::invalid(format!("{name} must be true or false"))),
    }
}

/// A whole number of the query within `range`.
pub(super) fn number(
    call: &mut Call<'_>,
    name: &'static str,
    range: std::ops::RangeInclusive<u32>,
) -> Result<Option<u32>, Failure> {
    let Some(text) = call.query.take(name)? else { return Ok(None) };
    let digits = Some(&*text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok()).filter(|number| range.contains(number));
    number.map(Some).ok_or_else(|| {
        Failure::invalid(format!("{name} must be a whole number from {} to {}", range.start(), range.end()))
    })
}

/// The client id in the path.
pub(super) fn client_id(call: &Call<'_>) -> Result<ClientId, Failure> {
    ClientId::parse(call.label("clientId")).map_err(|invalid| Failure::invalid(invalid.to_string()))
}

/// The properties of a message, in query and headers, but for its expiry.
pub(super) fn properties(call: &mut Call<'_>) -> Result<MessageProperties, Failure> {
    let content_type = call.query.take("contentType")?;
    let response_topic = call.query.take("responseTopic")?;
    Ok(MessageProperties {
        payload_format_indicator: payload_format(call)?,
        message_expiry_interval: None,
        content_type: content_type.map(|text| bounded(&text, "contentType", limits::CONTENT_TYPE_BYTES)).transpose()?,
        response_topic: response_topic.map(|text| response(&text)).transpose()?,
        correlation_data: call.header(CORRELATION_DATA)?.map(correlation_data).transpose()?,
        user_properties: call.header(USER_PROPERTIES)?.map(user_properties).transpose()?.unwrap_or_default(),
    })
}

/// The page to begin after, and how many items it may have. Tokens are opaque; one that was made up finds another page
/// of the same list, and nothing else.
pub(super) fn page(call: &mut Call<'_>, default: u32, max: u32) -> Result<(Option<String>, u32), Failure> {
    let size = number(call, "maxResults", 1..=max)?.unwrap_or(default);
    let Some(token) = call.query.take("nextToken")? else { return Ok((None, size)) };
    let after = URL_SAFE_NO_PAD.decode(token.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let after = after.ok_or_else(|| Failure::invalid("nextToken is none that this operation has given"))?;
    Ok((Some(after), size))
}

/// The token of the page that begins after `last`.
pub(super) fn token(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
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
