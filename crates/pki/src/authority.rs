//! The house's certificate authority. The first start makes it: two roots, for the certificates of servers, which are
//! published, and an authority that issues device certificates.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use der::asn1::ObjectIdentifier;
use gatehouse_domain::time::Timestamp;
use zeroize::Zeroizing;

use crate::certificate::Certificate;
use crate::encoding::{rdn, sequence};
use crate::issue::{
    BACKDATED_MS, COMMON_NAME, CRL_SIGN, Constraint, ISSUER, Issuer, KEY_CERT_SIGN, Layout, NOT_AFTER,
    ORGANIZATIONAL_UNIT, authority_key_identifier, basic_constraints, key_id, key_usage, sign, subject_key_identifier,
};
use crate::key_folder::{KeyFolder, KeyFolderError, Stored};
use crate::random::{NoRandomness, random};
use crate::server_certificate::{self, Signer};
use crate::signing_key::{KeyFailure, KeyKind, SigningKey};

const PRIVATE_KEY: &str = "PRIVATE KEY";
const ROOT_P256: &str = "root-p256.pem";
const ROOT_RSA: &str = "root-rsa2048.pem";
const SERVER_RSA: &str = "server-rsa2048.pem";
/// Written last by the first start: without it, that start did not get to its end, and nobody has seen the roots.
const PUBLISHED: &str = "root-ca.pem";
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");

/// The kind of key that device certificates are signed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IssuingKey {
    /// P-256: fast.
    #[default]
    P256,
    /// RSA-2048: as AWS.
    Rsa2048,
}

/// What the authority is opened with.
#[derive(Clone, Debug, Default)]
pub struct AuthoritySettings {
    /// The kind of the issuing key.
    pub issuing_key: IssuingKey,
    /// Encrypts the keys on disk.
    pub passphrase: Option<Zeroizing<String>>,
}

/// The kind of a server certificate, chosen by what the client can verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKey {
    /// P-256 throughout.
    P256,
    /// RSA-2048 throughout.
    Rsa2048,
}

/// A certificate chain and its key, for the TLS stack.
pub struct ServerChain {
    /// DER certificates, the server's first. The root is not among them.
    pub chain: Vec<Vec<u8>>,
    /// The private key: PKCS #8, DER.
    pub key: Zeroizing<Vec<u8>>,
}

