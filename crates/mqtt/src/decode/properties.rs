//! The property sections, each with the properties that its packet may have (MQTT 5, table 2-4) and no others.

use super::DecodeError;
use super::reader::Reader;
use crate::packet::{
    Auth, ConnAckProperties, ConnectProperties, Disconnect, MessageProperties, Qos, ReasonProperties, UserProperties,
};
use crate::text::Utf8Bytes;

/// The numbers of the properties, for both directions.
pub(crate) mod id {
    pub(crate) const PAYLOAD_FORMAT_INDICATOR: u8 = 0x01;
    pub(crate) const MESSAGE_EXPIRY_INTERVAL: u8 = 0x02;
    pub(crate) const CONTENT_TYPE: u8 = 0x03;
    pub(crate) const RESPONSE_TOPIC: u8 = 0x08;
    pub(crate) const CORRELATION_DATA: u8 = 0x09;
    pub(crate) const SUBSCRIPTION_IDENTIFIER: u8 = 0x0b;
    pub(crate) const SESSION_EXPIRY_INTERVAL: u8 = 0x11;
    pub(crate) const ASSIGNED_CLIENT_IDENTIFIER: u8 = 0x12;
    pub(crate) const SERVER_KEEP_ALIVE: u8 = 0x13;
    pub(crate) const AUTHENTICATION_METHOD: u8 = 0x15;
    pub(crate) const AUTHENTICATION_DATA: u8 = 0x16;
    pub(crate) const REQUEST_PROBLEM_INFORMATION: u8 = 0x17;
    pub(crate) const WILL_DELAY_INTERVAL: u8 = 0x18;
    pub(crate) const REQUEST_RESPONSE_INFORMATION: u8 = 0x19;
    pub(crate) const RESPONSE_INFORMATION: u8 = 0x1a;
    pub(crate) const SERVER_REFERENCE: u8 = 0x1c;
    pub(crate) const REASON_STRING: u8 = 0x1f;
    pub(crate) const RECEIVE_MAXIMUM: u8 = 0x21;
    pub(crate) const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
    pub(crate) const TOPIC_ALIAS: u8 = 0x23;
    pub(crate) const MAXIMUM_QOS: u8 = 0x24;
    pub(crate) const RETAIN_AVAILABLE: u8 = 0x25;
    pub(crate) const USER_PROPERTY: u8 = 0x26;
    pub(crate) const MAXIMUM_PACKET_SIZE: u8 = 0x27;
    pub(crate) const WILDCARD_SUBSCRIPTION_AVAILABLE: u8 = 0x28;
    pub(crate) const SUBSCRIPTION_IDENTIFIERS_AVAILABLE: u8 = 0x29;
    pub(crate) const SHARED_SUBSCRIPTION_AVAILABLE: u8 = 0x2a;
}

/// What PUBLISH has beside the message's own properties.
#[derive(Default)]
pub(super) struct PublishProperties {
    pub(super) topic_alias: Option<u16>,
    pub(super) subscription_identifiers: Vec<u32>,
    pub(super) message: MessageProperties,
}

pub(super) fn connect(reader: &mut Reader) -> Result<ConnectProperties, DecodeError> {
    let mut section = reader.properties()?;
    let mut found = ConnectProperties::default();
    while let Some(property) = next(&mut section)? {
        let r = &mut section;
        match property {
            id::SESSION_EXPIRY_INTERVAL => once(&mut found.session_expiry_interval, r.u32()?)?,
            id::RECEIVE_MAXIMUM => once(&mut found.receive_maximum, not_zero(r.u16()?)?)?,
            id::MAXIMUM_PACKET_SIZE => once(&mut found.maximum_packet_size, not_zero(r.u32()?)?)?,
            id::TOPIC_ALIAS_MAXIMUM => once(&mut found.topic_alias_maximum, r.u16()?)?,
            id::REQUEST_RESPONSE_INFORMATION => once(&mut found.request_response_information, r.bool()?)?,
            id::REQUEST_PROBLEM_INFORMATION => once(&mut found.request_problem_information, r.bool()?)?,
            id::USER_PROPERTY => found.user_properties.push(user_property(r)?),
            id::AUTHENTICATION_METHOD => once(&mut found.authentication_method, r.text()?)?,
            id::AUTHENTICATION_DATA => once(&mut found.authentication_data, r.binary()?)?,
            _ => return Err(NOT_HERE),
        }
    }
    if found.authentication_data.is_some() && found.authentication_method.is_none() {
        return Err(DecodeError::Protocol("authentication data without authentication method"));
    }
    Ok(found)
}

