//! The folder that private keys lie in: mode 0700, its files 0600, each written whole or not at all.
//!
//! A file holds one secret, and beside it the certificate of the key where there is one, so that the two cannot be
//! torn apart. With a passphrase, the secret's block is `GATEHOUSE ENCRYPTED KEY`. Its content is a version octet (1),
//! the PBKDF2-HMAC-SHA256 iterations (4 octets, big-endian), a salt (16), a nonce (12), and the secret sealed with
//! AES-256-GCM, whose associated data are the file's name, the label of the plain block, and all octets before the
//! nonce. Files made together share a salt, so that a start derives one key.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::num::NonZeroU32;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::pbkdf2;
use zeroize::Zeroizing;

use crate::pem;
use crate::random::{NoRandomness, random};

const ENCRYPTED: &str = "GATEHOUSE ENCRYPTED KEY";
const CERTIFICATE: &str = "CERTIFICATE";
const VERSION: u8 = 1;
/// What OWASP's password storage page asks of PBKDF2-HMAC-SHA256.
const ITERATIONS: u32 = 600_000;
/// More iterations than this in a file are an attack on the start.
const ITERATIONS_MAX: u32 = 20_000_000;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const HEADER_BYTES: usize = 1 + 4 + SALT_BYTES;
/// No file of the folder is longer.
const FILE_BYTES_MAX: u64 = 64 * 1024;
const TEMPORARY: &str = ".tmp";

/// Why the folder does not give or take a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFolderError {
    /// The file system refuses.
    #[error("{} cannot be used: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what the house writes.
    #[error("{} is damaged ({what}): restore it from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A file is encrypted and no passphrase is configured.
    #[error("{} is encrypted: configure the passphrase it was encrypted with", .0.display())]
    PassphraseMissing(PathBuf),
    /// The passphrase does not open a file.
    #[error("{} does not open with the configured passphrase: configure the one it was encrypted with, or, if that is it, restore the file from a backup", .0.display())]
    PassphraseWrong(PathBuf),
    /// A file is gone that an earlier start made.
    #[error("{} is missing, although this authority has been in use: restore it from a backup; a new one would not be trusted by those who trust the old", .0.display())]
    Missing(PathBuf),
    /// The random generator failed.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// Sealing failed.
    #[error("the key for {} cannot be encrypted", .0.display())]
    Encryption(PathBuf),
}

/// A secret and, for a signing key, its certificate.
pub(crate) struct Stored {
    pub(crate) secret: Zeroizing<Vec<u8>>,
    pub(crate) certificate: Option<Vec<u8>>,
}

/// The folder, opened by one process at a time.
pub(crate) struct KeyFolder {
    dir: PathBuf,
    passphrase: Option<Zeroizing<String>>,
    derived: Option<Derived>,
    _lock: File,
}

/// A key derived from the passphrase, kept because deriving it takes a good part of a second.
struct Derived {
    salt: [u8; SALT_BYTES],
    iterations: u32,
    key: LessSafeKey,
}

impl KeyFolder {
    /// Opens the folder and makes it if need be. Waits for another process that has it open.
    pub(crate) fn open(dir: &Path, passphrase: Option<&str>) -> Result<Self, KeyFolderError> {
        let refused = |source| KeyFolderError::Io { path: dir.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(refused)?;
        let mode = fs::metadata(dir).map_err(refused)?.permissions().mode();
        if mode & 0o077 != 0 {
            fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(refused)?;
        }
        let path = dir.join(".lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = lock.and_then(|file| file.lock().map(|()| file));
        let lock = lock.map_err(|source| KeyFolderError::Io { path, source })?;
        let passphrase = passphrase.map(|passphrase| Zeroizing::new(passphrase.to_owned()));
        let folder = Self { dir: dir.to_owned(), passphrase, derived: None, _lock: lock };
        folder.sweep().map_err(refused)?;
        Ok(folder)
    }

    /// Where a file of the folder lies.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Reads a secret under the label of its plain form; `None` when the file does not exist. A plain secret is
    /// encrypted in place when a passphrase is configured by now.
    pub(crate) fn read(&mut self, name: &str, label: &'static str) -> Result<Option<Stored>, KeyFolderError> {
        let path = self.path(name);
        let text = match self.read_text(name) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(KeyFolderError::Io { path, source }),
        };
        let certificate = pem::decode(&text, &[CERTIFICATE]).ok().map(|der| der.to_vec());
        if let Ok(sealed) = pem::decode(&text, &[ENCRYPTED]) {
            let secret = self.decrypt(name, label, &sealed)?;
            return Ok(Some(Stored { secret, certificate }));
        }
        let damaged = |_| KeyFolderError::Damaged { path, what: "it holds no key" };
        let stored = Stored { secret: pem::decode(&text, &[label]).map_err(damaged)?, certificate };
        if self.passphrase.is_some() {
            self.write(name, label, &stored)?;
        }
        Ok(Some(stored))
    }

    /// Writes a secret, replacing what was there.
    pub(crate) fn write(&mut self, name: &str, label: &'static str, stored: &Stored) -> Result<(), KeyFolderError> {
        let mut text = if self.passphrase.is_some() {
            pem::encode(ENCRYPTED, &self.encrypt(name, label, &stored.secret)?)
        } else {
            pem::encode(label, &stored.secret)
        };
        if let Some(certificate) = &stored.certificate {
            // In a string of the right size, so that no copy of a plain secret stays behind.
            let certificate = pem::encode(CERTIFICATE, certificate);
            let mut both = Zeroizing::new(String::with_capacity(text.len().saturating_add(certificate.len())));
            both.push_str(&text);
            both.push_str(&certificate);
            text = both;
        }
        self.write_text(name, &text)
    }

    /// Writes a file whole: it is on disk under its name, or the former one is.
    pub(crate) fn write_text(&self, name: &str, text: &str) -> Result<(), KeyFolderError> {
        let path = self.path(name);
        let temporary = self.path(&format!("{name}{TEMPORARY}"));
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            File::open(&self.dir)?.sync_all()
        };
        write().map_err(|source| KeyFolderError::Io { path: path.clone(), source })
    }

