//! Device certificates, in the profile of AWS's own issuer. What will be signed is recorded before it is signed, so
//! that no signature exists that the records do not know of.

use aws_lc_rs::digest;
use der::Decode as _;
use der::asn1::ObjectIdentifier;
use gatehouse_domain::time::Timestamp;
use spki::SubjectPublicKeyInfoRef;

use crate::certificate::{Certificate, CertificateRefusal};
use crate::csr::VerifiedCsr;
use crate::encoding::{OCTET_STRING, bit_string, extension, named_bits, rdn, sequence, time, unsigned, value};
use crate::key_pair::KeyPair;
use crate::signing_key::{KeyFailure, SigningKey};

/// The issuer's name: literally one organizational unit.
pub(crate) const ISSUER: &str = "Amazon Web Services O=Amazon.com Inc. L=Seattle ST=Washington C=US";
/// The subject of those who name none.
const SUBJECT: &str = "AWS IoT Certificate";
/// 2049-12-31T23:59:59Z
pub(crate) const NOT_AFTER: Timestamp = Timestamp::from_secs(2_524_607_999);
/// How long before its making a certificate becomes valid, so that a device whose clock is slow can use it at once.
pub(crate) const BACKDATED_MS: i64 = 120_000;

pub(crate) const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
pub(crate) const ORGANIZATIONAL_UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");
const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");

/// Who asks for a certificate: the holder of a verified request, or of a key pair made here.
#[derive(Clone, Copy, Debug)]
pub struct Applicant<'a> {
    subject: Option<&'a [u8]>,
    spki: &'a [u8],
}

impl<'a> From<&'a VerifiedCsr> for Applicant<'a> {
    fn from(csr: &'a VerifiedCsr) -> Self {
        // An empty SEQUENCE names nobody.
        let subject = Some(csr.subject_der()).filter(|subject| *subject != [0x30, 0]);
        Self { subject, spki: csr.spki_der() }
    }
}

impl<'a> From<&'a KeyPair> for Applicant<'a> {
    fn from(pair: &'a KeyPair) -> Self {
        Self { subject: None, spki: pair.spki_der() }
    }
}

/// How long a provisioning claim lives, in milliseconds: five minutes (API reference, CreateProvisioningClaim).
pub const CLAIM_MS: i64 = 5 * 60 * 1000;

/// Why no certificate is issued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The serial number is 0: random bytes never are.
    #[error("the serial number is zero: the random generator is broken")]
    SerialZero,
    /// The present lies before 1950 or at the end of the validity.
    #[error("certificates cannot be issued at {0}: set the clock")]
    Clock(Timestamp),
    /// The issuing key failed.
    #[error(transparent)]
    Key(#[from] KeyFailure),
    /// What was made is no certificate.
    #[error("the certificate made cannot be read: {0}")]
    Unreadable(CertificateRefusal),
}

/// Signs device certificates.
pub struct Issuer {
    key: SigningKey,
    key_id: [u8; 20],
    name: Vec<u8>,
}

/// A certificate before its signature. Signing takes a [`Recorded`].
#[derive(Debug)]
pub struct ToBeSigned {
    serial: [u8; 20],
    subject: Vec<u8>,
    tbs: Vec<u8>,
}

/// Where issuance is recorded, durably, before the signature is made.
pub trait IssuanceLog {
    /// Why it could not be recorded.
    type Error;

    /// Records what is about to be signed. When this returns `Ok`, the record outlives a crash.
    fn record(&self, certificate: &ToBeSigned) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Proof that the certificate inside has been recorded. Only [`ToBeSigned::record_in`] makes it.
#[derive(Debug)]
pub struct Recorded(ToBeSigned);

impl ToBeSigned {
    /// The serial number's random bytes.
    #[must_use]
    pub const fn serial(&self) -> &[u8; 20] {
        &self.serial
    }

    /// The subject's Name, as DER.
    #[must_use]
    pub fn subject_der(&self) -> &[u8] {
        &self.subject
    }

    /// The SHA-256 of what will be signed.
    #[must_use]
    pub fn tbs_sha256(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, &self.tbs).as_ref());
        bytes
    }

    /// Has the log record the certificate.
    ///
    /// # Errors
    /// The log's. Nothing is signed then.
    pub async fn record_in<L: IssuanceLog + Sync>(self, log: &L) -> Result<Recorded, L::Error> {
        log.record(&self).await?;
        Ok(Recorded(self))
    }
}

impl Issuer {
    pub(crate) fn new(key: SigningKey) -> Result<Self, KeyFailure> {
        let key_id = key_id(&key.spki_der()?)?;
        Ok(Self { key, key_id, name: sequence(&[&rdn(ORGANIZATIONAL_UNIT, ISSUER)]) })
    }

    /// Lays out the certificate. `serial` is 20 random bytes.
    ///
    /// # Errors
    /// When the serial number is zero or the clock is out of bounds.
    pub fn prepare(
        &self,
        applicant: Applicant<'_>,
        serial: [u8; 20],
        now: Timestamp,
    ) -> Result<ToBeSigned, IssueError> {
        if now > NOT_AFTER {
            return Err(IssueError::Clock(now));
        }
        let default_subject;
        let subject = match applicant.subject {
            Some(subject) => subject,
            None => {
                default_subject = sequence(&[&rdn(COMMON_NAME, SUBJECT)]);
                default_subject.as_slice()
            }
        };
        let extensions: [&[u8]; 4] = [
            &authority_key_identifier(&self.key_id),
            &subject_key_identifier(&key_id(applicant.spki)?),
            &basic_constraints(Constraint::EndEntity),
            &key_usage(DIGITAL_SIGNATURE),
        ];
        self.lay_out(
            Profile { serial, subject, spki: applicant.spki, not_after: NOT_AFTER, extensions: &extensions },
            now,
        )
    }

