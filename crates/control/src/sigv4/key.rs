//! Signing keys: derived from a secret for one day, Region and service, and kept for the next call.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use quick_cache::sync::Cache;
use zeroize::Zeroizing;

use super::authorization::{CredentialScope, TERMINATOR};
use super::error::SigV4Error;

/// What signs and verifies for one access key within one [`CredentialScope`]. It gives no key bytes away, and is wiped
/// when the last copy goes.
#[derive(Clone)]
pub struct SigningKey(Arc<hmac::Key>);

impl SigningKey {
    /// Derives the key of `secret_access_key` for `scope` (AWS: "Create a signed AWS API request", step 4).
    #[must_use]
    pub fn derive(secret_access_key: &[u8], scope: &CredentialScope) -> Self {
        // Sized at once: growing would leave a copy of the secret behind.
        let mut seed = Zeroizing::new(Vec::with_capacity(4 + secret_access_key.len()));
        seed.extend_from_slice(b"AWS4");
        seed.extend_from_slice(secret_access_key);
        let day = step(&hmac::Key::new(HMAC_SHA256, &seed), scope.day.as_str());
        let region = step(&day, scope.region.as_str());
        let service = step(&region, scope.service);
        Self(Arc::new(step(&service, TERMINATOR)))
    }

    pub(super) fn sign(&self, string_to_sign: &str) -> [u8; 32] {
        let mut signature = [0; 32];
        signature.copy_from_slice(hmac::sign(&self.0, string_to_sign.as_bytes()).as_ref());
        signature
    }

    /// Compares in constant time.
    pub(super) fn verify(&self, string_to_sign: &str, signature: &[u8; 32]) -> Result<(), SigV4Error> {
        hmac::verify(&self.0, string_to_sign.as_bytes(), signature).map_err(|_| SigV4Error::Mismatch)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

fn step(key: &hmac::Key, text: &str) -> hmac::Key {
    let mut bytes = Zeroizing::new([0; 32]);
    let written = hmac::sign_to_buffer(key, text.as_bytes(), &mut *bytes).map_or(0, |tag| tag.len());
    // HMAC of memory into 32 bytes cannot fail; were it to, a key of zeroes must not go on from here.
    assert!(written == 32, "HMAC-SHA256 fills 32 bytes");
    hmac::Key::new(HMAC_SHA256, &*bytes)
}

/// Signing keys of recent calls. A key in here is no permission: whether the access key still exists is asked of the
/// store at every call, and a key goes in only after a signature was found right, so that strangers cannot crowd out
/// the keys in use.
pub struct SigningKeyCache(Cache<(String, CredentialScope), SigningKey>);

impl SigningKeyCache {
    /// A cache of at most `capacity` keys.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    /// The key of an access key for `scope`.
    #[must_use]
    pub fn get(&self, access_key_id: &str, scope: &CredentialScope) -> Option<SigningKey> {
        self.0.get(&(access_key_id.to_owned(), *scope))
    }

    /// Keeps `key`, which has just verified a signature.
    pub fn insert(&self, access_key_id: &str, scope: &CredentialScope, key: SigningKey) {
        self.0.insert((access_key_id.to_owned(), *scope), key);
    }

    /// Forgets all keys of an access key, such as one that was deleted.
    pub fn invalidate(&self, access_key_id: &str) {
        self.0.retain(|(id, _), _| id != access_key_id);
    }
}

impl fmt::Debug for SigningKeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeyCache").field("keys", &self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::stamp::Day;
    use super::*;

    fn scope(day: &str) -> CredentialScope {
        CredentialScope { day: Day::parse(day).unwrap(), region: "us-east-1".parse().unwrap(), service: "iot" }
    }

    #[test]
    fn an_invalidated_access_key_has_no_keys_left() {
        let cache = SigningKeyCache::new(100);
        for (id, day) in [("A", "20150830"), ("A", "20150831"), ("B", "20150830")] {
            cache.insert(id, &scope(day), SigningKey::derive(b"secret", &scope(day)));
        }
        cache.invalidate("A");
        assert!(cache.get("A", &scope("20150830")).is_none());
        assert!(cache.get("A", &scope("20150831")).is_none());
        assert!(cache.get("B", &scope("20150830")).is_some());
        assert!(cache.get("B", &scope("20150831")).is_none());
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = SigningKeyCache::new(8);
        let key = SigningKey::derive(b"secret", &scope("20150830"));
        for nth in 0..1000 {
            cache.insert(&format!("A{nth}"), &scope("20150830"), key.clone());
        }
        assert!(cache.0.len() <= 8);
    }

    #[test]
    fn nothing_that_prints_shows_a_key() {
        assert_eq!(format!("{:?}", SigningKey::derive(b"secret", &scope("20150830"))), "SigningKey(…)");
    }
}
