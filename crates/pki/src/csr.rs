//! Certification requests (PKCS #10, RFC 2986): read strictly, because what they say is signed.

use der::asn1::{BitStringRef, UintRef};
use der::{Decode as _, Reader as _, SliceReader};
use gatehouse_domain::limits;
use spki::AlgorithmIdentifierRef;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

use crate::pem::{self, PemRefusal};
use crate::public_key::{PublicKey, PublicKeyRefusal};
use crate::signature::{SignatureAlgorithm, SignatureRefusal, verify_signature};

/// The labels of RFC 7468, 7 and of older tools.
const LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

/// Proof that whoever made the request holds the private key, and that the key is good enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCsr {
    subject: Vec<u8>,
    spki: Vec<u8>,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsrRefusal {
    /// Longer than [`limits::CSR_CHARACTERS`].
    #[error("it is longer than {} characters", limits::CSR_CHARACTERS)]
    TooLong,
    /// No PEM block with a request.
    #[error(transparent)]
    Pem(#[from] PemRefusal),
    /// Not exactly a DER-encoded request.
    #[error("it is not a DER-encoded PKCS #10 certification request")]
    Malformed,
    /// A version other than 0, which is called v1.
    #[error("its version is not v1 (0)")]
    Version,
    /// The key is not accepted.
    #[error(transparent)]
    Key(#[from] PublicKeyRefusal),
    /// It is not signed by its own key.
    #[error(transparent)]
    Signature(#[from] SignatureRefusal),
}

impl From<der::Error> for CsrRefusal {
    fn from(_: der::Error) -> Self {
        Self::Malformed
    }
}

impl VerifiedCsr {
    /// Reads and verifies the first request in a PEM text.
    ///
    /// # Errors
    /// The first rule that the request breaks; the key is judged before it is computed with.
    pub fn from_pem(text: &str) -> Result<Self, CsrRefusal> {
        if text.chars().nth(limits::CSR_CHARACTERS).is_some() {
            return Err(CsrRefusal::TooLong);
        }
        Self::from_der(&pem::decode(text, &LABELS)?)
    }

    fn from_der(der: &[u8]) -> Result<Self, CsrRefusal> {
        let mut reader = SliceReader::new(der)?;
        let (info, algorithm, signature) = reader.sequence(|reader| {
            let info = reader.tlv_bytes()?;
            Ok::<_, der::Error>((info, AlgorithmIdentifierRef::decode(reader)?, BitStringRef::decode(reader)?))
        })?;
        reader.finish()?;
        let signature = signature.as_bytes().ok_or(CsrRefusal::Malformed)?;
        let Info { version, subject, spki } = Info::from_der(info)?;
        if version.as_bytes() != [0] {
            return Err(CsrRefusal::Version);
        }
        // The subject is copied into a certificate: it must be one that everybody can read.
        if !X509Name::from_der(subject).is_ok_and(|(rest, _)| rest.is_empty()) {
            return Err(CsrRefusal::Malformed);
        }
        PublicKey::from_spki_der(spki)?.check()?;
        verify_signature(spki, &SignatureAlgorithm::from_identifier(&algorithm), info, signature)?;
        Ok(Self { subject: subject.to_vec(), spki: spki.to_vec() })
    }

    /// The subject's Name, as DER; an empty SEQUENCE when the request names nobody.
    #[must_use]
    pub fn subject_der(&self) -> &[u8] {
        &self.subject
    }

    /// The SubjectPublicKeyInfo, as DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }
}

/// CertificationRequestInfo without its attributes: nothing that they ask for goes into a certificate.
struct Info<'a> {
    version: UintRef<'a>,
    subject: &'a [u8],
    spki: &'a [u8],
}

impl<'a> Info<'a> {
    fn from_der(der: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let info = reader.sequence(|reader| {
            let version = UintRef::decode(reader)?;
            let subject = reader.tlv_bytes()?;
            let spki = reader.tlv_bytes()?;
            // Devices are known to leave the attributes out instead of sending an empty set.
            if !reader.is_finished() {
                let attributes = reader.peek_byte();
                reader.tlv_bytes()?;
                if attributes != Some(0xA0) {
                    return Err(der::ErrorKind::Failed.into());
                }
            }
            Ok::<_, der::Error>(Self { version, subject, spki })
        })?;
        reader.finish()?;
        Ok(info)
    }
}