/// Why the authority does not open or does not serve.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The key folder does not serve.
    #[error(transparent)]
    Folder(#[from] KeyFolderError),
    /// The cryptography library failed.
    #[error(transparent)]
    Key(#[from] KeyFailure),
    /// The random generator failed.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The present lies before 1950 or after the end of the roots' validity.
    #[error("certificates cannot be made at {0}: set the clock")]
    Clock(Timestamp),
    /// A name that cannot stand in a certificate.
    #[error("`{0}` is not a host name: use letters, digits, hyphens and dots, and for other scripts the xn-- form")]
    HostName(String),
}

/// The authority. Cheap to clone.
#[derive(Clone)]
pub struct Authority(Arc<Parts>);

struct Parts {
    root_p256: Identity,
    root_rsa: Identity,
    root_pem: String,
    issuer: Issuer,
    issuer_pem: String,
    server_rsa_pkcs8: Zeroizing<Vec<u8>>,
}

/// A signing key with its certificate.
struct Identity {
    key: SigningKey,
    certificate: Certificate,
}

impl Authority {
    /// Opens the authority whose keys lie in `dir`, and makes what is not there yet. Blocks: making RSA keys takes
    /// about 0.2 s each, and a passphrase costs as much at each start.
    ///
    /// # Errors
    /// When the folder, a file in it or the passphrase does not serve. The text says what to do.
    pub fn open(dir: &Path, settings: &AuthoritySettings, now: Timestamp) -> Result<Self, AuthorityError> {
        let passphrase = settings.passphrase.as_ref().map(|passphrase| passphrase.as_str());
        let mut folder = KeyFolder::open(dir, passphrase)?;
        let is_first_start = !folder.has(PUBLISHED)?;
        let root_p256 = open_root(&mut folder, ROOT_P256, KeyKind::P256, is_first_start, now)?;
        let root_rsa = open_root(&mut folder, ROOT_RSA, KeyKind::Rsa2048, is_first_start, now)?;
        let (name, kind) = match settings.issuing_key {
            IssuingKey::P256 => ("issuing-p256.pem", KeyKind::P256),
            IssuingKey::Rsa2048 => ("issuing-rsa2048.pem", KeyKind::Rsa2048),
        };
        let issuing = match read_identity(&mut folder, name, kind)? {
            Some(issuing) => issuing,
            None => make_identity(&mut folder, name, kind, |key| issuing_certificate(&root_p256, key, now))?,
        };
        let server_rsa_pkcs8 = match folder.read(SERVER_RSA, PRIVATE_KEY)? {
            Some(stored) => stored.secret,
            None => {
                let (_, secret) = SigningKey::generate(KeyKind::Rsa2048)?;
                let stored = Stored { secret, certificate: None };
                folder.write(SERVER_RSA, PRIVATE_KEY, &stored)?;
                stored.secret
            }
        };
        let root_pem = root_p256.certificate.to_pem() + &root_rsa.certificate.to_pem();
        if is_first_start {
            folder.write_text(PUBLISHED, &root_pem)?;
        }
        let issuer_pem = issuing.certificate.to_pem();
        let issuer = Issuer::new(issuing.key)?;
        Ok(Self(Arc::new(Parts { root_p256, root_rsa, root_pem, issuer, issuer_pem, server_rsa_pkcs8 })))
    }

    /// The roots that server certificates are signed by, as PEM: P-256, then RSA-2048.
    #[must_use]
    pub fn root_pem(&self) -> &str {
        &self.0.root_pem
    }

    /// What signs device certificates.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.0.issuer
    }

    /// The certificate of the authority that signs device certificates, itself signed by the P-256 root, as PEM.
    #[must_use]
    pub fn issuer_pem(&self) -> &str {
        &self.0.issuer_pem
    }

    /// Makes a server certificate for `names` (a first label `*` stands for any one label) and `addresses`, valid
    /// for at most 397 days. The P-256 key is new each time, the RSA key always the same.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate, or the clock is out of bounds.
    pub fn server_chain(
        &self,
        kind: ServerKey,
        names: &[String],
        addresses: &[IpAddr],
        now: Timestamp,
    ) -> Result<ServerChain, AuthorityError> {
        if let Some(name) = names.iter().find(|name| !is_host_name(name)) {
            return Err(AuthorityError::HostName(name.clone()));
        }
        let (root, kind) = match kind {
            ServerKey::P256 => (&self.0.root_p256, KeyKind::P256),
            ServerKey::Rsa2048 => (&self.0.root_rsa, KeyKind::Rsa2048),
        };
        let (key, pkcs8) = match kind {
            KeyKind::P256 => SigningKey::generate(kind)?,
            KeyKind::Rsa2048 => {
                (SigningKey::from_pkcs8(kind, &self.0.server_rsa_pkcs8)?, self.0.server_rsa_pkcs8.clone())
            }
        };
        let not_after = root.certificate.not_after();
        if now > not_after {
            return Err(AuthorityError::Clock(now));
        }
        let signer = Signer { key: &root.key, name: root.certificate.subject_der(), not_after };
        let certificate =
            server_certificate::make(&signer, (kind, &key.spki_der()?), &serial()?, (names, addresses), now)?
                .ok_or(AuthorityError::Clock(now))?;
        Ok(ServerChain { chain: vec![certificate], key: pkcs8 })
    }
}

/// Reads a root; only a start before the roots were published may make it.
fn open_root(
    folder: &mut KeyFolder,
    name: &str,
    kind: KeyKind,
    is_first_start: bool,
    now: Timestamp,
) -> Result<Identity, AuthorityError> {
    match read_identity(folder, name, kind)? {
        Some(root) => Ok(root),
        None if is_first_start => make_identity(folder, name, kind, |key| root_certificate(kind, key, now)),
        None => Err(KeyFolderError::Missing(folder.path(name)).into()),
    }
}

