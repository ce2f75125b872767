//! MQTT client ids as AWS IoT takes them.

use std::fmt;
use std::sync::Arc;

use crate::limits;

/// A client id: 1 to 128 bytes of UTF-8 without U+0000, not beginning with `$` (AWS IoT Core quotas, "Client ID size").
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Arc<str>);

/// Why a client id is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClientId {
    /// Over 128 bytes.
    #[error("the client id has more than {} bytes", limits::CLIENT_ID_BYTES)]
    TooLong,
    /// Begins with `$`.
    #[error("a client id must not begin with $")]
    Reserved,
    /// Empty, or with a character MQTT does not allow.
    #[error("the client id is empty or contains U+0000")]
    Malformed,
}

impl ClientId {
    /// A client id sent by a client.
    ///
    /// # Errors
    /// [`InvalidClientId`] names the rule.
    pub fn parse(text: &str) -> Result<Self, InvalidClientId> {
        if text.len() > limits::CLIENT_ID_BYTES {
            return Err(InvalidClientId::TooLong);
        }
        if text.starts_with('$') {
            return Err(InvalidClientId::Reserved);
        }
        if text.is_empty() || text.contains('\0') {
            return Err(InvalidClientId::Malformed);
        }
        Ok(Self(text.into()))
    }

    /// The id given to a client that sent none: `$GEN/<uuid>`. It cannot be used to connect.
    #[must_use]
    pub fn generated(uuid: &str) -> Self {
        Self(format!("$GEN/{uuid}").into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_ids_keep_the_rules() {
        assert!(ClientId::parse("sensor/1 +#").is_ok());
        assert!(ClientId::parse(&"x".repeat(128)).is_ok());
        assert_eq!(ClientId::parse(&"x".repeat(129)), Err(InvalidClientId::TooLong));
        assert_eq!(ClientId::parse("$x"), Err(InvalidClientId::Reserved));
        assert_eq!(ClientId::parse(""), Err(InvalidClientId::Malformed));
        assert_eq!(ClientId::parse("a\0b"), Err(InvalidClientId::Malformed));
    }
}
