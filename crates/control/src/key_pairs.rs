//! RSA key pairs for callers: made ahead by idle time, or now, a few at once, for a bounded queue.

use std::sync::Arc;

use gatehouse_domain::limits;
use gatehouse_pki::key_pair::{KeyPair, KeyPairPool};
use tokio::sync::Semaphore;

use crate::error::{Code, Error};

/// Where key pairs come from.
pub struct KeyPairs {
    ahead: Arc<KeyPairPool>,
    queue: Semaphore,
    cores: Semaphore,
}

impl KeyPairs {
    /// Keeps `ahead` pairs ready.
    #[must_use]
    pub fn new(ahead: usize) -> Self {
        Self {
            ahead: Arc::new(KeyPairPool::new(ahead)),
            queue: Semaphore::new(limits::KEY_PAIR_QUEUE),
            cores: Semaphore::new(limits::KEY_PAIR_CORES),
        }
    }

    /// A key pair.
    ///
    /// # Errors
    /// `ThrottlingException` when [`limits::KEY_PAIR_QUEUE`] callers wait already; an internal failure when no key can
    /// be made.
    pub async fn take(&self) -> Result<KeyPair, Error> {
        if let Some(pair) = self.ahead.try_take() {
            return Ok(pair);
        }
        let throttled = |_| Error::refused(Code::ThrottlingException, "Rate exceeded");
        let _place = self.queue.try_acquire().map_err(throttled)?;
        let _core = self.cores.acquire().await.map_err(|error| Error::Internal(error.to_string()))?;
        let ahead = Arc::clone(&self.ahead);
        // Making one takes a tenth of a second or more of a core: not on the reactor.
        tokio::task::spawn_blocking(move || ahead.take_blocking())
            .await
            .map_err(|error| Error::Internal(error.to_string()))?
            .map_err(|error| Error::Internal(error.to_string()))
    }
}