fn read_identity(folder: &mut KeyFolder, name: &str, kind: KeyKind) -> Result<Option<Identity>, AuthorityError> {
    let Some(stored) = folder.read(name, PRIVATE_KEY)? else { return Ok(None) };
    let damaged = |what| KeyFolderError::Damaged { path: folder.path(name), what };
    let key = SigningKey::from_pkcs8(kind, &stored.secret).map_err(|_| damaged("its key cannot be read"))?;
    let certificate = stored.certificate.ok_or_else(|| damaged("it holds no certificate"))?;
    let certificate = Certificate::from_der(&certificate).map_err(|_| damaged("its certificate cannot be read"))?;
    if certificate.spki_der() != key.spki_der()? {
        return Err(damaged("its certificate belongs to another key").into());
    }
    Ok(Some(Identity { key, certificate }))
}

fn make_identity(
    folder: &mut KeyFolder,
    name: &str,
    kind: KeyKind,
    certify: impl FnOnce(&SigningKey) -> Result<Vec<u8>, AuthorityError>,
) -> Result<Identity, AuthorityError> {
    let (key, secret) = SigningKey::generate(kind)?;
    let certificate = certify(&key)?;
    let stored = Stored { secret, certificate: Some(certificate) };
    folder.write(name, PRIVATE_KEY, &stored)?;
    let damaged = || KeyFolderError::Damaged { path: folder.path(name), what: "its certificate cannot be read" };
    let certificate = stored.certificate.as_deref().map(Certificate::from_der);
    let certificate = certificate.and_then(Result::ok).ok_or_else(damaged)?;
    Ok(Identity { key, certificate })
}

fn root_certificate(kind: KeyKind, key: &SigningKey, now: Timestamp) -> Result<Vec<u8>, AuthorityError> {
    let spki = key.spki_der()?;
    let key_id = key_id(&spki)?;
    let kind = match kind {
        KeyKind::P256 => "P-256",
        KeyKind::Rsa2048 => "RSA-2048",
    };
    // The digits tell the roots of two installations apart where a client trusts both.
    let digits: String = key_id.iter().take(4).map(|octet| format!("{octet:02x}")).collect();
    let name =
        sequence(&[&rdn(ORGANIZATION, "Gatehouse"), &rdn(COMMON_NAME, &format!("Gatehouse root {kind} {digits}"))]);
    let tbs = Layout {
        serial: &serial()?,
        signature_algorithm: &key.signature_algorithm_der(),
        issuer: &name,
        not_before: now.plus_millis(-BACKDATED_MS),
        not_after: NOT_AFTER,
        subject: &name,
        spki: &spki,
        extensions: &[
            &subject_key_identifier(&key_id),
            &basic_constraints(Constraint::Root),
            &key_usage(KEY_CERT_SIGN | CRL_SIGN),
        ],
    };
    let tbs = tbs.to_der().filter(|_| now < NOT_AFTER).ok_or(AuthorityError::Clock(now))?;
    Ok(sign(key, &tbs)?)
}

fn issuing_certificate(root: &Identity, key: &SigningKey, now: Timestamp) -> Result<Vec<u8>, AuthorityError> {
    let spki = key.spki_der()?;
    let tbs = Layout {
        serial: &serial()?,
        signature_algorithm: &root.key.signature_algorithm_der(),
        issuer: root.certificate.subject_der(),
        not_before: now.plus_millis(-BACKDATED_MS),
        not_after: NOT_AFTER,
        subject: &sequence(&[&rdn(ORGANIZATIONAL_UNIT, ISSUER)]),
        spki: &spki,
        extensions: &[
            &authority_key_identifier(&key_id(root.certificate.spki_der())?),
            &subject_key_identifier(&key_id(&spki)?),
            &basic_constraints(Constraint::LastAuthority),
            &key_usage(KEY_CERT_SIGN | CRL_SIGN),
        ],
    };
    let tbs = tbs.to_der().filter(|_| now < NOT_AFTER).ok_or(AuthorityError::Clock(now))?;
    Ok(sign(&root.key, &tbs)?)
}

/// A random serial number of at most 20 octets (RFC 5280, 4.1.2.2), never zero.
fn serial() -> Result<[u8; 20], NoRandomness> {
    let mut serial = random::<20>()?;
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7F | 0x40;
    }
    Ok(serial)
}

/// A host name (RFC 1123, 2.1), or one whose first label is `*`.
fn is_host_name(name: &str) -> bool {
    let labels = name.strip_prefix("*.").unwrap_or(name);
    name.len() <= 253
        && labels.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}
