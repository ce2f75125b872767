//! TLS security policies by name: which versions and cipher suites each offers (developer guide, "Transport security in
//! AWS IoT Core"). The suites with CBC and static RSA, which older policies have as well, are not here: no gate of ours
//! can serve them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What every name begins with.
const PREFIX: &str = "IoTSecurityPolicy_";

/// A security policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SecurityPolicy {
    /// TLS 1.3 alone.
    Tls13Only2022,
    /// TLS 1.2 and 1.3; what endpoints have unless they are told otherwise.
    #[default]
    Tls12And13In2022,
    /// TLS 1.2 alone.
    Tls12Only2022,
    /// TLS 1.2 alone, of 2016.
    Tls12Only2016,
    /// TLS 1.2 alone, of 2015.
    Tls12Only2015,
    /// TLS 1.2 and 1.3, with AES alone.
    Tls12And13WithAes2022,
}

/// Not the name of a security policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no security policy: use one of {known}", known = known())]
pub struct UnknownSecurityPolicy(String);

fn known() -> String {
    SecurityPolicy::ALL.map(|policy| policy.to_string()).join(", ")
}

/// Which families of suites a policy has.
struct Offer {
    short_name: &'static str,
    tls12: bool,
    tls13: bool,
    chacha: bool,
}

impl SecurityPolicy {
    /// Every policy.
    pub const ALL: [Self; 6] = [
        Self::Tls13Only2022,
        Self::Tls12And13In2022,
        Self::Tls12Only2022,
        Self::Tls12Only2016,
        Self::Tls12Only2015,
        Self::Tls12And13WithAes2022,
    ];

    const fn offer(self) -> Offer {
        let (short_name, tls12, tls13, chacha) = match self {
            Self::Tls13Only2022 => ("TLS13_1_3_2022_10", false, true, true),
            Self::Tls12And13In2022 => ("TLS13_1_2_2022_10", true, true, true),
            Self::Tls12Only2022 => ("TLS12_1_2_2022_10", true, false, true),
            Self::Tls12Only2016 => ("TLS12_1_0_2016_01", true, false, true),
            Self::Tls12Only2015 => ("TLS12_1_0_2015_01", true, false, true),
            Self::Tls12And13WithAes2022 => ("TLS13_1_2_2022_01", true, true, false),
        };
        Offer { short_name, tls12, tls13, chacha }
    }

    /// Whether it offers TLS 1.2.
    #[must_use]
    pub const fn has_tls12(self) -> bool {
        self.offer().tls12
    }

    /// Whether it offers TLS 1.3.
    #[must_use]
    pub const fn has_tls13(self) -> bool {
        self.offer().tls13
    }

    /// Whether it offers the cipher suite with this number (IANA, "TLS Cipher Suites").
    #[must_use]
    pub const fn has_suite(self, number: u16) -> bool {
        let Offer { tls12, tls13, chacha, .. } = self.offer();
        match number {
            // TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384.
            0x1301 | 0x1302 => tls13,
            // TLS_CHACHA20_POLY1305_SHA256.
            0x1303 => tls13 && chacha,
            // ECDHE-ECDSA and ECDHE-RSA, each with AES128-GCM-SHA256 and AES256-GCM-SHA384.
            0xC02B | 0xC02C | 0xC02F | 0xC030 => tls12,
            // ECDHE-RSA and ECDHE-ECDSA with CHACHA20-POLY1305: ours; the guide does not list them.
            0xCCA8 | 0xCCA9 => tls12 && chacha,
            _ => false,
        }
    }
}

impl fmt::Display for SecurityPolicy {
    /// The name of the API.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.offer().short_name)
    }
}

impl FromStr for SecurityPolicy {
    type Err = UnknownSecurityPolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let short_name = text.strip_prefix(PREFIX).unwrap_or_default();
        let found = Self::ALL.into_iter().find(|policy| policy.offer().short_name == short_name);
        found.ok_or_else(|| UnknownSecurityPolicy(text.chars().take(128).collect()))
    }
}

impl TryFrom<String> for SecurityPolicy {
    type Error = UnknownSecurityPolicy;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SecurityPolicy> for String {
    fn from(policy: SecurityPolicy) -> Self {
        policy.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_others_are_refused() {
        for policy in SecurityPolicy::ALL {
            assert_eq!(policy.to_string().parse(), Ok(policy));
        }
        assert_eq!(SecurityPolicy::default().to_string(), "IoTSecurityPolicy_TLS13_1_2_2022_10");
        for text in ["", "TLS13_1_2_2022_10", "IoTSecurityPolicy_", "IoTSecurityPolicy_tls13_1_2_2022_10"] {
            assert!(text.parse::<SecurityPolicy>().unwrap_err().to_string().contains("TLS13_1_3_2022_10"), "{text}");
        }
    }

    #[test]
    fn versions_and_suites_go_together() {
        let table = [
            // policy, TLS 1.2, TLS 1.3, suites of AES-GCM and ChaCha in TLS 1.3, the same in TLS 1.2
            ("TLS13_1_3_2022_10", false, true, (2, 1), (0, 0)),
            ("TLS13_1_2_2022_10", true, true, (2, 1), (4, 2)),
            ("TLS12_1_2_2022_10", true, false, (0, 0), (4, 2)),
            ("TLS12_1_0_2016_01", true, false, (0, 0), (4, 2)),
            ("TLS12_1_0_2015_01", true, false, (0, 0), (4, 2)),
            ("TLS13_1_2_2022_01", true, true, (2, 0), (4, 0)),
        ];
        for (name, tls12, tls13, of_tls13, of_tls12) in table {
            let policy: SecurityPolicy = format!("{PREFIX}{name}").parse().unwrap();
            assert_eq!((policy.has_tls12(), policy.has_tls13()), (tls12, tls13), "{name}");
            let count = |numbers: &[u16]| numbers.iter().filter(|number| policy.has_suite(**number)).count();
            assert_eq!((count(&[0x1301, 0x1302]), count(&[0x1303])), of_tls13, "{name}");
            assert_eq!((count(&[0xC02B, 0xC02C, 0xC02F, 0xC030]), count(&[0xCCA8, 0xCCA9])), of_tls12, "{name}");
            // ECDHE-RSA-AES128-SHA and AES128-GCM-SHA256.
            assert_eq!(count(&[0xC013, 0x009C]), 0, "{name}");
        }
    }
}
