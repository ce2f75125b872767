//! The typed operands of conditions: numbers, dates, booleans, networks. Read once from the policy, and from the
//! context's text at evaluation.

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ::time::format_description::well_known::Rfc3339;
use ::time::macros::format_description;
use ::time::{Date, OffsetDateTime, PrimitiveDateTime};

/// A number: exact when whole.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Whole(i128),
    Decimal(f64),
}

impl Number {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Ok(whole) = text.parse() {
            return Some(Self::Whole(whole));
        }
        // Rust also reads "inf" and "nan", which are no numbers here.
        let number_byte = |b: u8| b.is_ascii_digit() || b"+-.eE".contains(&b);
        let decimal: f64 = text.bytes().all(number_byte).then(|| text.parse().ok())??;
        decimal.is_finite().then_some(Self::Decimal(decimal))
    }

    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => Some(a.cmp(&b)),
            (a, b) => a.rounded().partial_cmp(&b.rounded()),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "compared with a decimal number, which has no more digits itself")]
    const fn rounded(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Decimal(decimal) => decimal,
        }
    }
}

/// A date in nanoseconds since 1970: RFC 3339, a day or a minute in the forms of W3C's note on date and time, or whole
/// seconds since 1970.
pub(super) fn parse_date(text: &str) -> Option<i128> {
    const SECOND: i128 = 1_000_000_000;
    let day = format_description!("[year]-[month]-[day]");
    let minute = format_description!("[year]-[month]-[day]T[hour]:[minute]Z");
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(i128::from(seconds) * SECOND);
    }
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .or_else(|| PrimitiveDateTime::parse(text, &minute).ok().map(PrimitiveDateTime::assume_utc))
        .or_else(|| Date::parse(text, &day).ok().map(|date| date.midnight().assume_utc()))
        .map(OffsetDateTime::unix_timestamp_nanos)
}

pub(super) fn parse_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// A block of addresses in CIDR notation, or one address. Bits beyond the prefix do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    V4 { bits: u32, prefix: u32 },
    V6 { bits: u128, prefix: u32 },
}

impl Network {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let prefix = match prefix {
            Some(digits) if (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            Some(_) => return None,
            None => None,
        };
        match address.parse().ok()? {
            IpAddr::V4(address) => Self::v4(address, prefix.unwrap_or(32)),
            IpAddr::V6(address) => Self::v6(address, prefix.unwrap_or(128)),
        }
    }

    fn v4(address: Ipv4Addr, prefix: u32) -> Option<Self> {
        (prefix <= 32).then(|| Self::V4 { bits: address.to_bits(), prefix })
    }

    /// A block inside `::ffff:0:0/96` means IPv4 addresses, in which form peers are compared.
    fn v6(address: Ipv6Addr, prefix: u32) -> Option<Self> {
        match (address.to_ipv4_mapped(), prefix.checked_sub(96)) {
            (Some(mapped), Some(prefix)) => Self::v4(mapped, prefix),
            _ => (prefix <= 128).then(|| Self::V6 { bits: address.to_bits(), prefix }),
        }
    }

    pub(super) fn contains(self, address: IpAddr) -> bool {
        match (self, address.to_canonical()) {
            // A shift by the whole width means that no bit is left to differ.
            (Self::V4 { bits, prefix }, IpAddr::V4(address)) => {
                (bits ^ address.to_bits()).checked_shr(32 - prefix).unwrap_or(0) == 0
            }
            (Self::V6 { bits, prefix }, IpAddr::V6(address)) => {
                (bits ^ address.to_bits()).checked_shr(128 - prefix).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_addresses() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.7/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("0.0.0.0/0", "255.1.2.3", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "1.2.3.4", false),
            ("1.2.3.4", "1.2.3.4", true),
            ("1.2.3.4/32", "1.2.3.5", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("2001:db8::1", "2001:db8::1", true),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "11.1.2.3", false),
        ];
        for (network, address, expected) in cases {
            assert_eq!(
                Network::parse(network).unwrap().contains(address.parse().unwrap()),
                expected,
                "{network} {address}"
            );
        }
    }

    #[test]
    fn malformed_operands_are_refused() {
        for bad in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "::/129",
            "010.0.0.1",
            " 10.0.0.1",
            "fe80::1%eth0",
            "*",
            "10.0.0.0/0x8",
        ] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
        for bad in ["", "inf", "NaN", "1e999", "0x10", "1 ", "1_000", "one", "--1", "."] {
            assert!(Number::parse(bad).is_none(), "{bad}");
        }
        for bad in ["", "tomorrow", "2026-13-01", "2026-02-30", "2026-01-01T25:00:00Z", "2026-01-01T00:00:00"] {
            assert!(parse_date(bad).is_none(), "{bad}");
        }
        for bad in ["", "yes", "1", " true"] {
            assert!(parse_bool(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn dates_of_all_forms_name_the_same_moment() {
        for text in [
            "2026-01-01",
            "2026-01-01T00:00Z",
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.000Z",
            "2026-01-01T01:00:00+01:00",
            "1767225600",
        ] {
            assert_eq!(parse_date(text), Some(1_767_225_600_000_000_000), "{text}");
        }
    }

    #[test]
    fn whole_numbers_are_compared_exactly() {
        let compare = |a, b| Number::parse(a).unwrap().compare(Number::parse(b).unwrap());
        assert_eq!(compare("9007199254740993", "9007199254740992"), Some(Ordering::Greater));
        assert_eq!(compare("-1.5", "-1"), Some(Ordering::Less));
        assert_eq!(compare("1e3", "1000"), Some(Ordering::Equal));
    }
}