/// The will's delay interval and its message's properties.
pub(super) fn will(reader: &mut Reader) -> Result<(Option<u32>, MessageProperties), DecodeError> {
    let mut section = reader.properties()?;
    let mut delay_interval = None;
    let mut message = MessageProperties::default();
    while let Some(property) = next(&mut section)? {
        match property {
            id::WILL_DELAY_INTERVAL => once(&mut delay_interval, section.u32()?)?,
            other => message_property(other, &mut section, &mut message)?,
        }
    }
    Ok((delay_interval, message))
}

pub(super) fn publish(reader: &mut Reader) -> Result<PublishProperties, DecodeError> {
    let mut section = reader.properties()?;
    let mut found = PublishProperties::default();
    while let Some(property) = next(&mut section)? {
        match property {
            id::TOPIC_ALIAS => once(&mut found.topic_alias, section.u16()?)?,
            id::SUBSCRIPTION_IDENTIFIER => found.subscription_identifiers.push(not_zero(section.varint()?)?),
            other => message_property(other, &mut section, &mut found.message)?,
        }
    }
    Ok(found)
}

fn message_property(property: u8, r: &mut Reader, found: &mut MessageProperties) -> Result<(), DecodeError> {
    match property {
        id::PAYLOAD_FORMAT_INDICATOR => once(&mut found.payload_format_indicator, r.bool()?),
        id::MESSAGE_EXPIRY_INTERVAL => once(&mut found.message_expiry_interval, r.u32()?),
        id::CONTENT_TYPE => once(&mut found.content_type, r.text()?),
        id::RESPONSE_TOPIC => once(&mut found.response_topic, r.text()?),
        id::CORRELATION_DATA => once(&mut found.correlation_data, r.binary()?),
        id::USER_PROPERTY => {
            found.user_properties.push(user_property(r)?);
            Ok(())
        }
        _ => Err(NOT_HERE),
    }
}

pub(super) fn connack(reader: &mut Reader) -> Result<ConnAckProperties, DecodeError> {
    let mut section = reader.properties()?;
    let mut found = ConnAckProperties::default();
    while let Some(property) = next(&mut section)? {
        let r = &mut section;
        match property {
            id::SESSION_EXPIRY_INTERVAL => once(&mut found.session_expiry_interval, r.u32()?)?,
            id::RECEIVE_MAXIMUM => once(&mut found.receive_maximum, not_zero(r.u16()?)?)?,
            id::MAXIMUM_QOS => {
                let qos = if r.bool()? { Qos::AtLeastOnce } else { Qos::AtMostOnce };
                once(&mut found.maximum_qos, qos)?;
            }
            id::RETAIN_AVAILABLE => once(&mut found.retain_available, r.bool()?)?,
            id::MAXIMUM_PACKET_SIZE => once(&mut found.maximum_packet_size, not_zero(r.u32()?)?)?,
            id::ASSIGNED_CLIENT_IDENTIFIER => once(&mut found.assigned_client_identifier, r.text()?)?,
            id::TOPIC_ALIAS_MAXIMUM => once(&mut found.topic_alias_maximum, r.u16()?)?,
            id::REASON_STRING => once(&mut found.reason_string, r.text()?)?,
            id::USER_PROPERTY => found.user_properties.push(user_property(r)?),
            id::WILDCARD_SUBSCRIPTION_AVAILABLE => once(&mut found.wildcard_subscription_available, r.bool()?)?,
            id::SUBSCRIPTION_IDENTIFIERS_AVAILABLE => once(&mut found.subscription_identifiers_available, r.bool()?)?,
            id::SHARED_SUBSCRIPTION_AVAILABLE => once(&mut found.shared_subscription_available, r.bool()?)?,
            id::SERVER_KEEP_ALIVE => once(&mut found.server_keep_alive, r.u16()?)?,
            id::RESPONSE_INFORMATION => once(&mut found.response_information, r.text()?)?,
            id::SERVER_REFERENCE => once(&mut found.server_reference, r.text()?)?,
            id::AUTHENTICATION_METHOD => once(&mut found.authentication_method, r.text()?)?,
            id::AUTHENTICATION_DATA => once(&mut found.authentication_data, r.binary()?)?,
            _ => return Err(NOT_HERE),
        }
    }
    Ok(found)
}

