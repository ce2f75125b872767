//! Names of what outlives a connection.

use std::fmt;

/// A session, from the CONNECT that made it to its end. 16 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

/// The place of a message in a session's queue: keys are handed out in the order of delivery.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey([u8; 16]);

impl SessionId {
    /// From 16 bytes that should be random.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl MessageKey {
    /// The key of the `number`th message of a process that is told from others by `process`.
    #[must_use]
    pub const fn new(number: u64, process: u64) -> Self {
        Self(((number as u128) << 64 | process as u128).to_be_bytes())
    }

    /// From the bytes of a key.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The number it was made of.
    #[must_use]
    pub const fn number(&self) -> u64 {
        (u128::from_be_bytes(self.0) >> 64) as u64
    }

    /// The bytes; their order is that of the keys.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lie_in_the_order_of_their_numbers() {
        let keys = [(1, u64::MAX), (2, 0), (255, 3), (256, 1), (u64::MAX, 0)].map(|(n, p)| MessageKey::new(n, p));
        assert!(keys.is_sorted());
        assert!(keys.iter().map(|key| *key.as_bytes()).is_sorted());
        assert_ne!(MessageKey::new(1, 1), MessageKey::new(1, 2));
    }
}
