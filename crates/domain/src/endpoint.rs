//! Device endpoints: their types and host names.

use std::fmt;
use std::str::FromStr;

use crate::certificate::UnknownWord;
use crate::scope::Region;

/// What an endpoint serves (DescribeEndpoint, `endpointType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointType {
    /// `iot:Data-ATS`: MQTT and HTTPS data.
    DataAts,
    /// `iot:Data`: the older name of the same.
    Data,
    /// `iot:Jobs`: the jobs HTTPS API.
    Jobs,
    /// `iot:CredentialProvider`: credentials for role aliases.
    CredentialProvider,
}

impl EndpointType {
    /// Every type.
    pub const ALL: [Self; 4] = [Self::DataAts, Self::Data, Self::Jobs, Self::CredentialProvider];

    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DataAts => "iot:Data-ATS",
            Self::Data => "iot:Data",
            Self::Jobs => "iot:Jobs",
            Self::CredentialProvider => "iot:CredentialProvider",
        }
    }

    /// What ends the first label of a host name of this type, and the labels between it and the Region.
    const fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::DataAts => ("-ats", "iot"),
            Self::Data => ("", "iot"),
            Self::Jobs => ("", "jobs.iot"),
            Self::CredentialProvider => ("", "credentials.iot"),
        }
    }

    /// The wildcard that covers every host name of this type in a Region, for the server's certificate.
    #[must_use]
    pub fn wildcard(self, region: Region, domain: &str) -> String {
        let (_, middle) = self.labels();
        format!("*.{middle}.{region}.{domain}")
    }

    /// Whether devices speak MQTT here.
    #[must_use]
    pub const fn serves_mqtt(self) -> bool {
        matches!(self, Self::DataAts | Self::Data)
    }
}

impl FromStr for EndpointType {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownWord)
    }
}

/// The label that stands for a scope in its host names: 14 lower-case letters and digits, beginning with a letter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointPrefix(String);

impl EndpointPrefix {
    /// Length in bytes.
    pub const LEN: usize = 14;

    /// A prefix from random bytes.
    #[must_use]
    pub fn from_random(random: [u8; Self::LEN]) -> Self {
        const DIGITS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let mut text = String::with_capacity(Self::LEN);
        for (index, byte) in random.into_iter().enumerate() {
            let choices = if index == 0 { 26 } else { DIGITS.len() };
            text.push(char::from(DIGITS.get(usize::from(byte) % choices).copied().unwrap_or(b'a')));
        }
        Self(text)
    }

    /// The label.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EndpointPrefix {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let well_formed = (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            && text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
        if well_formed { Ok(Self(text.to_owned())) } else { Err(UnknownWord) }
    }
}

impl fmt::Display for EndpointPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A device-facing host name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointName {
    /// What it serves.
    pub endpoint_type: EndpointType,
    /// Stands for the scope.
    pub prefix: EndpointPrefix,
    /// The Region.
    pub region: Region,
}

impl EndpointName {
    /// The host name under `domain`, e.g. `a1b2c3d4e5f6g7-ats.iot.us-east-1.localhost`.
    #[must_use]
    pub fn host(&self, domain: &str) -> String {
        let Self { endpoint_type, prefix, region } = self;
        let (suffix, middle) = endpoint_type.labels();
        format!("{prefix}{suffix}.{middle}.{region}.{domain}")
    }

    /// Reads a host name under `domain`. Host names compare without case (RFC 4343).
    #[must_use]
    pub fn parse(host: &str, domain: &str) -> Option<Self> {
        let host = host.to_ascii_lowercase();
        let name = host.strip_suffix(&domain.to_ascii_lowercase())?.strip_suffix('.')?;
        let labels: Vec<&str> = name.split('.').collect();
        let (endpoint_type, prefix, region) = match labels.as_slice() {
            [first, "iot", region] => match first.strip_suffix("-ats") {
                Some(prefix) => (EndpointType::DataAts, prefix, region),
                None => (EndpointType::Data, *first, region),
            },
            [prefix, "jobs", "iot", region] => (EndpointType::Jobs, *prefix, region),
            [prefix, "credentials", "iot", region] => (EndpointType::CredentialProvider, *prefix, region),
            _ => return None,
        };
        Some(Self { endpoint_type, prefix: prefix.parse().ok()?, region: region.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_reads_back_as_it_was_written() {
        let prefix = EndpointPrefix::from_random([7; EndpointPrefix::LEN]);
        for endpoint_type in EndpointType::ALL {
            let name = EndpointName { endpoint_type, prefix: prefix.clone(), region: "us-east-1".parse().unwrap() };
            for domain in ["localhost", "iot.example.com"] {
                let host = name.host(domain);
                assert_eq!(EndpointName::parse(&host, domain), Some(name.clone()), "{host}");
                assert_eq!(EndpointName::parse(&host.to_uppercase(), domain), Some(name.clone()), "{host}");
                let wildcard = name.endpoint_type.wildcard(name.region, domain);
                assert_eq!(host.split_once('.').map(|(_, rest)| rest), wildcard.strip_prefix("*."), "{host}");
            }
        }
    }

    #[test]
    fn other_names_are_no_endpoints() {
        for host in [
            "",
            "localhost",
            ".localhost",
            "example.com",
            "a-ats.iot.us-east-1.example.com",
            "a-ats.iot.us-east-1.evil-localhost",
            "a-ats.iot..localhost",
            "x.a-ats.iot.us-east-1.localhost",
            "a-ats.iot.us-east-1.localhost.",
            "1a-ats.iot.us-east-1.localhost",
        ] {
            assert_eq!(EndpointName::parse(host, "localhost"), None, "{host}");
        }
    }
}
