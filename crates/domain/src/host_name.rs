//! Host names of devices' endpoints, and which names in a certificate stand for them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A fully qualified host name in lower case, without the dot at its end (RFC 1123, 2.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(Arc<str>);

/// Not a host name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a fully qualified host name such as mqtt.example.com")]
pub struct InvalidHostName(String);

impl HostName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `domain` or lies under it.
    #[must_use]
    pub fn is_within(&self, domain: &str) -> bool {
        self.0.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// Whether the name in a certificate, which may begin with `*.`, stands for this host. The asterisk is one whole
    /// label (RFC 9525, 6.3).
    #[must_use]
    pub fn is_covered_by(&self, name: &str) -> bool {
        match name.strip_prefix("*.") {
            Some(rest) => self.0.split_once('.').is_some_and(|(_, own)| own.eq_ignore_ascii_case(rest)),
            None => self.0.eq_ignore_ascii_case(name),
        }
    }
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl FromStr for HostName {
    type Err = InvalidHostName;

    /// Host names compare without case (RFC 4343): capitals become small.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let labels: Vec<&str> = text.split('.').collect();
        // What ends in digits would be an address to some.
        let is_name = labels.last().is_some_and(|last| last.bytes().any(|b| b.is_ascii_alphabetic()));
        if text.len() <= 253 && labels.len() >= 2 && is_name && labels.iter().all(|label| is_label(label)) {
            Ok(Self(text.to_ascii_lowercase().into()))
        } else {
            Err(InvalidHostName(text.chars().take(253).collect()))
        }
    }
}

impl TryFrom<String> for HostName {
    type Error = InvalidHostName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> HostName {
        text.parse().unwrap()
    }

    #[test]
    fn host_names_have_labels_and_no_case() {
        assert_eq!(host("MQTT.Example.com").as_str(), "mqtt.example.com");
        let long = format!("{}.{}.{}.{}", "a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61));
        assert_eq!(host(&long).as_str(), long);
        for bad in [
            "",
            "localhost",
            "example.com.",
            ".example.com",
            "a..b",
            "-a.example.com",
            "a-.example.com",
            "*.example.com",
            "a b.example.com",
            "a_b.example.com",
            "ü.example.com",
            "192.0.2.1",
            "::1",
            &format!("{}.com", "a".repeat(64)),
            &format!("{long}x"),
        ] {
            assert!(bad.parse::<HostName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_in_a_certificate_stands_for_itself_or_one_label() {
        for (name, is_covered) in [
            ("mqtt.example.com", true),
            ("MQTT.EXAMPLE.COM", true),
            ("*.example.com", true),
            ("*.EXAMPLE.com", true),
            ("*.com", false),
            ("*.mqtt.example.com", false),
            ("m*.example.com", false),
            ("*", false),
            ("*.", false),
            ("", false),
            ("example.com", false),
            ("other.example.com", false),
        ] {
            assert_eq!(host("mqtt.example.com").is_covered_by(name), is_covered, "{name}");
        }
    }

    #[test]
    fn a_domain_holds_itself_and_what_lies_under_it() {
        for (name, is_within) in [
            ("example.com", true),
            ("a.b.example.com", true),
            ("badexample.com", false),
            ("example.com.org", false),
            ("other.com", false),
        ] {
            assert_eq!(host(name).is_within("example.com"), is_within, "{name}");
        }
    }
}
