//! The columns that every stored message has, waiting for a session or retained.

use gatehouse_domain::time::Timestamp;
use gatehouse_domain::topic::TopicName;

use crate::Error;
use crate::engine::{Columns, Value, params};

/// A message on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// Where it was published.
    pub topic: TopicName,
    /// The payload.
    pub payload: Vec<u8>,
    /// When the server took it.
    pub published_at: Timestamp,
    /// When it must not be delivered any more.
    pub expires_at: Option<Timestamp>,
    /// Whether the publisher says that the payload is UTF-8.
    pub payload_format: Option<bool>,
    /// Content type.
    pub content_type: Option<String>,
    /// Response topic.
    pub response_topic: Option<String>,
    /// Correlation data.
    pub correlation_data: Option<Vec<u8>>,
    /// Names and values, in the publisher's order.
    pub user_properties: Vec<(String, String)>,
}

/// The columns, in the order in which [`read`] and [`StoredMessage::values`] have them.
macro_rules! message_columns {
    () => {
        "topic, payload, published_at, expires_at, payload_format, content_type, response_topic, correlation_data, user_properties"
    };
}
pub(crate) use message_columns;

impl StoredMessage {
    pub(crate) fn values(&self) -> Result<[Value; 9], Error> {
        let user_properties = match self.user_properties.as_slice() {
            [] => None,
            pairs => Some(serde_json::to_string(pairs).map_err(|why| Error::Unavailable(why.to_string()))?),
        };
        Ok(params![
            self.topic.as_str(),
            self.payload.as_slice(),
            self.published_at,
            self.expires_at,
            self.payload_format,
            self.content_type.as_deref(),
            self.response_topic.as_deref(),
            self.correlation_data.as_deref(),
            user_properties,
        ])
    }
}

pub(crate) fn read(columns: &mut Columns) -> Result<StoredMessage, Error> {
    let topic = columns.text("topic")?;
    Ok(StoredMessage {
        topic: TopicName::of_service(&topic).map_err(|_| columns.corrupt("topic"))?,
        payload: columns.blob("payload")?,
        published_at: columns.time("published_at")?,
        expires_at: columns.optional_time("expires_at")?,
        payload_format: columns.optional_flag("payload_format")?,
        content_type: columns.optional_text("content_type")?,
        response_topic: columns.optional_text("response_topic")?,
        correlation_data: columns.optional_blob("correlation_data")?,
        user_properties: match columns.optional_text("user_properties")? {
            None => Vec::new(),
            Some(text) => serde_json::from_str(&text).map_err(|_| columns.corrupt("user_properties"))?,
        },
    })
}
