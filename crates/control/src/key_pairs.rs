//! RSA key pairs for callers: made ahead by idle time, or now, a few at once, for a bounded queue of which no scope may
//! take more than half.

use std::sync::Arc;

use gatehouse_domain::limits;
use gatehouse_domain::scope::Scope;
use gatehouse_pki::key_pair::{KeyPair, KeyPairPool};
use tokio::sync::Semaphore;

use crate::error::{Code, Error};
use crate::places::Places;

/// Where key pairs come from.
pub struct KeyPairs {
    ahead: Arc<KeyPairPool>,
    queue: Places,
    cores: Semaphore,
}

impl KeyPairs {
    /// Keeps `ahead` pairs ready.
    #[must_use]
    pub fn new(ahead: usize) -> Self {
        Self {
            ahead: Arc::new(KeyPairPool::new(ahead)),
            queue: Places::new(limits::KEY_PAIR_QUEUE, limits::KEY_PAIR_QUEUE / 2),
            cores: Semaphore::new(limits::KEY_PAIR_CORES),
        }
    }

    /// A key pair for a caller of `scope`.
    ///
    /// # Errors
    /// `ThrottlingException` when [`limits::KEY_PAIR_QUEUE`] callers wait already, half of them of the scope at most; an
    /// internal failure when no key can be made.
    pub async fn take(&self, scope: Scope) -> Result<KeyPair, Error> {
        if let Some(pair) = self.ahead.try_take() {
            return Ok(pair);
        }
        let throttled = || Error::refused(Code::ThrottlingException, "Rate exceeded");
        let _place = self.queue.enter(scope).ok_or_else(throttled)?;
        let _core = self.cores.acquire().await.map_err(|error| Error::Internal(error.to_string()))?;
        let ahead = Arc::clone(&self.ahead);
        // Making one takes a tenth of a second or more of a core: not on the reactor.
        tokio::task::spawn_blocking(move || ahead.take_blocking())
            .await
            .map_err(|error| Error::Internal(error.to_string()))?
            .map_err(|error| Error::Internal(error.to_string()))
    }
}
