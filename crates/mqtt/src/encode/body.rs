//! Variable header and payload of each packet type, written to a [`Sink`].

use super::properties::{Forwarded, Properties, Subscribing};
use super::sink::Sink;
use super::{EncodeError, Form};
use crate::connection::OutboundMessage;
use crate::packet::{Acknowledgement, ConnAck, Connect, Delivery, Packet, PacketType, Publish, Subscription, Version};
use crate::reason::ReasonCode;

/// Can this version say it?
pub(super) fn check(packet: &Packet, version: Version) -> Result<(), EncodeError> {
    if version == Version::V5 {
        return Ok(());
    }
    match packet {
        Packet::Connect(connect) if connect.password.is_some() && connect.username.is_none() => {
            Err(EncodeError::NotInVersion("password without user name"))
        }
        Packet::ConnAck(connack) if connack.reason.connack_return_code().is_none() => {
            Err(EncodeError::NotInVersion("this refusal of a CONNECT"))
        }
        Packet::PubAck(acknowledgement)
        | Packet::PubRec(acknowledgement)
        | Packet::PubRel(acknowledgement)
        | Packet::PubComp(acknowledgement)
            if acknowledgement.reason.is_refusal() =>
        {
            Err(EncodeError::NotInVersion("refusal of a PUBLISH"))
        }
        Packet::Auth(_) => Err(EncodeError::NotInVersion("AUTH")),
        _ => Ok(()),
    }
}

pub(super) fn first_byte(packet: &Packet) -> u8 {
    let flags = match packet {
        Packet::Publish(publish) => return publish_first_byte(publish.delivery, publish.dup, publish.retain),
        Packet::PubRel(_) | Packet::Subscribe(_) | Packet::Unsubscribe(_) => 2,
        _ => 0,
    };
    ((packet.packet_type() as u8) << 4) | flags
}

/// DUP is left out at QoS 0 ([MQTT-3.3.1-2]).
pub(super) fn publish_first_byte(delivery: Delivery, dup: bool, retain: bool) -> u8 {
    let dup = dup && delivery != Delivery::AtMostOnce;
    ((PacketType::Publish as u8) << 4) | (u8::from(dup) << 3) | (delivery.qos().value() << 1) | u8::from(retain)
}

pub(super) fn write<S: Sink>(packet: &Packet, form: Form, sink: &mut S) {
    let is_v5 = form.version == Version::V5;
    match packet {
        Packet::Connect(packet) => connect(packet, form, sink),
        Packet::ConnAck(packet) => connack(packet, form, sink),
        Packet::Publish(packet) => publish(packet, form, sink),
        Packet::PubAck(packet) | Packet::PubRec(packet) | Packet::PubRel(packet) | Packet::PubComp(packet) => {
            acknowledgement(packet, form, sink);
        }
        Packet::Subscribe(packet) => {
            sink.u16(packet.packet_id.get());
            if is_v5 {
                let properties = Subscribing {
                    identifier: packet.subscription_identifier,
                    user_properties: &packet.user_properties,
                };
                properties.section(form, sink);
            }
            packet.filters.iter().for_each(|filter| subscription(filter, form, sink));
        }
        Packet::SubAck(packet) => {
            sink.u16(packet.packet_id.get());
            if is_v5 {
                packet.properties.section(form, sink);
            }
            packet.reasons.iter().for_each(|&reason| sink.u8(suback_code(reason, form.version)));
        }
        Packet::Unsubscribe(packet) => {
            sink.u16(packet.packet_id.get());
            if is_v5 {
                Subscribing { identifier: None, user_properties: &packet.user_properties }.section(form, sink);
            }
            packet.filters.iter().for_each(|filter| sink.binary(filter.as_bytes()));
        }
        Packet::UnsubAck(packet) => {
            sink.u16(packet.packet_id.get());
            if is_v5 {
                packet.properties.section(form, sink);
                packet.reasons.iter().for_each(|reason| sink.u8(reason.value()));
            }
        }
        Packet::PingReq | Packet::PingResp => {}
        Packet::Disconnect(packet) if is_v5 => optional_reason(packet.reason, packet, form, sink),
        Packet::Auth(packet) if is_v5 => optional_reason(packet.reason, packet, form, sink),
        Packet::Disconnect(_) | Packet::Auth(_) => {}
    }
}

