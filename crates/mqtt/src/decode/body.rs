//! Variable header and payload of each packet type.

use super::reader::Reader;
use super::{DecodeError, Decoder, FixedHeader, properties};
use crate::packet::{
    Acknowledgement, Auth, ConnAck, ConnAckProperties, Connect, ConnectProperties, Delivery, Disconnect,
    MessageProperties, Packet, PacketType, Publish, Qos, ReasonProperties, RetainHandling, SubAck, Subscribe,
    Subscription, UnsubAck, Unsubscribe, Version, Will,
};
use crate::reason::ReasonCode;

impl Decoder {
    pub(super) fn body(&mut self, header: &FixedHeader, reader: &mut Reader) -> Result<Packet, DecodeError> {
        let packet_type = header.packet_type;
        let Some(version) = self.version else {
            return self.connect(reader).map(|connect| Packet::Connect(Box::new(connect)));
        };
        Ok(match packet_type {
            PacketType::Connect => return Err(DecodeError::Protocol("second CONNECT on a connection")),
            PacketType::PingReq => Packet::PingReq,
            PacketType::ConnAck => Packet::ConnAck(Box::new(connack(version, reader)?)),
            PacketType::Publish => Packet::Publish(publish(version, header.flags, reader)?),
            PacketType::PubAck => Packet::PubAck(acknowledgement(version, packet_type, reader)?),
            PacketType::PubRec => Packet::PubRec(acknowledgement(version, packet_type, reader)?),
            PacketType::PubRel => Packet::PubRel(acknowledgement(version, packet_type, reader)?),
            PacketType::PubComp => Packet::PubComp(acknowledgement(version, packet_type, reader)?),
            PacketType::Subscribe => Packet::Subscribe(subscribe(version, reader)?),
            PacketType::SubAck => Packet::SubAck(suback(version, reader)?),
            PacketType::Unsubscribe => Packet::Unsubscribe(unsubscribe(version, reader)?),
            PacketType::UnsubAck => Packet::UnsubAck(unsuback(version, reader)?),
            PacketType::PingResp => Packet::PingResp,
            PacketType::Disconnect => Packet::Disconnect(disconnect(version, reader)?),
            PacketType::Auth => Packet::Auth(auth(reader)?),
        })
    }

    fn connect(&mut self, reader: &mut Reader) -> Result<Connect, DecodeError> {
        let name = reader.binary()?;
        let level = reader.u8()?;
        let version = match (name.as_ref(), level) {
            (b"MQTT", 4) => Version::V311,
            (b"MQTT", 5) => Version::V5,
            (b"MQTT" | b"MQIsdp", level) => {
                // What follows is in a form that is not ours to read.
                return Err(DecodeError::UnsupportedVersion { level });
            }
            _ => return Err(DecodeError::Malformed("protocol name is not MQTT")),
        };
        self.version = Some(version);
        let flags = ConnectFlags::parse(reader.u8()?, version)?;
        let keep_alive_secs = reader.u16()?;
        let is_v5 = version == Version::V5;
        let properties = if is_v5 { properties::connect(reader)? } else { ConnectProperties::default() };
        let client_id = reader.text()?;
        let will = match flags.will {
            None => None,
            Some((qos, retain)) => {
                let (delay_interval, properties) =
                    if is_v5 { properties::will(reader)? } else { (None, MessageProperties::default()) };
                let topic = reader.text()?;
                let payload = reader.binary()?;
                Some(Will { topic, payload, qos, retain, delay_interval, properties })
            }
        };
        let username = flags.has_username.then(|| reader.text()).transpose()?;
        let password = flags.has_password.then(|| reader.binary()).transpose()?;
        let clean_start = flags.clean_start;
        Ok(Connect { version, clean_start, keep_alive_secs, client_id, will, username, password, properties })
    }
}

struct ConnectFlags {
    clean_start: bool,
    will: Option<(Qos, bool)>,
    has_username: bool,
    has_password: bool,
}