    /// Lays out the certificate of a provisioning claim: five minutes, a common name of 64 hex digits (those of `name`), and
    /// no identifiers, as AWS's are. `serial` is 20 random bytes.
    ///
    /// # Errors
    /// As for [`Self::prepare`].
    pub fn prepare_claim(
        &self,
        pair: &KeyPair,
        serial: [u8; 20],
        name: &[u8; 32],
        now: Timestamp,
    ) -> Result<ToBeSigned, IssueError> {
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let subject = sequence(&[&rdn(COMMON_NAME, &name)]);
        let extensions: [&[u8]; 2] = [&basic_constraints(Constraint::EndEntity), &key_usage(DIGITAL_SIGNATURE)];
        let not_after = now.plus_millis(CLAIM_MS);
        let spki = pair.spki_der();
        self.lay_out(Profile { serial, subject: &subject, spki, not_after, extensions: &extensions }, now)
    }

    fn lay_out(&self, profile: Profile<'_>, now: Timestamp) -> Result<ToBeSigned, IssueError> {
        let Profile { serial, subject, spki, not_after, extensions } = profile;
        if serial == [0; 20] {
            return Err(IssueError::SerialZero);
        }
        let layout = Layout {
            serial: &serial,
            signature_algorithm: &self.key.signature_algorithm_der(),
            issuer: &self.name,
            not_before: now.plus_millis(-BACKDATED_MS),
            not_after,
            subject,
            spki,
            extensions,
        };
        let tbs = layout.to_der().ok_or(IssueError::Clock(now))?;
        Ok(ToBeSigned { serial, subject: subject.to_vec(), tbs })
    }

    /// Signs what has been recorded.
    ///
    /// # Errors
    /// When the key fails.
    pub fn sign(&self, Recorded(certificate): Recorded) -> Result<Certificate, IssueError> {
        let der = sign(&self.key, &certificate.tbs)?;
        Certificate::from_der(&der).map_err(IssueError::Unreadable)
    }
}

/// What differs between the certificates of an issuer.
struct Profile<'a> {
    serial: [u8; 20],
    subject: &'a [u8],
    spki: &'a [u8],
    not_after: Timestamp,
    extensions: &'a [&'a [u8]],
}

/// The fields of a certificate (RFC 5280, 4.1), already encoded where they vary in shape.
pub(crate) struct Layout<'a> {
    pub(crate) serial: &'a [u8],
    pub(crate) signature_algorithm: &'a [u8],
    pub(crate) issuer: &'a [u8],
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) subject: &'a [u8],
    pub(crate) spki: &'a [u8],
    pub(crate) extensions: &'a [&'a [u8]],
}

impl Layout<'_> {
    /// The TBSCertificate; `None` when a time cannot be written.
    pub(crate) fn to_der(&self) -> Option<Vec<u8>> {
        let version_3 = value(0xA0, &unsigned(&[2]));
        let validity = sequence(&[&time(self.not_before)?, &time(self.not_after)?]);
        Some(sequence(&[
            &version_3,
            &unsigned(self.serial),
            self.signature_algorithm,
            self.issuer,
            &validity,
            self.subject,
            self.spki,
            &value(0xA3, &sequence(self.extensions)),
        ]))
    }
}

/// Signs a TBSCertificate into a certificate.
pub(crate) fn sign(key: &SigningKey, tbs: &[u8]) -> Result<Vec<u8>, KeyFailure> {
    let signature = key.sign(tbs)?;
    Ok(sequence(&[tbs, &key.signature_algorithm_der(), &bit_string(&signature)]))
}

/// The key identifier of RFC 5280, 4.2.1.2, method (1): the SHA-1 of the bits of the public key.
pub(crate) fn key_id(spki: &[u8]) -> Result<[u8; 20], KeyFailure> {
    let info = SubjectPublicKeyInfoRef::from_der(spki).map_err(|_| KeyFailure)?;
    let bits = info.subject_public_key.as_bytes().ok_or(KeyFailure)?;
    let mut id = [0; 20];
    id.copy_from_slice(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bits).as_ref());
    Ok(id)
}

/// Key usage bits (RFC 5280, 4.2.1.3), bit 0 in the highest place.
pub(crate) const DIGITAL_SIGNATURE: u8 = 0b1000_0000;
pub(crate) const KEY_ENCIPHERMENT: u8 = 0b0010_0000;
pub(crate) const KEY_CERT_SIGN: u8 = 0b0000_0100;
pub(crate) const CRL_SIGN: u8 = 0b0000_0010;

pub(crate) enum Constraint {
    EndEntity,
    Root,
    /// An authority that may not make further authorities.
    LastAuthority,
}

pub(crate) fn authority_key_identifier(key_id: &[u8; 20]) -> Vec<u8> {
    extension(AUTHORITY_KEY_IDENTIFIER, false, &sequence(&[&value(0x80, key_id)]))
}

pub(crate) fn subject_key_identifier(key_id: &[u8; 20]) -> Vec<u8> {
    extension(SUBJECT_KEY_IDENTIFIER, false, &value(OCTET_STRING, key_id))
}

pub(crate) fn basic_constraints(constraint: Constraint) -> Vec<u8> {
    const TRUE: &[u8] = &[1, 1, 0xFF];
    let content = match constraint {
        Constraint::EndEntity => sequence(&[]),
        Constraint::Root => sequence(&[TRUE]),
        Constraint::LastAuthority => sequence(&[TRUE, &unsigned(&[0])]),
    };
    extension(BASIC_CONSTRAINTS, true, &content)
}

pub(crate) fn key_usage(bits: u8) -> Vec<u8> {
    extension(KEY_USAGE, true, &named_bits(bits))
}
