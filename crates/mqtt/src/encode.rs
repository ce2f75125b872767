//! Packets to bytes. A packet's content is written twice by the same code: once to count it, once for real.

mod body;
mod properties;
mod sink;

use bytes::{BufMut, BytesMut};

use crate::connection::OutboundMessage;
use crate::packet::{Delivery, Packet, PacketId, PacketType, Version};
use sink::{Counter, Sink};

/// Why a packet was not written. Nothing of it is in the output then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Larger than the peer takes, or than MQTT can say.
    #[error("packet of {bytes} bytes is larger than the {limit} bytes that the peer takes")]
    TooLarge {
        /// The whole packet, in bytes.
        bytes: usize,
        /// The limit for it, in bytes.
        limit: usize,
    },
    /// A string or binary field cannot be longer than its length prefix can say.
    #[error("field is longer than 65535 bytes")]
    FieldTooLong,
    /// The version has no words for it.
    #[error("MQTT 3.1.1 cannot say it: {0}")]
    NotInVersion(&'static str),
}

/// Remaining length has four bytes of seven bits.
const REMAINING_MAX: usize = 268_435_455;

/// How a packet is to look.
#[derive(Debug, Clone, Copy)]
struct Form {
    version: Version,
    /// Write the user properties of packets that carry a reason.
    user_properties: bool,
    /// Write the reason string.
    reason_string: bool,
}

impl Form {
    const fn full(version: Version) -> Self {
        Self { version, user_properties: true, reason_string: true }
    }
}

/// Appends the packet to `out` in the form of this version. What MQTT 3.1.1 has no field for is left out; only what
/// would change the meaning is an error.
pub fn encode(packet: &Packet, version: Version, out: &mut BytesMut) -> Result<(), EncodeError> {
    encode_form(packet, Form::full(version), usize::MAX, out)
}

fn encode_form(packet: &Packet, form: Form, limit: usize, out: &mut BytesMut) -> Result<(), EncodeError> {
    body::check(packet, form.version)?;
    let mut counter = Counter::default();
    body::write(packet, form, &mut counter);
    start(body::first_byte(packet), &counter, limit, out)?;
    body::write(packet, form, out);
    Ok(())
}

/// Checks the length and writes the fixed header.
fn start(first: u8, body: &Counter, limit: usize, out: &mut BytesMut) -> Result<(), EncodeError> {
    let remaining = body.bytes()?;
    let bytes = packet_bytes(remaining);
    if remaining > REMAINING_MAX || bytes > limit {
        return Err(EncodeError::TooLarge { bytes, limit: limit.min(packet_bytes(REMAINING_MAX)) });
    }
    out.reserve(bytes);
    out.put_u8(first);
    out.varint(remaining);
    Ok(())
}

/// The whole packet's length for its remaining length.
const fn packet_bytes(remaining: usize) -> usize {
    let length_bytes = match remaining {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    };
    1 + length_bytes + remaining
}

/// Appends a PUBLISH without building a [`Packet`].
pub fn encode_publish(
    message: &OutboundMessage<'_>,
    delivery: Delivery,
    dup: bool,
    version: Version,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    publish_within(message, delivery, dup, version, usize::MAX, out)
}

fn publish_within(
    message: &OutboundMessage<'_>,
    delivery: Delivery,
    dup: bool,
    version: Version,
    limit: usize,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    let mut counter = Counter::default();
    body::outbound(message, delivery, version, &mut counter);
    start(body::publish_first_byte(delivery, dup, message.retain), &counter, limit, out)?;
    body::outbound(message, delivery, version, out);
    Ok(())
}

/// Appends a PUBACK that says success: the same bytes in both versions.
pub fn encode_puback(packet_id: PacketId, out: &mut BytesMut) {
    let [high, low] = packet_id.get().to_be_bytes();
    out.put_slice(&[(PacketType::PubAck as u8) << 4, 2, high, low]);
}

/// Appends a PINGRESP.
pub fn encode_pingresp(out: &mut BytesMut) {
    out.put_slice(&[(PacketType::PingResp as u8) << 4, 0]);
}

/// What must be known of the other side to write to it: its version and, in MQTT 5, what its CONNECT asked to be spared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The connection's version.
    pub version: Version,
    /// The largest packet that it takes, in bytes, fixed header included.
    pub packet_bytes_max: u32,
    /// Does it want reason strings and user properties on acknowledgements?
    pub wants_problem_information: bool,
}

impl Peer {
    /// Appends a packet, without what the peer does not want ([MQTT-3.1.2-29]) or has no room for ([MQTT-3.4.2-2] and
    /// its like): first the user properties of packets with a reason go, then the reason string.
    pub fn encode(&self, packet: &Packet, out: &mut BytesMut) -> Result<(), EncodeError> {
        let full = Form::full(self.version);
        let bare = Form { user_properties: false, reason_string: false, ..full };
        let explains_anyway = matches!(packet, Packet::Publish(_) | Packet::ConnAck(_) | Packet::Disconnect(_));
        if !self.wants_problem_information && !explains_anyway {
            return encode_form(packet, bare, self.limit(), out);
        }
        for form in [full, Form { user_properties: false, ..full }] {
            match encode_form(packet, form, self.limit(), out) {
                Err(EncodeError::TooLarge { .. }) => {}
                outcome => return outcome,
            }
        }
        encode_form(packet, bare, self.limit(), out)
    }

    /// Appends a PUBLISH. One that is too large must be dropped as if it had been delivered ([MQTT-3.1.2-25]).
    pub fn encode_publish(
        &self,
        message: &OutboundMessage<'_>,
        delivery: Delivery,
        dup: bool,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        publish_within(message, delivery, dup, self.version, self.limit(), out)
    }

    fn limit(&self) -> usize {
        usize::try_from(self.packet_bytes_max).unwrap_or(usize::MAX)
    }
}