impl ConnectFlags {
    fn parse(flags: u8, version: Version) -> Result<Self, DecodeError> {
        let has = |bit: u8| flags & bit != 0;
        // [MQTT-3.1.2-3].
        if has(0x01) {
            return Err(DecodeError::Malformed("reserved flag of CONNECT is set"));
        }
        let qos = Qos::from_value((flags >> 3) & 3).ok_or(DecodeError::Malformed("will QoS is 3"))?;
        let will = if has(0x04) {
            Some((qos, has(0x20)))
        } else if flags & 0x38 != 0 {
            // [MQTT-3.1.2-11], [MQTT-3.1.2-13].
            return Err(DecodeError::Malformed("will QoS or will retain without will"));
        } else {
            None
        };
        // [MQTT-3.1.2-22] of 3.1.1; MQTT 5 allows it.
        if version == Version::V311 && has(0x40) && !has(0x80) {
            return Err(DecodeError::Malformed("password without user name"));
        }
        Ok(Self { clean_start: has(0x02), will, has_username: has(0x80), has_password: has(0x40) })
    }
}

fn connack(version: Version, reader: &mut Reader) -> Result<ConnAck, DecodeError> {
    let session_present = match reader.u8()? {
        0 => false,
        1 => true,
        _ => return Err(DecodeError::Malformed("reserved flags of CONNACK are set")),
    };
    let code = reader.u8()?;
    let (reason, properties) = match version {
        Version::V311 => {
            let reason = ReasonCode::from_connack_return_code(code)
                .ok_or(DecodeError::Malformed("return code of CONNACK is reserved"))?;
            (reason, ConnAckProperties::default())
        }
        Version::V5 => (reason(code, PacketType::ConnAck)?, properties::connack(reader)?),
    };
    // [MQTT-3.2.2-6].
    if session_present && reason.is_refusal() {
        return Err(DecodeError::Protocol("session present in a refusing CONNACK"));
    }
    Ok(ConnAck { session_present, reason, properties })
}

fn publish(version: Version, flags: u8, reader: &mut Reader) -> Result<Publish, DecodeError> {
    let topic = reader.text()?;
    let delivery = match (flags >> 1) & 3 {
        0 => Delivery::AtMostOnce,
        1 => Delivery::AtLeastOnce(reader.packet_id()?),
        _ => Delivery::ExactlyOnce(reader.packet_id()?),
    };
    let found = match version {
        Version::V311 => properties::PublishProperties::default(),
        Version::V5 => properties::publish(reader)?,
    };
    Ok(Publish {
        dup: flags & 8 != 0,
        delivery,
        retain: flags & 1 != 0,
        topic,
        topic_alias: found.topic_alias,
        subscription_identifiers: found.subscription_identifiers,
        properties: found.message,
        payload: reader.rest(),
    })
}

fn acknowledgement(
    version: Version,
    packet_type: PacketType,
    reader: &mut Reader,
) -> Result<Acknowledgement, DecodeError> {
    let packet_id = reader.packet_id()?;
    let mut acknowledgement =
        Acknowledgement { packet_id, reason: ReasonCode::Success, properties: ReasonProperties::default() };
    // MQTT 5 leaves out a trailing success and, behind the reason, empty properties (3.4.2.1, 3.4.2.2.1).
    if version == Version::V5 && !reader.is_empty() {
        acknowledgement.reason = reason(reader.u8()?, packet_type)?;
        if !reader.is_empty() {
            acknowledgement.properties = properties::acknowledgement(reader)?;
        }
    }
    Ok(acknowledgement)
}

fn subscribe(version: Version, reader: &mut Reader) -> Result<Subscribe, DecodeError> {
    let packet_id = reader.packet_id()?;
    let (subscription_identifier, user_properties) = match version {
        Version::V311 => (None, Vec::new()),
        Version::V5 => properties::subscribe(reader)?,
    };
    let mut filters = Vec::new();
    while !reader.is_empty() {
        filters.push(subscription(version, reader)?);
    }
    // [MQTT-3.8.3-2].
    if filters.is_empty() {
        return Err(DecodeError::Protocol("SUBSCRIBE without a filter"));
    }
    Ok(Subscribe { packet_id, subscription_identifier, user_properties, filters })
}

