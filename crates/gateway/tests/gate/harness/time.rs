//! Time that stands still unless a test moves it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use gatehouse_domain::time::{Clock, Timestamp};

/// 2027-01-15T08:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// The wall clock of the house.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.as_millis()))
    }

    pub(crate) fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }

    pub(crate) fn advance_ms(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// The runtime's timers, held: they go off when a test says so, while sockets work as ever. For tests on a runtime of one
/// thread.
pub(crate) struct HeldTime {
    /// Its receiver waits in a blocking task: as long as one runs, tokio does not move a paused clock by itself.
    _hold: mpsc::Sender<()>,
}

impl HeldTime {
    pub(crate) async fn hold() -> Self {
        let (hold, held) = mpsc::channel::<()>();
        let (started, has_started) = tokio::sync::oneshot::channel();
        tokio::task::spawn_blocking(move || {
            let _waiting = started.send(());
            let _let_go = held.recv();
        });
        has_started.await.unwrap();
        tokio::time::pause();
        Self { _hold: hold }
    }

    /// Lets `duration` pass.
    pub(crate) async fn pass(&self, duration: Duration) {
        tokio::time::advance(duration).await;
        // Whoever was woken shall have its turn before more happens.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    /// Lets time pass by the second until something has happened; answers how many seconds it took, at most `limit_secs`.
    pub(crate) async fn until(&self, limit_secs: u32, has_happened: impl Fn() -> bool) -> u32 {
        for secs in 0..=limit_secs {
            // Sockets need real time, which is not held.
            let began = std::time::Instant::now();
            while began.elapsed() < Duration::from_millis(20) {
                if has_happened() {
                    return secs;
                }
                tokio::task::yield_now().await;
            }
            self.pass(Duration::from_secs(1)).await;
        }
        panic!("it does not happen within {limit_secs} seconds");
    }
}
