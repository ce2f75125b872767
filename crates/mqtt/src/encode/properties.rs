//! The property sections, in the order of their numbers but for user properties, which come last.

use bytes::Bytes;

use super::Form;
use super::sink::{Counter, Sink};
use crate::decode::id;
use crate::packet::{
    Auth, ConnAckProperties, ConnectProperties, Disconnect, MessageProperties, Publish, Qos, ReasonProperties,
    UserProperties, Will,
};
use crate::text::Utf8Bytes;

/// Something that is written as properties.
pub(super) trait Properties {
    fn write<S: Sink>(&self, form: Form, sink: &mut S);

    /// The properties with their length in front.
    fn section<S: Sink>(&self, form: Form, sink: &mut S) {
        let mut counter = Counter::default();
        self.write(form, &mut counter);
        sink.varint(counter.bytes_unchecked());
        self.write(form, sink);
    }

    fn is_empty(&self, form: Form) -> bool {
        let mut counter = Counter::default();
        self.write(form, &mut counter);
        counter.bytes_unchecked() == 0
    }
}

fn byte<S: Sink>(sink: &mut S, id: u8, value: Option<bool>) {
    if let Some(value) = value {
        sink.u8(id);
        sink.u8(u8::from(value));
    }
}

fn two<S: Sink>(sink: &mut S, id: u8, value: Option<u16>) {
    if let Some(value) = value {
        sink.u8(id);
        sink.u16(value);
    }
}

fn four<S: Sink>(sink: &mut S, id: u8, value: Option<u32>) {
    if let Some(value) = value {
        sink.u8(id);
        sink.u32(value);
    }
}

fn text<S: Sink>(sink: &mut S, id: u8, value: Option<&Utf8Bytes>) {
    if let Some(value) = value {
        sink.u8(id);
        sink.binary(value.as_bytes());
    }
}

fn binary<S: Sink>(sink: &mut S, id: u8, value: Option<&Bytes>) {
    if let Some(value) = value {
        sink.u8(id);
        sink.binary(value);
    }
}

fn identifier<S: Sink>(sink: &mut S, value: u32) {
    sink.u8(id::SUBSCRIPTION_IDENTIFIER);
    sink.varint(usize::try_from(value).unwrap_or_default());
}

fn user<S: Sink>(sink: &mut S, properties: &UserProperties) {
    for (name, value) in properties {
        sink.u8(id::USER_PROPERTY);
        sink.binary(name.as_bytes());
        sink.binary(value.as_bytes());
    }
}

impl Properties for ConnectProperties {
    fn write<S: Sink>(&self, _: Form, sink: &mut S) {
        four(sink, id::SESSION_EXPIRY_INTERVAL, self.session_expiry_interval);
        text(sink, id::AUTHENTICATION_METHOD, self.authentication_method.as_ref());
        binary(sink, id::AUTHENTICATION_DATA, self.authentication_data.as_ref());
        byte(sink, id::REQUEST_PROBLEM_INFORMATION, self.request_problem_information);
        byte(sink, id::REQUEST_RESPONSE_INFORMATION, self.request_response_information);
        two(sink, id::RECEIVE_MAXIMUM, self.receive_maximum);
        two(sink, id::TOPIC_ALIAS_MAXIMUM, self.topic_alias_maximum);
        four(sink, id::MAXIMUM_PACKET_SIZE, self.maximum_packet_size);
        user(sink, &self.user_properties);
    }
}

/// A message's properties. The expiry interval is handed in, since it shrinks on the way.
fn message<S: Sink>(properties: &MessageProperties, expiry_secs: Option<u32>, sink: &mut S) {
    byte(sink, id::PAYLOAD_FORMAT_INDICATOR, properties.payload_format_indicator);
    four(sink, id::MESSAGE_EXPIRY_INTERVAL, expiry_secs);
    text(sink, id::CONTENT_TYPE, properties.content_type.as_ref());
    text(sink, id::RESPONSE_TOPIC, properties.response_topic.as_ref());
    binary(sink, id::CORRELATION_DATA, properties.correlation_data.as_ref());
    user(sink, &properties.user_properties);
}

impl Properties for Will {
    fn write<S: Sink>(&self, _: Form, sink: &mut S) {
        four(sink, id::WILL_DELAY_INTERVAL, self.delay_interval);
        message(&self.properties, self.properties.message_expiry_interval, sink);
    }
}

