//! Bytes to packets. Strict: a packet must be consumed to its last byte, reserved bits must be as the standard sets them,
//! and what a packet may not carry is refused.

mod body;
mod properties;
mod reader;

use bytes::{Buf, Bytes, BytesMut};

use crate::packet::{Packet, PacketType, Version};
use crate::reason::ReasonCode;
use crate::text::InvalidText;
pub(crate) use properties::id;
use reader::{Reader, minimal_varint_bytes};

/// Why bytes were refused. The connection cannot go on after any of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Cannot be parsed.
    #[error("malformed packet: {0}")]
    Malformed(&'static str),
    /// Can be parsed, and is not allowed.
    #[error("protocol error: {0}")]
    Protocol(&'static str),
    /// Known from the fixed header, before the packet is buffered.
    #[error("packet of {bytes} bytes is larger than {limit} bytes")]
    PacketTooLarge {
        /// Variable header and payload, in bytes.
        bytes: u32,
        /// The limit for it, in bytes.
        limit: u32,
    },
    /// A CONNECT of another version. The answer, if any, is CONNACK 0x01 in the form of MQTT 3.1.1 ([MQTT-3.1.2-2]).
    #[error("protocol level {level} is not served, use MQTT 3.1.1 or 5")]
    UnsupportedVersion {
        /// The level that the client asked for.
        level: u8,
    },
}

impl DecodeError {
    /// The reason code that tells it to an MQTT 5 peer.
    #[must_use]
    pub const fn reason(&self) -> ReasonCode {
        match self {
            Self::Malformed(_) => ReasonCode::MalformedPacket,
            Self::Protocol(_) => ReasonCode::ProtocolError,
            Self::PacketTooLarge { .. } => ReasonCode::PacketTooLarge,
            Self::UnsupportedVersion { .. } => ReasonCode::UnsupportedProtocolVersion,
        }
    }
}

impl From<InvalidText> for DecodeError {
    fn from(invalid: InvalidText) -> Self {
        Self::Malformed(match invalid {
            InvalidText::NotUtf8 => "string is not UTF-8",
            InvalidText::Nul => "string contains U+0000",
            InvalidText::TooLong => "string is longer than 65535 bytes",
        })
    }
}

/// Which side of the connection decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Server,
    Client,
}

/// The decoding side of one connection: what it must remember between packets.
#[derive(Debug, Clone)]
pub struct Decoder {
    role: Role,
    version: Option<Version>,
    packet_bytes_max: u32,
    failed: Option<DecodeError>,
}

/// A fixed header of which everything is known.
struct FixedHeader {
    packet_type: PacketType,
    flags: u8,
    header_bytes: usize,
    remaining: usize,
}

impl Decoder {
    /// Decodes what a client sends. `packet_bytes_max` bounds variable header and payload together, in bytes.
    #[must_use]
    pub const fn server(packet_bytes_max: u32) -> Self {
        Self { role: Role::Server, version: None, packet_bytes_max, failed: None }
    }

    /// Decodes what a server sends to a client of this version.
    #[must_use]
    pub const fn client(version: Version, packet_bytes_max: u32) -> Self {
        Self { role: Role::Client, version: Some(version), packet_bytes_max, failed: None }
    }

