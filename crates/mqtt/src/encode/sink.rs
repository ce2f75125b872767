//! Where content is written to: the output, or a counter.

use bytes::{BufMut, BytesMut};

use super::EncodeError;

pub(super) trait Sink {
    fn u8(&mut self, value: u8);
    fn raw(&mut self, bytes: &[u8]);
    /// A variable byte integer; larger ones than the field can hold were refused when they were counted.
    fn varint(&mut self, value: usize);
    /// Bytes behind a length of two bytes.
    fn binary(&mut self, bytes: &[u8]);

    fn u16(&mut self, value: u16) {
        self.raw(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.raw(&value.to_be_bytes());
    }
}

impl Sink for BytesMut {
    fn u8(&mut self, value: u8) {
        self.put_u8(value);
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.put_slice(bytes);
    }

    fn varint(&mut self, mut value: usize) {
        loop {
            let low = u8::try_from(value & 0x7f).unwrap_or_default();
            value >>= 7;
            if value == 0 {
                return self.put_u8(low);
            }
            self.put_u8(low | 0x80);
        }
    }

    fn binary(&mut self, bytes: &[u8]) {
        self.put_u16(u16::try_from(bytes.len()).unwrap_or_default());
        self.put_slice(bytes);
    }
}

/// Counts what would be written, and notices what cannot be.
#[derive(Default)]
pub(super) struct Counter {
    bytes: usize,
    has_long_field: bool,
}

impl Counter {
    pub(super) const fn bytes(&self) -> Result<usize, EncodeError> {
        if self.has_long_field { Err(EncodeError::FieldTooLong) } else { Ok(self.bytes) }
    }

    /// The count, right or not.
    pub(super) const fn bytes_unchecked(&self) -> usize {
        self.bytes
    }
}

impl Sink for Counter {
    fn u8(&mut self, _: u8) {
        self.bytes += 1;
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
    }

    fn varint(&mut self, value: usize) {
        self.bytes += super::packet_bytes(value) - 1 - value;
    }

    fn binary(&mut self, bytes: &[u8]) {
        self.has_long_field |= bytes.len() > usize::from(u16::MAX);
        self.bytes += 2 + bytes.len();
    }
}
