//! Where a task's input file is: a key in a bucket. Both are names that somebody else chose, and neither may lead anywhere
//! but to where it seems to.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The name of a bucket: `[a-zA-Z0-9._-]{3,256}` (service model, `RegistryS3BucketName`), and not of dots alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BucketName(Arc<str>);

/// The key of an object in a bucket: `[a-zA-Z0-9!_.*'()+,/-]{1,1024}` (service model, `RegistryS3KeyName`), read as a path
/// below the bucket: no segment is empty, `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey(Arc<str>);

/// A text that is no bucket's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bucket's name has 3 to 256 letters, digits, dots, hyphens and underscores, and is not made of dots alone")]
pub struct InvalidBucketName;

/// A text that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidObjectKey {
    /// Too short, too long, or of other characters.
    #[error("a key has 1 to 1024 letters, digits and characters of !_.*'()+,-/")]
    Alphabet,
    /// It does not say plainly where the object is.
    #[error("a key is a path below its bucket: none of its segments is empty, \".\" or \"..\"")]
    Segment,
}

macro_rules! text {
    ($type:ident, $invalid:ident) => {
        impl $type {
            /// As it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = $invalid;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(text: $type) -> Self {
                text.as_str().to_owned()
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

text!(BucketName, InvalidBucketName);
text!(ObjectKey, InvalidObjectKey);

impl FromStr for BucketName {
    type Err = InvalidBucketName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_name =
            (3..=256).contains(&text.len()) && text.bytes().all(is_allowed) && text.bytes().any(|byte| byte != b'.');
        if is_name { Ok(Self(text.into())) } else { Err(InvalidBucketName) }
    }
}

impl FromStr for ObjectKey {
    type Err = InvalidObjectKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!_.*'()+,-/".contains(&byte);
        if !(1..=1024).contains(&text.len()) || !text.bytes().all(is_allowed) {
            return Err(InvalidObjectKey::Alphabet);
        }
        if text.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(InvalidObjectKey::Segment);
        }
        Ok(Self(text.into()))
    }
}

impl ObjectKey {
    /// Its segments, from the bucket downwards; there is one at least.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_have_plain_names() {
        for name in ["abc", "fleet-input", "a.b_c", &"x".repeat(256)] {
            assert_eq!(name.parse::<BucketName>().unwrap().as_str(), name);
        }
        for name in ["", "ab", "...", "....", "a/b", "a b", "äää", &"x".repeat(257)] {
            assert_eq!(name.parse::<BucketName>(), Err(InvalidBucketName), "{name}");
        }
    }

    #[test]
    fn a_key_leads_downwards_only() {
        for key in ["a", "2027/input.json", "a/..b/c..", "...", "!_.*'()+,-", &"x".repeat(1024)] {
            assert_eq!(key.parse::<ObjectKey>().unwrap().as_str(), key);
        }
        for key in ["/etc/passwd", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a/.."] {
            assert_eq!(key.parse::<ObjectKey>(), Err(InvalidObjectKey::Segment), "{key}");
        }
        for key in ["", "a b", "a\\b", "a\0b", "a?b", "a%2e", "ä", &"x".repeat(1025)] {
            assert_eq!(key.parse::<ObjectKey>(), Err(InvalidObjectKey::Alphabet), "{key}");
        }
    }
}