fn subscription(version: Version, reader: &mut Reader) -> Result<Subscription, DecodeError> {
    let filter = reader.text()?;
    let options = reader.u8()?;
    // [MQTT-3.8.3-5]; in 3.1.1 all but the QoS is reserved ([MQTT-3-8.3-4] of 3.1.1).
    let reserved = match version {
        Version::V311 => 0xfc,
        Version::V5 => 0xc0,
    };
    if options & reserved != 0 {
        return Err(DecodeError::Malformed("reserved bits of the subscription options are set"));
    }
    let qos = Qos::from_value(options & 3).ok_or(DecodeError::Malformed("subscription with QoS 3"))?;
    let retain_handling = match (options >> 4) & 3 {
        0 => RetainHandling::SendAlways,
        1 => RetainHandling::SendIfNew,
        2 => RetainHandling::DoNotSend,
        _ => return Err(DecodeError::Protocol("retain handling is 3")),
    };
    Ok(Subscription { filter, qos, no_local: options & 4 != 0, retain_as_published: options & 8 != 0, retain_handling })
}

fn suback(version: Version, reader: &mut Reader) -> Result<SubAck, DecodeError> {
    let packet_id = reader.packet_id()?;
    let properties = match version {
        Version::V311 => ReasonProperties::default(),
        Version::V5 => properties::acknowledgement(reader)?,
    };
    let reasons = match version {
        Version::V5 => reasons(PacketType::SubAck, reader)?,
        Version::V311 => reader
            .rest()
            .iter()
            .map(|&code| match code {
                0..=2 | 0x80 => reason(code, PacketType::SubAck),
                _ => Err(DecodeError::Malformed("return code of SUBACK is reserved")),
            })
            .collect::<Result<_, _>>()?,
    };
    if reasons.is_empty() {
        return Err(DecodeError::Protocol("SUBACK without a reason"));
    }
    Ok(SubAck { packet_id, properties, reasons })
}

fn unsubscribe(version: Version, reader: &mut Reader) -> Result<Unsubscribe, DecodeError> {
    let packet_id = reader.packet_id()?;
    let user_properties = match version {
        Version::V311 => Vec::new(),
        Version::V5 => properties::unsubscribe(reader)?,
    };
    let mut filters = Vec::new();
    while !reader.is_empty() {
        filters.push(reader.text()?);
    }
    // [MQTT-3.10.3-2].
    if filters.is_empty() {
        return Err(DecodeError::Protocol("UNSUBSCRIBE without a filter"));
    }
    Ok(Unsubscribe { packet_id, user_properties, filters })
}

fn unsuback(version: Version, reader: &mut Reader) -> Result<UnsubAck, DecodeError> {
    let packet_id = reader.packet_id()?;
    if version == Version::V311 {
        return Ok(UnsubAck { packet_id, properties: ReasonProperties::default(), reasons: Vec::new() });
    }
    let properties = properties::acknowledgement(reader)?;
    let reasons = reasons(PacketType::UnsubAck, reader)?;
    if reasons.is_empty() {
        return Err(DecodeError::Protocol("UNSUBACK without a reason"));
    }
    Ok(UnsubAck { packet_id, properties, reasons })
}

fn disconnect(version: Version, reader: &mut Reader) -> Result<Disconnect, DecodeError> {
    let mut disconnect = Disconnect::new(ReasonCode::Success);
    if version == Version::V5 && !reader.is_empty() {
        disconnect.reason = reason(reader.u8()?, PacketType::Disconnect)?;
        if !reader.is_empty() {
            properties::disconnect(reader, &mut disconnect)?;
        }
    }
    Ok(disconnect)
}

fn auth(reader: &mut Reader) -> Result<Auth, DecodeError> {
    let mut auth = Auth::new(ReasonCode::Success);
    if !reader.is_empty() {
        auth.reason = reason(reader.u8()?, PacketType::Auth)?;
        if !reader.is_empty() {
            properties::auth(reader, &mut auth)?;
        }
    }
    Ok(auth)
}

fn reasons(packet_type: PacketType, reader: &mut Reader) -> Result<Vec<ReasonCode>, DecodeError> {
    reader.rest().iter().map(|&code| reason(code, packet_type)).collect()
}

fn reason(code: u8, packet_type: PacketType) -> Result<ReasonCode, DecodeError> {
    ReasonCode::from_value(code)
        .filter(|reason| reason.is_allowed_in(packet_type))
        .ok_or(DecodeError::Protocol("reason code is unknown or not allowed in this packet"))
}