/// A reason that is left out when it is success and has no properties, and properties that are left out when empty.
fn optional_reason<S: Sink>(reason: ReasonCode, properties: &impl Properties, form: Form, sink: &mut S) {
    let has_properties = !properties.is_empty(form);
    if has_properties || reason != ReasonCode::Success {
        sink.u8(reason.value());
    }
    if has_properties {
        properties.section(form, sink);
    }
}

fn connect<S: Sink>(connect: &Connect, form: Form, sink: &mut S) {
    sink.binary(b"MQTT");
    sink.u8(match form.version {
        Version::V311 => 4,
        Version::V5 => 5,
    });
    let will_flags =
        connect.will.as_ref().map_or(0, |will| 0x04 | (will.qos.value() << 3) | (u8::from(will.retain) << 5));
    sink.u8((u8::from(connect.clean_start) << 1)
        | will_flags
        | (u8::from(connect.password.is_some()) << 6)
        | (u8::from(connect.username.is_some()) << 7));
    sink.u16(connect.keep_alive_secs);
    if form.version == Version::V5 {
        connect.properties.section(form, sink);
    }
    sink.binary(connect.client_id.as_bytes());
    if let Some(will) = &connect.will {
        if form.version == Version::V5 {
            will.section(form, sink);
        }
        sink.binary(will.topic.as_bytes());
        sink.binary(&will.payload);
    }
    if let Some(username) = &connect.username {
        sink.binary(username.as_bytes());
    }
    if let Some(password) = &connect.password {
        sink.binary(password);
    }
}

fn connack<S: Sink>(connack: &ConnAck, form: Form, sink: &mut S) {
    sink.u8(u8::from(connack.session_present && !connack.reason.is_refusal()));
    match form.version {
        Version::V311 => sink.u8(connack.reason.connack_return_code().unwrap_or_default()),
        Version::V5 => {
            sink.u8(connack.reason.value());
            connack.properties.section(form, sink);
        }
    }
}

fn publish<S: Sink>(publish: &Publish, form: Form, sink: &mut S) {
    sink.binary(publish.topic.as_bytes());
    if let Some(packet_id) = publish.delivery.packet_id() {
        sink.u16(packet_id.get());
    }
    if form.version == Version::V5 {
        publish.section(form, sink);
    }
    sink.raw(&publish.payload);
}

pub(super) fn outbound<S: Sink>(message: &OutboundMessage<'_>, delivery: Delivery, version: Version, sink: &mut S) {
    sink.binary(message.topic.as_bytes());
    if let Some(packet_id) = delivery.packet_id() {
        sink.u16(packet_id.get());
    }
    if version == Version::V5 {
        Forwarded { properties: message.properties, expiry_secs: message.expiry_secs }
            .section(Form::full(version), sink);
    }
    sink.raw(message.payload);
}

fn acknowledgement<S: Sink>(acknowledgement: &Acknowledgement, form: Form, sink: &mut S) {
    sink.u16(acknowledgement.packet_id.get());
    if form.version == Version::V5 {
        optional_reason(acknowledgement.reason, &acknowledgement.properties, form, sink);
    }
}

fn subscription<S: Sink>(subscription: &Subscription, form: Form, sink: &mut S) {
    sink.binary(subscription.filter.as_bytes());
    let qos = subscription.qos.value();
    sink.u8(match form.version {
        Version::V311 => qos,
        Version::V5 => {
            qos | (u8::from(subscription.no_local) << 2)
                | (u8::from(subscription.retain_as_published) << 3)
                | ((subscription.retain_handling as u8) << 4)
        }
    });
}

/// MQTT 3.1.1 has one code for every refusal.
const fn suback_code(reason: ReasonCode, version: Version) -> u8 {
    match version {
        Version::V311 if reason.is_refusal() => ReasonCode::UnspecifiedError.value(),
        _ => reason.value(),
    }
}
