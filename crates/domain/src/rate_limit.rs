//! A bound on what strangers can make us write: so many events a second pass, the rest are counted.

use crate::time::Timestamp;

/// Lets through so many events a second.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    per_second: u32,
    second: i64,
    passed: u32,
    skipped: u64,
}

impl RateLimit {
    /// Lets `per_second` events through in each second.
    #[must_use]
    pub const fn new(per_second: u32) -> Self {
        Self { per_second, second: i64::MIN, passed: 0, skipped: 0 }
    }

    /// Asks for an event at `now`: the number of events that were skipped since the last one that passed, or `None` when
    /// this one is to be skipped too.
    pub const fn ask(&mut self, now: Timestamp) -> Option<u64> {
        if now.as_secs() != self.second {
            self.second = now.as_secs();
            self.passed = 0;
        }
        if self.passed >= self.per_second {
            self.skipped += 1;
            return None;
        }
        self.passed += 1;
        let skipped = self.skipped;
        self.skipped = 0;
        Some(skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lets_so_many_through_and_the_next_tells_how_many_were_not() {
        let mut limit = RateLimit::new(2);
        let at = Timestamp::from_secs(100);
        assert_eq!([limit.ask(at), limit.ask(at), limit.ask(at), limit.ask(at)], [Some(0), Some(0), None, None]);
        let later = at.plus_millis(1_000);
        assert_eq!([limit.ask(later), limit.ask(later), limit.ask(later)], [Some(2), Some(0), None]);
        // A clock that was set back starts another second.
        assert_eq!(limit.ask(at), Some(1));
    }
}
