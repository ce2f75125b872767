//! X.509 certificates as devices present them and owners register them, of versions 1 to 3.

use std::fmt;
use std::ops::Range;

use aws_lc_rs::digest;
use der::asn1::BitStringRef;
use der::{Decode as _, Reader as _, SliceReader};
use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::limits;
use gatehouse_domain::policy::{CertificateNames, NameAttribute};
use gatehouse_domain::time::Timestamp;
use gatehouse_domain::validity;
use spki::AlgorithmIdentifierRef;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::AlgorithmIdentifier;

use crate::extensions::{self, Extensions};
use crate::names;
use crate::pem::{self, PemRefusal};
use crate::public_key::{PublicKey, PublicKeyRefusal};
use crate::signature::SignatureAlgorithm;

const LABEL: &str = "CERTIFICATE";

/// A well-formed certificate. Nothing is said about who signed it.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    tbs: Range<usize>,
    signature: Range<usize>,
    subject: Range<usize>,
    issuer: Range<usize>,
    spki: Range<usize>,
    not_before: Timestamp,
    not_after: Timestamp,
    signature_algorithm: SignatureAlgorithm,
    extensions: Extensions,
}

/// Why a certificate is not read, or not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateRefusal {
    /// Longer than [`limits::CERTIFICATE_PEM_CHARACTERS`].
    #[error("it is longer than {} characters", limits::CERTIFICATE_PEM_CHARACTERS)]
    TooLong,
    /// No PEM block with a certificate.
    #[error(transparent)]
    Pem(#[from] PemRefusal),
    /// Not the structure of a certificate.
    #[error("it is not a DER-encoded X.509 certificate")]
    Malformed,
    /// Octets follow the certificate.
    #[error("there are octets after the end of the certificate")]
    TrailingData,
    /// An extension stands in it twice.
    #[error("it has the extension {0} more than once")]
    DuplicateExtension(String),
    /// Its validity has not begun.
    #[error("it is not valid before {0}")]
    NotYetValid(Timestamp),
    /// Its validity has ended.
    #[error("it expired at {0}")]
    Expired(Timestamp),
    /// Signed with an algorithm that is not accepted.
    #[error("it is signed with {0}: use RSA, DSA or ECDSA with SHA-256, or RSA or ECDSA with SHA-384 or SHA-512")]
    SignatureAlgorithm(String),
    /// An extension that must not be ignored, and is not understood.
    #[error("it has the critical extension {0}, which is not understood here: leave it out or mark it as not critical")]
    CriticalExtension(String),
    /// The key is not accepted.
    #[error(transparent)]
    Key(#[from] PublicKeyRefusal),
}

impl Certificate {
    /// Reads the first certificate in a PEM text; what surrounds it does not matter.
    ///
    /// # Errors
    /// When there is none, or it is malformed.
    pub fn from_pem(text: &str) -> Result<Self, CertificateRefusal> {
        // A character has at least one octet: the cheap bound spares counting most texts.
        if text.len() > limits::CERTIFICATE_PEM_CHARACTERS
            && text.chars().nth(limits::CERTIFICATE_PEM_CHARACTERS).is_some()
        {
            return Err(CertificateRefusal::TooLong);
        }
        Self::from_der(&pem::decode(text, &[LABEL])?)
    }

    /// Reads a DER-encoded certificate.
    ///
    /// # Errors
    /// When it is malformed, or something follows it.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateRefusal> {
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|_| CertificateRefusal::Malformed)?;
        if !rest.is_empty() {
            return Err(CertificateRefusal::TrailingData);
        }
        // X.690, 8.3.1: an INTEGER has an octet at least.
        if !is_der_outside(der) || parsed.raw_serial().is_empty() {
            return Err(CertificateRefusal::Malformed);
        }
        // RFC 5280, 4.1.1.2: the signed and the unsigned identifier are the same.
        if parsed.signature_algorithm != parsed.tbs_certificate.signature {
            return Err(CertificateRefusal::Malformed);
        }
        let extensions = extensions::read(&parsed).map_err(CertificateRefusal::DuplicateExtension)?;
        let range = |part: &[u8]| range_in(der, part).ok_or(CertificateRefusal::Malformed);
        Ok(Self {
            tbs: range(parsed.tbs_certificate.as_ref())?,
            // All the algorithms known make whole octets.
            signature: match parsed.signature_value.unused_bits {
                0 => range(&parsed.signature_value.data)?,
                _ => return Err(CertificateRefusal::Malformed),
            },
            subject: range(parsed.subject().as_raw())?,
            issuer: range(parsed.issuer().as_raw())?,
            spki: range(parsed.public_key().raw)?,
            not_before: Timestamp::from_secs(parsed.validity().not_before.timestamp()),
            not_after: Timestamp::from_secs(parsed.validity().not_after.timestamp()),
            signature_algorithm: signature_algorithm(&parsed.signature_algorithm),
            extensions,
            der: der.to_vec(),
        })
    }

    /// The certificate itself.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// How the registry names it: the SHA-256 of the DER. Computed at each call.
    #[must_use]
    pub fn id(&self) -> CertificateId {
        CertificateId::from_bytes(sha256(&self.der))
    }

    /// First second of validity.
    #[must_use]
    pub const fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Last second of validity.
    #[must_use]
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// The subject's Name, as DER.
    #[must_use]
    pub fn subject_der(&self) -> &[u8] {
        self.der.get(self.subject.clone()).unwrap_or_default()
    }

    /// The issuer's Name, as DER.
    #[must_use]
    pub fn issuer_der(&self) -> &[u8] {
        self.der.get(self.issuer.clone()).unwrap_or_default()
    }

    /// The SubjectPublicKeyInfo, as DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        self.der.get(self.spki.clone()).unwrap_or_default()
    }

    /// The public key, not yet judged.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn public_key(&self) -> Result<PublicKey<'_>, PublicKeyRefusal> {
        PublicKey::from_spki_der(self.spki_der())
    }

    /// What it is signed with.
    #[must_use]
    pub const fn signature_algorithm(&self) -> &SignatureAlgorithm {
        &self.signature_algorithm
    }

    /// Whether basicConstraints says that it is a certificate authority's.
    #[must_use]
    pub const fn is_ca(&self) -> bool {
        self.extensions.is_ca
    }

    /// Whether keyUsage, where there is one, lets the key sign certificates.
    pub(crate) const fn may_sign_certificates(&self) -> bool {
        self.extensions.may_sign_certificates
    }

    /// Whether extendedKeyUsage, where there is one, lets the key serve TLS.
    pub(crate) const fn may_serve_tls(&self) -> bool {
        self.extensions.may_serve_tls
    }

    /// What the issuer signed.
    pub(crate) fn tbs_der(&self) -> &[u8] {
        self.der.get(self.tbs.clone()).unwrap_or_default()
    }

    /// The issuer's signature.
    pub(crate) fn signature(&self) -> &[u8] {
        self.der.get(self.signature.clone()).unwrap_or_default()
    }

    /// The SHA-256 of [`Certificate::subject_der`], under which certificate authorities are found.
    #[must_use]
    pub fn subject_sha256(&self) -> [u8; 32] {
        sha256(self.subject_der())
    }

    /// The SHA-256 of [`Certificate::issuer_der`].
    #[must_use]
    pub fn issuer_sha256(&self) -> [u8; 32] {
        sha256(self.issuer_der())
    }

    /// The common names of the subject, in their order; those that are no text are left out.
    #[must_use]
    pub fn common_names(&self) -> Vec<String> {
        self.names().subject.values(NameAttribute::CommonName).map(str::to_owned).collect()
    }

    /// The names that policies may ask for. Read anew at each call.
    #[must_use]
    pub fn names(&self) -> CertificateNames {
        // What was read once is read again.
        X509Certificate::from_der(&self.der).map(|(_, parsed)| names::read(&parsed)).unwrap_or_default()
    }

    /// The certificate as PEM, ending in a newline.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode(LABEL, &self.der).to_string()
    }

    /// RegisterCertificateWithoutCA: valid at `now`, signed with an accepted algorithm, and with an accepted key. No
    /// signature is verified, as no issuer is known.
    ///
    /// # Errors
    /// The first rule that the certificate breaks.
    pub fn check_registrable(&self, now: Timestamp) -> Result<(), CertificateRefusal> {
        self.check_validity(now)?;
        self.check_form()?;
        Ok(self.public_key()?.check()?)
    }

    /// Whether `now` lies in its validity.
    ///
    /// # Errors
    /// That it does not yet, or no longer.
    pub fn check_validity(&self, now: Timestamp) -> Result<(), CertificateRefusal> {
        if now < self.not_before {
            return Err(CertificateRefusal::NotYetValid(self.not_before));
        }
        if validity::is_over(self.not_after, now) {
            return Err(CertificateRefusal::Expired(self.not_after));
        }
        Ok(())
    }

    /// Signed with an accepted algorithm, and without critical extensions that are not understood (RFC 5280, 4.2).
    pub(crate) fn check_form(&self) -> Result<(), CertificateRefusal> {
        if !self.signature_algorithm.is_accepted() {
            return Err(CertificateRefusal::SignatureAlgorithm(self.signature_algorithm.to_string()));
        }
        match &self.extensions.not_understood {
            Some(oid) => Err(CertificateRefusal::CriticalExtension(oid.clone())),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.id()).finish()
    }
}

/// Whether what is not signed is DER to the octet. Otherwise anybody could write a certificate in many ways, each with
/// an id of its own and all with a good signature.
fn is_der_outside(der: &[u8]) -> bool {
    let read = |der| {
        SliceReader::new(der)?.sequence(|reader| {
            reader.tlv_bytes()?;
            AlgorithmIdentifierRef::decode(reader)?;
            BitStringRef::decode(reader).map(drop)
        })
    };
    read(der).is_ok()
}

fn signature_algorithm(identifier: &AlgorithmIdentifier<'_>) -> SignatureAlgorithm {
    SignatureAlgorithm::from_parts(identifier.algorithm.as_bytes(), identifier.parameters.as_ref().map(|any| any.data))
}

fn sha256(octets: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, octets).as_ref());
    bytes
}

/// Where `part`, a subslice of `whole`, lies in it.
fn range_in(whole: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (whole.get(start..end)? == part).then_some(start..end)
}
