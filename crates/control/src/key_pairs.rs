//! RSA key pairs for callers: made ahead by idle time, or now, a few at once, for a bounded queue of which no scope may
//! take more than half.

use std::collections::HashMap;
use std::sync::Arc;

use gatehouse_domain::limits;
use gatehouse_domain::scope::Scope;
use gatehouse_pki::key_pair::{KeyPair, KeyPairPool};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::error::{Code, Error};

/// Where key pairs come from.
pub struct KeyPairs {
    ahead: Arc<KeyPairPool>,
    queue: Semaphore,
    cores: Semaphore,
    /// How many of a scope wait; scopes of which nobody waits are not there.
    waiting: Mutex<HashMap<Scope, usize>>,
}

/// A scope's place in the queue, until it is dropped.
struct Waiting<'a> {
    scopes: &'a Mutex<HashMap<Scope, usize>>,
    scope: Scope,
}

impl KeyPairs {
    /// Keeps `ahead` pairs ready.
    #[must_use]
    pub fn new(ahead: usize) -> Self {
        Self {
            ahead: Arc::new(KeyPairPool::new(ahead)),
            queue: Semaphore::new(limits::KEY_PAIR_QUEUE),
            cores: Semaphore::new(limits::KEY_PAIR_CORES),
            waiting: Mutex::default(),
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
        let _waiting = self.wait(scope).ok_or_else(throttled)?;
        let _place = self.queue.try_acquire().map_err(|_| throttled())?;
        let _core = self.cores.acquire().await.map_err(|error| Error::Internal(error.to_string()))?;
        let ahead = Arc::clone(&self.ahead);
        // Making one takes a tenth of a second or more of a core: not on the reactor.
        tokio::task::spawn_blocking(move || ahead.take_blocking())
            .await
            .map_err(|error| Error::Internal(error.to_string()))?
            .map_err(|error| Error::Internal(error.to_string()))
    }

    fn wait(&self, scope: Scope) -> Option<Waiting<'_>> {
        let mut scopes = self.waiting.lock();
        let present = scopes.entry(scope).or_insert(0);
        if *present >= limits::KEY_PAIR_QUEUE / 2 {
            return None;
        }
        *present += 1;
        Some(Waiting { scopes: &self.waiting, scope })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut scopes = self.scopes.lock();
        if let Some(present) = scopes.get_mut(&self.scope) {
            *present -= 1;
            if *present == 0 {
                scopes.remove(&self.scope);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatehouse_domain::scope::AccountId;

    #[test]
    fn no_scope_takes_more_than_half_of_the_queue() {
        let pairs = KeyPairs::new(0);
        let scope = |number| Scope::new(AccountId::from_number(number), "us-east-1".parse().unwrap());
        let mut waiting: Vec<_> = (0..limits::KEY_PAIR_QUEUE / 2).filter_map(|_| pairs.wait(scope(1))).collect();
        assert_eq!(waiting.len(), limits::KEY_PAIR_QUEUE / 2);
        assert!(pairs.wait(scope(1)).is_none());
        assert!(pairs.wait(scope(2)).is_some());
        waiting.pop();
        assert!(pairs.wait(scope(1)).is_some());
        waiting.clear();
        assert!(pairs.waiting.lock().is_empty());
    }
}
