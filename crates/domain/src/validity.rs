//! The validity period of a certificate. notAfter names a whole second that is still valid (RFC 5280, 4.1.2.5).

use crate::time::Timestamp;

/// The first moment after a validity period that ends with `not_after`.
#[must_use]
pub const fn ends_at(not_after: Timestamp) -> Timestamp {
    Timestamp::from_secs(not_after.as_secs()).plus_millis(1_000)
}

/// Whether the period is over at `now`.
#[must_use]
pub const fn is_over(not_after: Timestamp, now: Timestamp) -> bool {
    now.as_millis() >= ends_at(not_after).as_millis()
}

/// Whether `now` lies within the period.
#[must_use]
pub const fn contains(not_before: Timestamp, not_after: Timestamp, now: Timestamp) -> bool {
    now.as_millis() >= not_before.as_millis() && !is_over(not_after, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_second_is_valid_to_its_end() {
        let (first, last) = (Timestamp::from_secs(1_000), Timestamp::from_secs(2_000));
        for (now_ms, within, over) in [
            (999_999, false, false),
            (1_000_000, true, false),
            (2_000_000, true, false),
            (2_000_999, true, false),
            (2_001_000, false, true),
            (i64::MAX, false, true),
            (i64::MIN, false, false),
        ] {
            let now = Timestamp::from_millis(now_ms);
            assert_eq!((contains(first, last, now), is_over(last, now)), (within, over), "{now_ms}");
        }
        assert_eq!(ends_at(last.plus_millis(500)), Timestamp::from_millis(2_001_000));
    }
}