impl Properties for Publish {
    fn write<S: Sink>(&self, _: Form, sink: &mut S) {
        two(sink, id::TOPIC_ALIAS, self.topic_alias);
        for &subscription in &self.subscription_identifiers {
            identifier(sink, subscription);
        }
        message(&self.properties, self.properties.message_expiry_interval, sink);
    }
}

/// The properties of a message on its way to a subscriber.
pub(super) struct Forwarded<'a> {
    pub(super) properties: &'a MessageProperties,
    pub(super) expiry_secs: Option<u32>,
}

impl Properties for Forwarded<'_> {
    fn write<S: Sink>(&self, _: Form, sink: &mut S) {
        message(self.properties, self.expiry_secs, sink);
    }
}

impl Properties for ConnAckProperties {
    fn write<S: Sink>(&self, form: Form, sink: &mut S) {
        four(sink, id::SESSION_EXPIRY_INTERVAL, self.session_expiry_interval);
        text(sink, id::ASSIGNED_CLIENT_IDENTIFIER, self.assigned_client_identifier.as_ref());
        two(sink, id::SERVER_KEEP_ALIVE, self.server_keep_alive);
        text(sink, id::AUTHENTICATION_METHOD, self.authentication_method.as_ref());
        binary(sink, id::AUTHENTICATION_DATA, self.authentication_data.as_ref());
        text(sink, id::RESPONSE_INFORMATION, self.response_information.as_ref());
        text(sink, id::SERVER_REFERENCE, self.server_reference.as_ref());
        two(sink, id::RECEIVE_MAXIMUM, self.receive_maximum);
        two(sink, id::TOPIC_ALIAS_MAXIMUM, self.topic_alias_maximum);
        let maximum_qos = match self.maximum_qos {
            Some(Qos::AtMostOnce) => Some(false),
            Some(Qos::AtLeastOnce) => Some(true),
            Some(Qos::ExactlyOnce) | None => None,
        };
        byte(sink, id::MAXIMUM_QOS, maximum_qos);
        byte(sink, id::RETAIN_AVAILABLE, self.retain_available);
        four(sink, id::MAXIMUM_PACKET_SIZE, self.maximum_packet_size);
        byte(sink, id::WILDCARD_SUBSCRIPTION_AVAILABLE, self.wildcard_subscription_available);
        byte(sink, id::SUBSCRIPTION_IDENTIFIERS_AVAILABLE, self.subscription_identifiers_available);
        byte(sink, id::SHARED_SUBSCRIPTION_AVAILABLE, self.shared_subscription_available);
        explanation(form, self.reason_string.as_ref(), &self.user_properties, sink);
    }
}

/// What a peer may not want, or have no room for.
fn explanation<S: Sink>(form: Form, reason: Option<&Utf8Bytes>, properties: &UserProperties, sink: &mut S) {
    if form.reason_string {
        text(sink, id::REASON_STRING, reason);
    }
    if form.user_properties {
        user(sink, properties);
    }
}

impl Properties for ReasonProperties {
    fn write<S: Sink>(&self, form: Form, sink: &mut S) {
        explanation(form, self.reason_string.as_ref(), &self.user_properties, sink);
    }
}

/// The properties of SUBSCRIBE, and without the identifier those of UNSUBSCRIBE.
pub(super) struct Subscribing<'a> {
    pub(super) identifier: Option<u32>,
    pub(super) user_properties: &'a UserProperties,
}

impl Properties for Subscribing<'_> {
    fn write<S: Sink>(&self, _: Form, sink: &mut S) {
        if let Some(value) = self.identifier {
            identifier(sink, value);
        }
        user(sink, self.user_properties);
    }
}

impl Properties for Disconnect {
    fn write<S: Sink>(&self, form: Form, sink: &mut S) {
        four(sink, id::SESSION_EXPIRY_INTERVAL, self.session_expiry_interval);
        text(sink, id::SERVER_REFERENCE, self.server_reference.as_ref());
        explanation(form, self.reason_string.as_ref(), &self.user_properties, sink);
    }
}

impl Properties for Auth {
    fn write<S: Sink>(&self, form: Form, sink: &mut S) {
        text(sink, id::AUTHENTICATION_METHOD, self.authentication_method.as_ref());
        binary(sink, id::AUTHENTICATION_DATA, self.authentication_data.as_ref());
        explanation(form, self.reason_string.as_ref(), &self.user_properties, sink);
    }
}
