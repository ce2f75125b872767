//! What an operator may set of AWS's quotas ("AWS IoT Core endpoints and quotas"); the defaults are AWS's. Rates are a
//! second's, with a burst of one second's worth; 0 takes a limit away.

use std::sync::atomic::{AtomicI64, Ordering};

use serde::Deserialize;

use crate::time::Timestamp;

/// The quotas in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// CONNECT requests of a scope.
    pub connect_rate: u32,
    /// CONNECT requests of one client id.
    pub client_connect_rate: u32,
    /// Connections of a scope at once.
    pub connections: u32,
    /// Messages published in a scope.
    pub publish_rate: u32,
    /// Messages published over one connection; more are discarded.
    pub connection_publish_rate: u32,
    /// Messages delivered over one connection; more have to wait.
    pub connection_delivery_rate: u32,
    /// Bytes received over one connection; more have to wait.
    pub connection_byte_rate: u32,
    /// Subscriptions made in a scope.
    pub subscribe_rate: u32,
    /// Subscriptions of a scope at once.
    pub subscriptions: u32,
    /// How long a session outlives its connection at most, in seconds.
    pub session_expiry_secs: u32,
    /// Messages queued in a scope for clients that are away; more are dropped.
    pub queue_rate: u32,
    /// Messages retained in a scope.
    pub retain_rate: u32,
    /// Messages retained for one topic.
    pub topic_retain_rate: u32,
    /// Requests of devices of a scope for a key pair and a certificate, in fleet provisioning.
    pub create_keys_and_certificate_rate: u32,
    /// Requests of devices of a scope for a certificate, in fleet provisioning.
    pub create_certificate_from_csr_rate: u32,
    /// Requests of devices of a scope to register a thing, in fleet provisioning.
    pub register_thing_rate: u32,
}

impl Quotas {
    /// No rate is limited, and no number but by the memory there is; sessions outlive their connections by AWS's default.
    pub const UNLIMITED: Self = Self {
        connect_rate: 0,
        client_connect_rate: 0,
        connections: 0,
        publish_rate: 0,
        connection_publish_rate: 0,
        connection_delivery_rate: 0,
        connection_byte_rate: 0,
        subscribe_rate: 0,
        subscriptions: 0,
        session_expiry_secs: 3_600,
        queue_rate: 0,
        retain_rate: 0,
        topic_retain_rate: 0,
        create_keys_and_certificate_rate: 0,
        create_certificate_from_csr_rate: 0,
        register_thing_rate: 0,
    };
    /// The longest time that sessions may outlive their connections, in seconds: seven days.
    pub const SESSION_EXPIRY_SECS_MAX: u32 = 604_800;
}

impl Default for Quotas {
    /// AWS's, in large Regions.
    fn default() -> Self {
        Self {
            connect_rate: 3_000,
            client_connect_rate: 1,
            connections: 500_000,
            publish_rate: 20_000,
            connection_publish_rate: 100,
            connection_delivery_rate: 100,
            connection_byte_rate: 512 * 1024,
            subscribe_rate: 3_000,
            subscriptions: 500_000,
            session_expiry_secs: 3_600,
            queue_rate: 500,
            retain_rate: 500,
            topic_retain_rate: 1,
            create_keys_and_certificate_rate: 10,
            create_certificate_from_csr_rate: 20,
            register_thing_rate: 10,
        }
    }
}

/// Whether one more of a number is within a limit of which 0 means none.
#[must_use]
pub const fn has_room(limit: u32, present: usize) -> bool {
    limit == 0 || present < limit as usize
}

/// A second's worth of burst, in microseconds.
const BURST_US: i64 = 1_000_000;

/// How far a rate is used up: the moment up to which what has passed would have taken at an even pace, in microseconds
/// (the generic cell rate algorithm, ITU-T I.371).
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace(i64);

impl Pace {
    /// Lets `count` through at `now`, unless they would be beyond `rate`.
    pub fn take(&mut self, now: Timestamp, rate: u32, count: u32) -> bool {
        match advanced(self.0, now, rate, count) {
            Some(next) => {
                self.0 = next;
                true
            }
            None => false,
        }
    }

