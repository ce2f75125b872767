//! Encrypts what the store must hold but nobody may read there, and derives keys for other parts of the house.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use zeroize::Zeroizing;

use crate::key_folder::{KeyFolder, KeyFolderError, Stored};
use crate::random::{NoRandomness, random};

const FILE: &str = "sealing.pem";
const LABEL: &str = "GATEHOUSE SEALING KEY";
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;

/// Seals and opens with AES-256-GCM. Cheap to clone.
#[derive(Clone)]
pub struct Sealer(Arc<Keys>);

struct Keys {
    sealing: LessSafeKey,
    root: Prk,
}

/// Why something is not sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The random generator failed.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The cryptography library failed.
    #[error("the cryptography library refuses to seal")]
    Crypto,
    /// Made with another key, for another purpose, or changed since.
    #[error("it was sealed with another key or for something else, or has been changed")]
    NotOurs,
}

impl Sealer {
    /// Opens the sealing key in the key folder; the first start makes it.
    ///
    /// # Errors
    /// When the folder or the passphrase does not serve.
    pub fn open_or_make(dir: &Path, passphrase: Option<&str>) -> Result<Self, KeyFolderError> {
        let mut folder = KeyFolder::open(dir, passphrase)?;
        let damaged = |what| KeyFolderError::Damaged { path: dir.join(FILE), what };
        let secret = match folder.read(FILE, LABEL)? {
            Some(stored) => stored.secret,
            None => {
                let secret = Zeroizing::new(Zeroizing::new(random::<32>()?).to_vec());
                let stored = Stored { secret, certificate: None };
                folder.write(FILE, LABEL, &stored)?;
                stored.secret
            }
        };
        if secret.len() != 32 {
            return Err(damaged("the key is not 32 bytes long"));
        }
        Self::from_secret(&secret).map_err(|_| damaged("the key cannot be used"))
    }

    fn from_secret(secret: &[u8]) -> Result<Self, SealError> {
        let root = Salt::new(HKDF_SHA256, b"gatehouse").extract(secret);
        let sealing = expand(&root, "seal", "")?;
        let sealing = UnboundKey::new(&AES_256_GCM, sealing.as_slice()).map_err(|_| SealError::Crypto)?;
        Ok(Self(Arc::new(Keys { sealing: LessSafeKey::new(sealing), root })))
    }

    /// Seals `plain`. `aad` says what it is for: only with the same can it be opened.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn seal(&self, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let nonce = random::<NONCE_BYTES>()?;
        let mut text = Zeroizing::new(plain.to_vec());
        let tag = self
            .0
            .sealing
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut text)
            .map_err(|_| SealError::Crypto)?;
        Ok([&[VERSION], nonce.as_slice(), &text, tag.as_ref()].concat())
    }

    /// Opens what [`Self::seal`] made with the same `aad`.
    ///
    /// # Errors
    /// [`SealError::NotOurs`].
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let [VERSION, rest @ ..] = sealed else { return Err(SealError::NotOurs) };
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::NotOurs)?;
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        let length = self
            .0
            .sealing
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut plain)
            .map_err(|_| SealError::NotOurs)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }

    /// A key for the purpose that `label` names: the same after each start, unrelated to that of any other label.
    ///
    /// # Errors
    /// When the cryptography library fails.
    pub fn derive(&self, label: &str) -> Result<Zeroizing<[u8; 32]>, SealError> {
        expand(&self.0.root, "derive", label)
    }
}

fn expand(root: &Prk, kind: &str, label: &str) -> Result<Zeroizing<[u8; 32]>, SealError> {
    let mut key = Zeroizing::new([0; 32]);
    root.expand(&[kind.as_bytes(), b"/", label.as_bytes()], HKDF_SHA256)
        .and_then(|material| material.fill(key.as_mut_slice()))
        .map_err(|_| SealError::Crypto)?;
    Ok(key)
}
