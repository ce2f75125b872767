//! Writes DER (X.690): the little that certificates need, and the profile's fields readable in the order they are sent.

use der::asn1::ObjectIdentifier;
use gatehouse_domain::time::Timestamp;
use time::OffsetDateTime;

pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0C;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// A value with its tag and length.
pub(crate) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len().saturating_add(6));
    out.push(tag);
    match u8::try_from(content.len()) {
        Ok(short @ 0..=0x7F) => out.push(short),
        _ => {
            let length = content.len().to_be_bytes();
            let octets: Vec<u8> = length.into_iter().skip_while(|octet| *octet == 0).collect();
            out.push(0x80 | u8::try_from(octets.len()).unwrap_or(0x7F));
            out.extend(octets);
        }
    }
    out.extend_from_slice(content);
    out
}

/// A SEQUENCE of values already encoded.
pub(crate) fn sequence(values: &[&[u8]]) -> Vec<u8> {
    value(SEQUENCE, &values.concat())
}

/// A non-negative INTEGER from its big-endian octets.
pub(crate) fn unsigned(octets: &[u8]) -> Vec<u8> {
    let start = octets.iter().position(|octet| *octet != 0).unwrap_or(octets.len());
    let significant = octets.get(start..).unwrap_or_default();
    // The highest bit is the sign.
    let needs_zero = significant.first().is_none_or(|octet| *octet >= 0x80);
    let mut content = Vec::with_capacity(significant.len().saturating_add(1));
    if needs_zero {
        content.push(0);
    }
    content.extend_from_slice(significant);
    value(INTEGER, &content)
}

pub(crate) fn oid(oid: ObjectIdentifier) -> Vec<u8> {
    value(OBJECT_IDENTIFIER, oid.as_bytes())
}

/// A BIT STRING of whole octets.
pub(crate) fn bit_string(octets: &[u8]) -> Vec<u8> {
    value(BIT_STRING, &[&[0], octets].concat())
}

/// A named bit list (X.690, 11.2.2: no trailing zero bits); `bits` holds bit 0 in its highest place.
pub(crate) fn named_bits(bits: u8) -> Vec<u8> {
    let unused = u8::try_from(bits.trailing_zeros()).unwrap_or_default() & 7;
    value(BIT_STRING, &[unused, bits])
}

/// An extension (RFC 5280, 4.1): `content` is the encoded value that its OCTET STRING wraps.
pub(crate) fn extension(id: ObjectIdentifier, is_critical: bool, content: &[u8]) -> Vec<u8> {
    let critical = if is_critical { value(BOOLEAN, &[0xFF]) } else { Vec::new() };
    sequence(&[&oid(id), &critical, &value(OCTET_STRING, content)])
}

/// A relative distinguished name of one attribute, as UTF8String.
pub(crate) fn rdn(attribute: ObjectIdentifier, text: &str) -> Vec<u8> {
    value(SET, &sequence(&[&oid(attribute), &value(UTF8_STRING, text.as_bytes())]))
}

/// A Time (RFC 5280, 4.1.2.5): UTCTime through 2049, GeneralizedTime after it. `None` outside the years 1950 to 9999.
pub(crate) fn time(at: Timestamp) -> Option<Vec<u8>> {
    let date = OffsetDateTime::from_unix_timestamp(at.as_secs()).ok()?;
    let rest = format!(
        "{:02}{:02}{:02}{:02}{:02}Z",
        u8::from(date.month()),
        date.day(),
        date.hour(),
        date.minute(),
        date.second()
    );
    match date.year() {
        year @ 1950..2050 => Some(value(UTC_TIME, format!("{:02}{rest}", year.rem_euclid(100)).as_bytes())),
        year @ 2050..=9999 => Some(value(GENERALIZED_TIME, format!("{year:04}{rest}").as_bytes())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_minimal() {
        assert_eq!(value(OCTET_STRING, &[7; 0x7F])[..2], [4, 0x7F]);
        assert_eq!(value(OCTET_STRING, &[7; 0x80])[..3], [4, 0x81, 0x80]);
        assert_eq!(value(OCTET_STRING, &[7; 0x100])[..4], [4, 0x82, 1, 0]);
    }

    #[test]
    fn integers_are_minimal_and_never_negative() {
        assert_eq!(unsigned(&[0]), [2, 1, 0]);
        assert_eq!(unsigned(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(unsigned(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(unsigned(&[0, 0x7F, 0xFF]), [2, 2, 0x7F, 0xFF]);
    }

    #[test]
    fn times_change_their_form_with_2050() {
        assert_eq!(time(Timestamp::from_secs(2_524_607_999)).unwrap(), value(UTC_TIME, b"491231235959Z"));
        assert_eq!(time(Timestamp::from_secs(2_524_608_000)).unwrap(), value(GENERALIZED_TIME, b"20500101000000Z"));
        assert_eq!(time(Timestamp::from_secs(-700_000_000)), None);
        assert_eq!(time(Timestamp::from_millis(i64::MAX)), None);
    }

    #[test]
    fn named_bits_drop_trailing_zeros() {
        assert_eq!(named_bits(0b1000_0000), [3, 2, 7, 0x80]);
        assert_eq!(named_bits(0b0000_0110), [3, 2, 1, 0x06]);
    }
}