pub(super) fn acknowledgement(reader: &mut Reader) -> Result<ReasonProperties, DecodeError> {
    let mut section = reader.properties()?;
    let mut found = ReasonProperties::default();
    while let Some(property) = next(&mut section)? {
        match property {
            id::REASON_STRING => once(&mut found.reason_string, section.text()?)?,
            id::USER_PROPERTY => found.user_properties.push(user_property(&mut section)?),
            _ => return Err(NOT_HERE),
        }
    }
    Ok(found)
}

/// The subscription identifier and the user properties.
pub(super) fn subscribe(reader: &mut Reader) -> Result<(Option<u32>, UserProperties), DecodeError> {
    let mut section = reader.properties()?;
    let mut identifier = None;
    let mut user_properties = Vec::new();
    while let Some(property) = next(&mut section)? {
        match property {
            id::SUBSCRIPTION_IDENTIFIER => once(&mut identifier, not_zero(section.varint()?)?)?,
            id::USER_PROPERTY => user_properties.push(user_property(&mut section)?),
            _ => return Err(NOT_HERE),
        }
    }
    Ok((identifier, user_properties))
}

pub(super) fn unsubscribe(reader: &mut Reader) -> Result<UserProperties, DecodeError> {
    let mut section = reader.properties()?;
    let mut user_properties = Vec::new();
    while let Some(property) = next(&mut section)? {
        match property {
            id::USER_PROPERTY => user_properties.push(user_property(&mut section)?),
            _ => return Err(NOT_HERE),
        }
    }
    Ok(user_properties)
}

pub(super) fn disconnect(reader: &mut Reader, found: &mut Disconnect) -> Result<(), DecodeError> {
    let mut section = reader.properties()?;
    while let Some(property) = next(&mut section)? {
        match property {
            id::SESSION_EXPIRY_INTERVAL => once(&mut found.session_expiry_interval, section.u32()?)?,
            id::REASON_STRING => once(&mut found.reason_string, section.text()?)?,
            id::USER_PROPERTY => found.user_properties.push(user_property(&mut section)?),
            id::SERVER_REFERENCE => once(&mut found.server_reference, section.text()?)?,
            _ => return Err(NOT_HERE),
        }
    }
    Ok(())
}

pub(super) fn auth(reader: &mut Reader, found: &mut Auth) -> Result<(), DecodeError> {
    let mut section = reader.properties()?;
    while let Some(property) = next(&mut section)? {
        match property {
            id::AUTHENTICATION_METHOD => once(&mut found.authentication_method, section.text()?)?,
            id::AUTHENTICATION_DATA => once(&mut found.authentication_data, section.binary()?)?,
            id::REASON_STRING => once(&mut found.reason_string, section.text()?)?,
            id::USER_PROPERTY => found.user_properties.push(user_property(&mut section)?),
            _ => return Err(NOT_HERE),
        }
    }
    Ok(())
}

const NOT_HERE: DecodeError = DecodeError::Malformed("property is unknown or not allowed in this packet");

/// The number of the next property. Every number that exists takes one byte.
fn next(section: &mut Reader) -> Result<Option<u8>, DecodeError> {
    if section.is_empty() {
        return Ok(None);
    }
    u8::try_from(section.varint()?).map(Some).map_err(|_| NOT_HERE)
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), DecodeError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(DecodeError::Protocol("property appears twice")),
    }
}

fn not_zero<T: Default + PartialEq>(value: T) -> Result<T, DecodeError> {
    if value == T::default() { Err(DecodeError::Protocol("property must not be 0")) } else { Ok(value) }
}

fn user_property(reader: &mut Reader) -> Result<(Utf8Bytes, Utf8Bytes), DecodeError> {
    Ok((reader.text()?, reader.text()?))
}
