//! Reads the field types of MQTT (section 1.5) off the front of one packet.

use bytes::{Buf, Bytes};

use super::DecodeError;
use crate::packet::PacketId;
use crate::text::Utf8Bytes;

const ENDS_EARLY: DecodeError = DecodeError::Malformed("packet ends inside a field");

pub(super) struct Reader {
    bytes: Bytes,
}

impl Reader {
    pub(super) const fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.bytes.try_get_u8().map_err(|_| ENDS_EARLY)
    }

    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.bytes.try_get_u16().map_err(|_| ENDS_EARLY)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.bytes.try_get_u32().map_err(|_| ENDS_EARLY)
    }

    /// A byte that may be 0 or 1 only.
    pub(super) fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Protocol("property must be 0 or 1")),
        }
    }

    pub(super) fn packet_id(&mut self) -> Result<PacketId, DecodeError> {
        PacketId::new(self.u16()?).ok_or(DecodeError::Protocol("packet identifier is 0"))
    }

    /// A variable byte integer in its shortest form ([MQTT-1.5.5-1]).
    pub(super) fn varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0;
        for at in 0..4 {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                if minimal_varint_bytes(value) != at + 1 {
                    return Err(DecodeError::Malformed("variable byte integer has more bytes than it needs"));
                }
                return Ok(value);
            }
        }
        Err(DecodeError::Malformed("variable byte integer has more than four bytes"))
    }

    pub(super) fn binary(&mut self) -> Result<Bytes, DecodeError> {
        let length = usize::from(self.u16()?);
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Result<Utf8Bytes, DecodeError> {
        Ok(Utf8Bytes::try_from(self.binary()?)?)
    }

    /// A length and so many bytes of properties.
    pub(super) fn properties(&mut self) -> Result<Self, DecodeError> {
        let length = usize::try_from(self.varint()?).map_err(|_| ENDS_EARLY)?;
        self.take(length).map(Self::new)
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.bytes)
    }

    fn take(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        if self.bytes.len() < length { Err(ENDS_EARLY) } else { Ok(self.bytes.split_to(length)) }
    }
}

/// How many bytes the variable byte integer needs.
pub(super) const fn minimal_varint_bytes(value: u32) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}
