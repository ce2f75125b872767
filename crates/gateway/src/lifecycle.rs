//! Lifecycle events: what the service publishes when clients come, go and subscribe ("Lifecycle events", AWS IoT Core
//! developer guide). None are published for client ids with `+` or `#`, which no topic name can hold.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_broker::{Broker, ConnectionInfo, Message};
use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::disconnect::DisconnectReason;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use gatehouse_domain::topic::TopicName;
use gatehouse_mqtt::{MessageProperties, Qos};
use serde_json::{Map, Value, json};

/// Publishes the events of one connection.
pub(crate) struct Lifecycle {
    broker: Broker,
    scope: Scope,
    client_id: ClientId,
    info: Arc<ConnectionInfo>,
    version: u64,
}

impl Lifecycle {
    pub(crate) fn new(
        broker: Broker,
        scope: Scope,
        client_id: ClientId,
        info: Arc<ConnectionInfo>,
        version: u64,
    ) -> Self {
        Self { broker, scope, client_id, info, version }
    }

    pub(crate) fn connected(&self, now: Timestamp) {
        self.publish("presence", "connected", now, |event| {
            event.insert("ipAddress".to_owned(), json!(self.info.source.ip()));
            event.insert("versionNumber".to_owned(), json!(self.version));
        });
    }

    pub(crate) fn disconnected(&self, reason: DisconnectReason, now: Timestamp) {
        self.publish("presence", "disconnected", now, |event| {
            let by_client = reason == DisconnectReason::ClientInitiated;
            event.insert("clientInitiatedDisconnect".to_owned(), json!(by_client));
            event.insert("disconnectReason".to_owned(), json!(reason.as_str()));
            event.insert("versionNumber".to_owned(), json!(self.version));
        });
    }

    /// `topics` are the filters, as the client wrote them.
    pub(crate) fn subscribed(&self, topics: &[&str], now: Timestamp) {
        self.publish("subscriptions", "subscribed", now, |event| {
            event.insert("topics".to_owned(), json!(topics));
        });
    }

    /// `topics` are the filters, as the client wrote them.
    pub(crate) fn unsubscribed(&self, topics: &[&str], now: Timestamp) {
        self.publish("subscriptions", "unsubscribed", now, |event| {
            event.insert("topics".to_owned(), json!(topics));
        });
    }

    /// Makes the event only when somebody listens.
    fn publish(&self, family: &str, event_type: &str, now: Timestamp, complete: impl FnOnce(&mut Map<String, Value>)) {
        let Some(topic) = topic(&self.broker, self.scope, family, event_type, self.client_id.as_str()) else { return };
        let mut event = event(&self.client_id, self.info.thing_name.as_ref(), event_type, now);
        event.insert("sessionIdentifier".to_owned(), json!(self.info.session_identifier));
        event.insert("principalIdentifier".to_owned(), json!(self.info.principal));
        complete(&mut event);
        self.broker.publish(self.scope, &message(topic, event, now));
    }
}

/// A client whose CONNECT the policies refused: itself, or its will.
pub(crate) struct ConnectFailed<'a> {
    pub(crate) scope: Scope,
    pub(crate) client_id: &'a ClientId,
    pub(crate) principal: String,
    pub(crate) session_identifier: String,
    pub(crate) source_ip: std::net::IpAddr,
}

impl ConnectFailed<'_> {
    pub(crate) fn publish(self, broker: &Broker, now: Timestamp) {
        const EVENT_TYPE: &str = "connect_failed";
        let Some(topic) = topic(broker, self.scope, "presence", EVENT_TYPE, self.client_id.as_str()) else { return };
        let mut event = event(self.client_id, None, EVENT_TYPE, now);
        event.insert("connectFailureReason".to_owned(), json!("AUTHORIZATION_FAILED"));
        event.insert("principalIdentifier".to_owned(), json!(self.principal));
        event.insert("sessionIdentifier".to_owned(), json!(self.session_identifier));
        event.insert("ipAddress".to_owned(), json!(self.source_ip));
        broker.publish(self.scope, &message(topic, event, now));
    }
}

/// The event's topic, if there is one and somebody listens to it.
fn topic(broker: &Broker, scope: Scope, family: &str, event_type: &str, client_id: &str) -> Option<TopicName> {
    let topic = TopicName::of_service(&format!("$aws/events/{family}/{event_type}/{client_id}")).ok()?;
    broker.has_subscribers(scope, &topic).then_some(topic)
}

fn event(client_id: &ClientId, thing: Option<&ThingName>, event_type: &str, now: Timestamp) -> Map<String, Value> {
    let mut event = Map::new();
    event.insert("clientId".to_owned(), json!(client_id.as_str()));
    if let Some(thing) = thing {
        event.insert("thingName".to_owned(), json!(thing.as_str()));
    }
    event.insert("timestamp".to_owned(), json!(now.as_millis()));
    event.insert("eventType".to_owned(), json!(event_type));
    event
}

fn message(topic: TopicName, event: Map<String, Value>, now: Timestamp) -> Arc<Message> {
    Arc::new(Message {
        topic,
        payload: Bytes::from(Value::Object(event).to_string()),
        qos: Qos::AtLeastOnce,
        properties: MessageProperties::NONE,
        published_at: now,
        retain: false,
    })
}
