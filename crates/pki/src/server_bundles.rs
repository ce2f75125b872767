//! The server certificates that the configuration names, kept up to date: their files are looked at again and again, and
//! a replacement that serves takes the place of what is served. One that does not leaves the former in its place.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use gatehouse_domain::domain_configuration::ServerCertificateArn;
use gatehouse_domain::host_name::HostName;
use gatehouse_domain::time::Timestamp;
use parking_lot::Mutex;
use zeroize::Zeroizing;

use crate::certificate::CertificateRefusal;
use crate::server_bundle::{ServerBundle, ServerBundleRefusal};

/// A file at most, in bytes: five certificates as PEM, and text around them.
const FILE_BYTES: u64 = 64 * 1024;

/// Where a chain and its key lie, both as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleFiles {
    /// The chain, the server's certificate first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Why the files of a server certificate do not serve.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is in them does not serve.
    #[error("{}: {refusal}", path.display())]
    Refused {
        /// The file with the chain.
        path: PathBuf,
        /// What is wrong.
        refusal: ServerBundleRefusal,
    },
    /// A replacement is not valid now.
    #[error("{}: {refusal}", path.display())]
    NotValid {
        /// The file with the chain.
        path: PathBuf,
        /// Since when, or until when.
        refusal: CertificateRefusal,
    },
}

/// Why the certificate with this ARN does not serve.
#[derive(Debug, thiserror::Error)]
#[error("{arn}: {error}")]
pub struct UnusableBundle {
    /// Which one.
    pub arn: ServerCertificateArn,
    /// What is wrong with it.
    pub error: BundleError,
}

/// What came of looking at the files again.
#[derive(Debug)]
pub enum Reloaded {
    /// A replacement is served from now on.
    Replaced(ServerCertificateArn),
    /// A replacement does not serve; the former stays.
    Refused(ServerCertificateArn, BundleError),
}

/// Why a host cannot be served with a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotServed {
    /// The configuration does not name it.
    #[error("the server's configuration names no such certificate: whoever runs it adds it to server_certificates")]
    Unknown,
    /// It names other hosts.
    #[error("the certificate does not name {0}")]
    OtherHost(HostName),
    /// Not valid now.
    #[error("{0}")]
    NotValid(CertificateRefusal),
}

/// All of them, by ARN. Cheap to read beside a reload.
#[derive(Default)]
pub struct ServerBundles(BTreeMap<ServerCertificateArn, Entry>);

struct Entry {
    files: BundleFiles,
    served: ArcSwap<ServerBundle>,
    /// Why the files as they are now are not what is served.
    problem: ArcSwapOption<String>,
    seen: Mutex<Seen>,
}

/// What a file looks like from outside: when it was written, how long it is, and which file it is.
type Look = (i64, i64, u64, u64);
type Seen = Option<(Look, Look)>;

impl ServerBundles {
    /// Reads them all. One that has expired is served nevertheless: it ends no other's service, and
    /// [`ServerBundles::check`] says it.
    ///
    /// # Errors
    /// The first one that cannot be served, and why.
    pub fn open(files: BTreeMap<ServerCertificateArn, BundleFiles>) -> Result<Self, Box<UnusableBundle>> {
        let mut entries = BTreeMap::new();
        for (arn, files) in files {
            let seen = look(&files);
            let bundle = match read(&files) {
                Ok(bundle) => bundle,
                Err(error) => return Err(Box::new(UnusableBundle { arn, error })),
            };
            let served = ArcSwap::from_pointee(bundle);
            entries.insert(arn, Entry { files, served, problem: ArcSwapOption::empty(), seen: Mutex::new(seen) });
        }
        Ok(Self(entries))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is served under this ARN now. To be asked at every handshake: a reload may have replaced it.
    #[must_use]
    pub fn bundle(&self, arn: &ServerCertificateArn) -> Option<Arc<ServerBundle>> {
        self.0.get(arn).map(|entry| entry.served.load_full())
    }

    /// Whether `host` can be served with the certificate at `now`.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, arn: &ServerCertificateArn, host: &HostName, now: Timestamp) -> Result<(), NotServed> {
        let bundle = self.bundle(arn).ok_or(NotServed::Unknown)?;
        if !bundle.covers(host) {
            return Err(NotServed::OtherHost(host.clone()));
        }
        bundle.check_validity(now).map_err(NotServed::NotValid)
    }

    /// Why the files as they are now are not what is served.
    #[must_use]
    pub fn problem(&self, arn: &ServerCertificateArn) -> Option<Arc<String>> {
        self.0.get(arn)?.problem.load_full()
    }

    /// Looks at all files again and reads those that changed. Blocks on files.
    pub fn reload(&self, now: Timestamp) -> Vec<Reloaded> {
        self.0.iter().filter_map(|(arn, entry)| entry.reload(arn, now)).collect()
    }
}

impl Entry {
    fn reload(&self, arn: &ServerCertificateArn, now: Timestamp) -> Option<Reloaded> {
        let mut seen = self.seen.lock();
        let found = look(&self.files);
        if found == *seen {
            return None;
        }
        let outcome = read(&self.files).and_then(|bundle| match bundle.check_validity(now) {
            Ok(()) => Ok(bundle),
            Err(refusal) => Err(BundleError::NotValid { path: self.files.certificate.clone(), refusal }),
        });
        // As they looked before they were read: what is written meanwhile is read next time. What was refused for a reason
        // that may pass, such as a notBefore that is still to come, is read again.
        if !matches!(outcome, Err(BundleError::NotValid { .. } | BundleError::Io { .. })) {
            *seen = found;
        }
        match outcome {
            Ok(bundle) => {
                self.served.store(Arc::new(bundle));
                self.problem.store(None);
                Some(Reloaded::Replaced(arn.clone()))
            }
            Err(error) => {
                let text = error.to_string();
                // Told once, not at every look.
                let is_known = self.problem.load().as_deref() == Some(&text);
                self.problem.store(Some(Arc::new(text)));
                (!is_known).then(|| Reloaded::Refused(arn.clone(), error))
            }
        }
    }
}

fn look(files: &BundleFiles) -> Seen {
    let look = |path: &Path| {
        let found = fs::metadata(path).ok()?;
        Some((found.mtime(), found.mtime_nsec(), found.size(), found.ino()))
    };
    Some((look(&files.certificate)?, look(&files.key)?))
}

fn read(files: &BundleFiles) -> Result<ServerBundle, BundleError> {
    let text = |path: &Path| read_file(path).map_err(|source| BundleError::Io { path: path.to_owned(), source });
    let (chain, key) = (text(&files.certificate)?, text(&files.key)?);
    ServerBundle::read(&chain, &key)
        .map_err(|refusal| BundleError::Refused { path: files.certificate.clone(), refusal })
}

fn read_file(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut file = fs::File::open(path)?.take(FILE_BYTES.saturating_add(1));
    // Room for all of it, so that a key never moves.
    let mut octets = Zeroizing::new(Vec::with_capacity(usize::try_from(FILE_BYTES).unwrap_or(0).saturating_add(64)));
    file.read_to_end(&mut octets)?;
    if u64::try_from(octets.len()).is_ok_and(|length| length > FILE_BYTES) {
        return Err(io::Error::other("it is too long to be a certificate or key"));
    }
    let text = std::str::from_utf8(&octets).map_err(|_| io::Error::other("it is not text: PEM is needed"))?;
    Ok(Zeroizing::new(text.to_owned()))
}
