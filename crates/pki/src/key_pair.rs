//! Key pairs for devices that do not make their own. The private key is handed to whoever asked, once, and wiped.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use der::asn1::{OctetStringRef, UintRef};
use der::{Decode as _, Reader as _, SliceReader};
use parking_lot::{Condvar, Mutex};
use spki::AlgorithmIdentifierRef;
use zeroize::Zeroizing;

use crate::pem;
use crate::signing_key::KeyFailure;

/// An RSA-2048 key pair.
pub struct KeyPair {
    private_pem: Zeroizing<String>,
    public_pem: String,
    spki: Vec<u8>,
}

impl KeyPair {
    /// Makes a pair. Takes about 0.2 s of CPU: not for a reactor.
    ///
    /// # Errors
    /// When the cryptography library fails.
    pub fn generate() -> Result<Self, KeyFailure> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyFailure)?;
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyFailure)?;
        let spki = pair.public_key().as_der().map_err(|_| KeyFailure)?.as_ref().to_vec();
        let pkcs1 = pkcs1_of(pkcs8.as_ref()).map_err(|_| KeyFailure)?;
        Ok(Self {
            private_pem: pem::encode("RSA PRIVATE KEY", pkcs1),
            public_pem: pem::encode("PUBLIC KEY", &spki).to_string(),
            spki,
        })
    }

    /// The private key: PEM `RSA PRIVATE KEY` (PKCS #1), ending in a newline.
    #[must_use]
    pub fn private_pem(&self) -> &str {
        &self.private_pem
    }

    /// The public key: PEM `PUBLIC KEY`, ending in a newline.
    #[must_use]
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// The SubjectPublicKeyInfo, as DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public_pem", &self.public_pem).finish_non_exhaustive()
    }
}

/// The RSAPrivateKey inside a PrivateKeyInfo (RFC 5208, 5).
fn pkcs1_of(pkcs8: &[u8]) -> der::Result<&[u8]> {
    let mut reader = SliceReader::new(pkcs8)?;
    let key = reader.sequence(|reader| {
        UintRef::decode(reader)?;
        AlgorithmIdentifierRef::decode(reader)?;
        <&OctetStringRef>::decode(reader)
    })?;
    reader.finish()?;
    Ok(key.as_bytes())
}

/// A few pairs made ahead, by one thread of its own, which ends with the pool.
pub struct KeyPairPool(Arc<Shared>);

struct Shared {
    capacity: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    pairs: VecDeque<KeyPair>,
    is_closed: bool,
}

impl KeyPairPool {
    /// A pool that keeps `capacity` pairs ready.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let shared = Arc::new(Shared { capacity, state: Mutex::default(), changed: Condvar::new() });
        let filled = Arc::clone(&shared);
        // Without the thread, every pair is made when it is asked for.
        let _ = std::thread::Builder::new().name("key-pairs".to_owned()).spawn(move || filled.keep_filled());
        Self(shared)
    }

    /// A pair made ahead, if there is one. Never blocks.
    #[must_use]
    pub fn try_take(&self) -> Option<KeyPair> {
        let pair = self.0.state.lock().pairs.pop_front();
        if pair.is_some() {
            self.0.changed.notify_all();
        }
        pair
    }

    /// A pair made ahead, or else made now. May take 0.2 s of CPU and more: call it where blocking is allowed.
    ///
    /// # Errors
    /// When the cryptography library fails.
    pub fn take_blocking(&self) -> Result<KeyPair, KeyFailure> {
        self.try_take().map_or_else(KeyPair::generate, Ok)
    }

    /// How many pairs are ready.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.0.state.lock().pairs.len()
    }
}

impl Drop for KeyPairPool {
    fn drop(&mut self) {
        self.0.state.lock().is_closed = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn keep_filled(&self) {
        loop {
            {
                let mut state = self.state.lock();
                while state.pairs.len() >= self.capacity && !state.is_closed {
                    self.changed.wait(&mut state);
                }
                if state.is_closed {
                    return;
                }
            }
            let Ok(pair) = KeyPair::generate() else { return };
            self.state.lock().pairs.push_back(pair);
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_fills_itself_to_its_capacity_and_again_after_a_take() {
        let pool = KeyPairPool::new(2);
        let wait_until_full = || {
            let mut state = pool.0.state.lock();
            while state.pairs.len() < 2 {
                pool.0.changed.wait(&mut state);
            }
            assert_eq!(state.pairs.len(), 2);
        };
        wait_until_full();
        assert!(pool.try_take().is_some());
        wait_until_full();
    }

    #[test]
    fn the_thread_ends_with_the_pool() {
        let pool = KeyPairPool::new(0);
        let shared = Arc::downgrade(&pool.0);
        drop(pool);
        // The thread holds the only other reference.
        while shared.strong_count() > 0 {
            std::thread::yield_now();
        }
    }
}