    /// The version of the connection: known to a server once a CONNECT has named it, even if the rest of that CONNECT
    /// was refused.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// Takes the next packet off the front of `buffer`; `None` if it is not complete yet. Never reserves space for what
    /// a header only promises. The packet's strings and payload are views of the buffer's memory. After an error the
    /// same error comes back for good.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Packet>, DecodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let outcome = self.next_packet(buffer);
        if let Err(error) = &outcome {
            self.failed = Some(*error);
        }
        outcome
    }

    fn next_packet(&mut self, buffer: &mut BytesMut) -> Result<Option<Packet>, DecodeError> {
        let Some(header) = self.fixed_header(buffer)? else {
            return Ok(None);
        };
        if buffer.len() < header.header_bytes + header.remaining {
            return Ok(None);
        }
        buffer.advance(header.header_bytes);
        // Splitting an empty piece off would still make the buffer shared, for every PINGREQ.
        let body = if header.remaining == 0 { Bytes::new() } else { buffer.split_to(header.remaining).freeze() };
        let mut reader = Reader::new(body);
        let packet = self.body(&header, &mut reader)?;
        if !reader.is_empty() {
            return Err(DecodeError::Malformed("packet is longer than its content"));
        }
        Ok(Some(packet))
    }

    /// Judges as much of the fixed header as is there.
    fn fixed_header(&self, buffer: &[u8]) -> Result<Option<FixedHeader>, DecodeError> {
        let Some((&first, rest)) = buffer.split_first() else {
            return Ok(None);
        };
        let packet_type = self.packet_type(first >> 4)?;
        let flags = first & 0x0f;
        check_flags(packet_type, flags)?;
        let Some((remaining, length_bytes)) = remaining_length(rest)? else {
            return Ok(None);
        };
        if self.version == Some(Version::V5) && length_bytes != minimal_varint_bytes(remaining) {
            return Err(DecodeError::Malformed("remaining length has more bytes than it needs"));
        }
        if remaining > self.packet_bytes_max {
            return Err(DecodeError::PacketTooLarge { bytes: remaining, limit: self.packet_bytes_max });
        }
        let remaining =
            usize::try_from(remaining).map_err(|_| DecodeError::Malformed("remaining length is out of range"))?;
        Ok(Some(FixedHeader { packet_type, flags, header_bytes: 1 + length_bytes, remaining }))
    }

    /// May this side see this type of packet now?
    fn packet_type(&self, value: u8) -> Result<PacketType, DecodeError> {
        use PacketType as T;
        let packet_type = match value {
            1 => T::Connect,
            2 => T::ConnAck,
            3 => T::Publish,
            4 => T::PubAck,
            5 => T::PubRec,
            6 => T::PubRel,
            7 => T::PubComp,
            8 => T::Subscribe,
            9 => T::SubAck,
            10 => T::Unsubscribe,
            11 => T::UnsubAck,
            12 => T::PingReq,
            13 => T::PingResp,
            14 => T::Disconnect,
            15 if self.version != Some(Version::V311) => T::Auth,
            _ => return Err(DecodeError::Malformed("packet type is reserved")),
        };
        let (comes_from_client, comes_from_server) = match packet_type {
            T::Connect | T::Subscribe | T::Unsubscribe | T::PingReq => (true, false),
            T::ConnAck | T::SubAck | T::UnsubAck | T::PingResp => (false, true),
            T::Disconnect => (true, self.version == Some(Version::V5)),
            _ => (true, true),
        };
        match self.role {
            // [MQTT-3.1.0-1] and [MQTT-3.1.0-2].
            Role::Server if self.version.is_none() && packet_type != T::Connect => {
                Err(DecodeError::Protocol("first packet must be CONNECT"))
            }
            Role::Server if self.version.is_some() && packet_type == T::Connect => {
                Err(DecodeError::Protocol("second CONNECT on a connection"))
            }
            Role::Server if !comes_from_client => Err(DecodeError::Protocol("only servers send this packet type")),
            Role::Client if !comes_from_server => Err(DecodeError::Protocol("only clients send this packet type")),
            _ => Ok(packet_type),
        }
    }
}

/// Flags are fixed but for PUBLISH ([MQTT-2.1.3-1]), whose QoS 3 and DUP on QoS 0 are refused ([MQTT-3.3.1-4],
/// [MQTT-3.3.1-2]).
fn check_flags(packet_type: PacketType, flags: u8) -> Result<(), DecodeError> {
    match packet_type {
        PacketType::Publish => match (flags >> 1) & 3 {
            3 => Err(DecodeError::Malformed("PUBLISH with QoS 3")),
            0 if flags & 8 != 0 => Err(DecodeError::Malformed("PUBLISH with QoS 0 and DUP")),
            _ => Ok(()),
        },
        PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe if flags == 2 => Ok(()),
        PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe => {
            Err(DecodeError::Malformed("flags of the fixed header must be 2"))
        }
        _ if flags == 0 => Ok(()),
        _ => Err(DecodeError::Malformed("flags of the fixed header must be 0")),
    }
}

/// The value and how many bytes it took. A fifth byte is refused as soon as the fourth announces it.
fn remaining_length(bytes: &[u8]) -> Result<Option<(u32, usize)>, DecodeError> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((value, at + 1)));
        }
    }
    if bytes.len() >= 4 { Err(DecodeError::Malformed("remaining length has more than four bytes")) } else { Ok(None) }
}
