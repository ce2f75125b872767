//! Strings of MQTT: UTF-8 without U+0000, at most 65,535 bytes ([MQTT-1.5.4-1], [MQTT-1.5.4-2]), as views of the
//! buffer that they arrived in.

use std::fmt;

use bytes::Bytes;

/// A string that can travel in a packet. Cloning is cheap; a decoded one keeps its read buffer alive, so that what is
/// to live longer than its packet should be [`detached`](Self::detached).
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utf8Bytes(Bytes);

/// Why bytes are no MQTT string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// Surrogates and overlong forms are no UTF-8 either.
    #[error("string is not UTF-8")]
    NotUtf8,
    /// [MQTT-1.5.4-2].
    #[error("string contains U+0000")]
    Nul,
    /// The length prefix has two bytes.
    #[error("string is longer than 65535 bytes")]
    TooLong,
}

impl Utf8Bytes {
    /// The string. Costs a scan, since the check cannot be remembered without unsafe code; compare and hash through
    /// [`as_bytes`](Self::as_bytes).
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The bytes of the string.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Is it the empty string?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A copy in an allocation of its own size, independent of the read buffer.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }
}

impl TryFrom<Bytes> for Utf8Bytes {
    type Error = InvalidText;

    fn try_from(bytes: Bytes) -> Result<Self, InvalidText> {
        if bytes.len() > usize::from(u16::MAX) {
            return Err(InvalidText::TooLong);
        }
        if std::str::from_utf8(&bytes).is_err() {
            return Err(InvalidText::NotUtf8);
        }
        if bytes.contains(&0) {
            return Err(InvalidText::Nul);
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<&str> for Utf8Bytes {
    type Error = InvalidText;

    fn try_from(text: &str) -> Result<Self, InvalidText> {
        Self::try_from(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl TryFrom<String> for Utf8Bytes {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, InvalidText> {
        Self::try_from(Bytes::from(text))
    }
}

impl AsRef<str> for Utf8Bytes {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for Utf8Bytes {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Utf8Bytes {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Display for Utf8Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Utf8Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_utf8_without_nul_of_at_most_65535_bytes() {
        let table: [(&[u8], Option<InvalidText>); 9] = [
            (b"", None),
            ("sensor/\u{e9}/\u{1f321}".as_bytes(), None),
            ("\u{feff}".as_bytes(), None),
            (b"a\0b", Some(InvalidText::Nul)),
            (b"\xff", Some(InvalidText::NotUtf8)),
            (b"\xed\xa0\x80", Some(InvalidText::NotUtf8)),
            (b"\xed\xbf\xbf", Some(InvalidText::NotUtf8)),
            (b"\xc0\x80", Some(InvalidText::NotUtf8)),
            (&[b'a'; 65_536], Some(InvalidText::TooLong)),
        ];
        for (bytes, refused) in table {
            assert_eq!(Utf8Bytes::try_from(Bytes::copy_from_slice(bytes)).err(), refused, "{bytes:?}");
        }
        assert_eq!(Utf8Bytes::try_from("x".repeat(65_535)).map(|text| text.len()), Ok(65_535));
    }
}