    /// Whether one more would be let through.
    #[must_use]
    pub fn has_room(&self, now: Timestamp, rate: u32) -> bool {
        advanced(self.0, now, rate, 1).is_some()
    }

    /// Lets `count` through in any case; answers for how many milliseconds nothing more should follow.
    pub fn spend(&mut self, now: Timestamp, rate: u32, count: u32) -> u64 {
        if rate == 0 {
            return 0;
        }
        let now_us = now.as_millis().saturating_mul(1_000);
        let next = base(self.0, now_us).saturating_add(cost_us(rate, count));
        self.0 = next;
        u64::try_from((next - now_us - BURST_US) / 1_000).unwrap_or(0)
    }
}

/// A [`Pace`] that many keep to.
#[derive(Debug, Default)]
pub struct SharedPace(AtomicI64);

impl SharedPace {
    /// Lets `count` through at `now`, unless they would be beyond `rate`.
    pub fn take(&self, now: Timestamp, rate: u32, count: u32) -> bool {
        rate == 0
            || self
                .0
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |before| advanced(before, now, rate, count))
                .is_ok()
    }
}

fn advanced(before: i64, now: Timestamp, rate: u32, count: u32) -> Option<i64> {
    if rate == 0 {
        return Some(before);
    }
    let now_us = now.as_millis().saturating_mul(1_000);
    let next = base(before, now_us).saturating_add(cost_us(rate, count));
    (next - now_us <= BURST_US).then_some(next)
}

/// A clock that was set back does not keep anybody waiting for it.
fn base(before: i64, now_us: i64) -> i64 {
    if before > now_us.saturating_add(60 * BURST_US) { now_us } else { before.max(now_us) }
}

fn cost_us(rate: u32, count: u32) -> i64 {
    BURST_US.saturating_mul(i64::from(count)) / i64::from(rate.max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn a_burst_of_one_second_passes_and_then_an_even_flow() {
        let mut pace = Pace::default();
        assert_eq!((0..200).filter(|_| pace.take(NOW, 100, 1)).count(), 100);
        assert!(!pace.take(NOW.plus_millis(9), 100, 1));
        assert!(pace.take(NOW.plus_millis(10), 100, 1));
        assert_eq!((0..200).filter(|_| pace.take(NOW.plus_millis(2_000), 100, 1)).count(), 100);
        assert!((0..1_000).all(|_| pace.take(NOW, 0, 1)), "0 is no limit");
        let mut once = Pace::default();
        assert_eq!([once.take(NOW, 1, 1), once.take(NOW.plus_millis(999), 1, 1)], [true, false]);
        assert!(once.take(NOW.plus_millis(1_000), 1, 1));
        // Set back by an hour, the clock lets the next one through.
        assert!(once.take(NOW.plus_millis(-3_600_000), 1, 1));
    }

    #[test]
    fn who_spends_too_much_waits() {
        let mut pace = Pace::default();
        assert_eq!(pace.spend(NOW, 1_000, 1_000), 0);
        assert_eq!(pace.spend(NOW, 1_000, 500), 500);
        assert_eq!(pace.spend(NOW.plus_millis(500), 1_000, 100), 100);
        assert_eq!(pace.spend(NOW, 0, u32::MAX), 0);
    }

    #[test]
    fn a_number_without_limit_always_has_room() {
        assert!(has_room(0, usize::MAX));
        assert!(has_room(2, 1));
        assert!(!has_room(2, 2));
    }

    proptest! {
        #[test]
        fn no_more_than_the_rate_and_one_burst_pass(rate in 1..500_u32, steps in prop::collection::vec(0..50_i64, 0..400)) {
            let (mut pace, shared) = (Pace::default(), SharedPace::default());
            let (mut elapsed_ms, mut passed) = (0, 0_i64);
            for step in steps {
                elapsed_ms += step;
                let now = NOW.plus_millis(elapsed_ms);
                let passes = pace.take(now, rate, 1);
                prop_assert_eq!(shared.take(now, rate, 1), passes);
                passed += i64::from(passes);
            }
            prop_assert!(passed <= i64::from(rate) + elapsed_ms * i64::from(rate) / 1_000 + 1);
        }
    }
}
