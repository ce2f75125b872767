//! Dates as SigV4 writes them: `20150830` and `20150830T123600Z`.

use std::fmt;

use gatehouse_domain::time::Timestamp;
use time::format_description::well_known::Rfc2822;
use time::{Date, Month, OffsetDateTime, Time};

/// A UTC day, `yyyymmdd`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Day([u8; 8]);

impl Day {
    /// The eight digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Eight digits; whether such a day exists shows when it is compared with a [`Stamp`].
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = <[u8; 8]>::try_from(text.as_bytes()).ok()?;
        digits.iter().all(u8::is_ascii_digit).then_some(Self(digits))
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The moment a request says it was signed, with the text that went into the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    text: String,
    at: Timestamp,
}

impl Stamp {
    /// Reads `yyyymmddThhmmssZ`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (day, time) = text.split_once('T')?;
        let time = time.strip_suffix('Z')?;
        if day.len() != 8 || time.len() != 6 {
            return None;
        }
        let month = Month::try_from(number::<u8>(day.get(4..6)?)?).ok()?;
        let date = Date::from_calendar_date(i32::from(number::<u16>(day.get(..4)?)?), month, number(day.get(6..)?)?);
        let time = Time::from_hms(number(time.get(..2)?)?, number(time.get(2..4)?)?, number(time.get(4..)?)?);
        let at = OffsetDateTime::new_utc(date.ok()?, time.ok()?);
        Some(Self { text: text.to_owned(), at: Timestamp::from_secs(at.unix_timestamp()) })
    }

    /// Reads what a `Date` header may hold: an HTTP date (RFC 9110, 5.6.7) or the form of `X-Amz-Date`.
    pub(super) fn parse_date_header(text: &str) -> Option<Self> {
        if let Some(stamp) = Self::parse(text) {
            return Some(stamp);
        }
        let at = OffsetDateTime::parse(text, &Rfc2822).ok()?.to_offset(time::UtcOffset::UTC);
        if !(0..=9999).contains(&at.year()) {
            return None;
        }
        Some(Self::of(Timestamp::from_secs(at.unix_timestamp())))
    }

    /// The stamp of `at`, to the second.
    pub(super) fn of(at: Timestamp) -> Self {
        let at = OffsetDateTime::from_unix_timestamp(at.as_secs()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (date, time) = (at.date(), at.time());
        let text = format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        );
        Self { text, at: Timestamp::from_secs(at.unix_timestamp()) }
    }

    /// The day it lies on.
    pub(super) fn day(&self) -> Day {
        self.text.get(..8).and_then(Day::parse).unwrap_or(Day(*b"19700101"))
    }

    /// `yyyymmddThhmmssZ`.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) const fn at(&self) -> Timestamp {
        self.at
    }

    pub(super) fn is_on(&self, day: Day) -> bool {
        self.text.get(..8) == Some(day.as_str())
    }
}

/// Digits alone: `str::parse` would take a sign as well.
fn number<N: std::str::FromStr>(digits: &str) -> Option<N> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_read_to_the_second() {
        let stamp = Stamp::parse("20150830T123600Z").unwrap();
        assert_eq!(stamp.at(), Timestamp::from_secs(1_440_938_160));
        assert!(stamp.is_on(Day::parse("20150830").unwrap()));
        assert!(!stamp.is_on(Day::parse("20150831").unwrap()));
        assert!(Stamp::parse("20240229T235959Z").is_some());
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        let bad = [
            "",
            "T",
            "TZ",
            "20150830",
            "20150830T123600",
            "20150830T123600z",
            "20150830t123600Z",
            "2015-08-30T12:36:00Z",
            "20150830T1236Z",
            "20150830T123660Z",
            "20150830T243600Z",
            "20151330T123600Z",
            "20150230T123600Z",
            "20150000T000000Z",
            "+2150830T123600Z",
            "201508+3T123600Z",
            "20150830T+23600Z",
            "20150830T123600ZZ",
            "20150830T123600Z ",
            "２015083T123600Z",
            "2015083\u{e9}T12360Z",
        ];
        for text in bad {
            assert!(Stamp::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_date_header_is_brought_to_the_form_that_is_signed() {
        let stamp = Stamp::parse_date_header("Sun, 30 Aug 2015 12:36:00 GMT").unwrap();
        assert_eq!(stamp.as_str(), "20150830T123600Z");
        assert_eq!(stamp.at(), Timestamp::from_secs(1_440_938_160));
        assert_eq!(Stamp::parse_date_header("20150830T123600Z").unwrap(), stamp);
        assert_eq!(Stamp::parse_date_header("Mon, 31 Aug 2015 01:36:00 +1300").unwrap(), stamp);
        for text in ["", "yesterday", "Sun, 30 Aug 2015", "2015-08-30T12:36:00Z", "Sun, 31 Feb 2015 12:36:00 GMT"] {
            assert!(Stamp::parse_date_header(text).is_none(), "{text}");
        }
    }
}