    /// Whether a file of the folder exists.
    pub(crate) fn has(&self, name: &str) -> Result<bool, KeyFolderError> {
        let path = self.path(name);
        fs::exists(&path).map_err(|source| KeyFolderError::Io { path, source })
    }

    fn read_text(&self, name: &str) -> io::Result<Zeroizing<String>> {
        let path = self.path(name);
        let length = fs::metadata(&path)?.len();
        if length > FILE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too long to be a key"));
        }
        fs::read_to_string(path).map(Zeroizing::new)
    }

    /// Removes what a start left that was killed while it wrote.
    fn sweep(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(TEMPORARY) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn encrypt(&mut self, name: &str, label: &str, secret: &[u8]) -> Result<Vec<u8>, KeyFolderError> {
        let path = self.path(name);
        let (salt, iterations) = match &self.derived {
            Some(derived) => (derived.salt, derived.iterations),
            None => (random()?, ITERATIONS),
        };
        let key = self.key(&path, salt, iterations)?;
        let mut sealed = vec![VERSION];
        sealed.extend(iterations.to_be_bytes());
        sealed.extend(salt);
        let aad = associated_data(name, label, &sealed);
        let nonce = random::<NONCE_BYTES>()?;
        sealed.extend(nonce);
        let mut ciphertext = Zeroizing::new(Vec::with_capacity(secret.len().saturating_add(AES_256_GCM.tag_len())));
        ciphertext.extend_from_slice(secret);
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut *ciphertext)
            .map_err(|_| KeyFolderError::Encryption(path))?;
        sealed.extend_from_slice(&ciphertext);
        Ok(sealed)
    }

    fn decrypt(&mut self, name: &str, label: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyFolderError> {
        let path = self.path(name);
        let damaged = |what| KeyFolderError::Damaged { path: path.clone(), what };
        let (header, rest) = sealed.split_at_checked(HEADER_BYTES).ok_or_else(|| damaged("it is too short"))?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(|| damaged("it is too short"))?;
        let [VERSION, i0, i1, i2, i3, salt @ ..] = header else {
            return Err(damaged("its version is unknown"));
        };
        let iterations = u32::from_be_bytes([*i0, *i1, *i2, *i3]);
        let salt = <[u8; SALT_BYTES]>::try_from(salt).map_err(|_| damaged("it is too short"))?;
        let key = self.key(&path, salt, iterations)?;
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        let aad = Aad::from(associated_data(name, label, header));
        let length = key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut plain)
            .map_err(|_| KeyFolderError::PassphraseWrong(path))?
            .len();
        plain.truncate(length);
        Ok(plain)
    }

    fn key(&mut self, path: &Path, salt: [u8; SALT_BYTES], iterations: u32) -> Result<&LessSafeKey, KeyFolderError> {
        let Some(passphrase) = &self.passphrase else {
            return Err(KeyFolderError::PassphraseMissing(path.to_owned()));
        };
        let is_known = |known: &Derived| known.salt == salt && known.iterations == iterations;
        if !self.derived.as_ref().is_some_and(is_known) {
            let rounds = NonZeroU32::new(iterations).filter(|rounds| rounds.get() <= ITERATIONS_MAX);
            let rounds = rounds.ok_or_else(|| KeyFolderError::Damaged {
                path: path.to_owned(),
                what: "its iterations are out of bounds",
            })?;
            let mut bytes = Zeroizing::new([0; 32]);
            pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, passphrase.as_bytes(), bytes.as_mut_slice());
            let key = UnboundKey::new(&AES_256_GCM, bytes.as_slice())
                .map_err(|_| KeyFolderError::Encryption(path.to_owned()))?;
            self.derived = Some(Derived { salt, iterations, key: LessSafeKey::new(key) });
        }
        self.derived.as_ref().map(|derived| &derived.key).ok_or_else(|| KeyFolderError::Encryption(path.to_owned()))
    }
}

/// Binds a sealed secret to its file, so that files cannot be swapped.
fn associated_data(name: &str, label: &str, header: &[u8]) -> Vec<u8> {
    [name.as_bytes(), b"\n", label.as_bytes(), b"\n", header].concat()
}
