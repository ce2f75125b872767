//! Certificate authorities that owners register: which certificates are good enough to stand for one, and which
//! certificates they have issued.
//!
//! A registered authority is a trust anchor (RFC 5280, 6.1.1): it counts because its owner named it, whoever signed it,
//! and it counts only for what it signed itself. So there is no path to build; a path length constraint, which counts the
//! authorities between the anchor and the last certificate, has nothing to count.

use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::time::Timestamp;

use crate::certificate::{Certificate, CertificateRefusal};
use crate::dsa_key::DsaKey;
use crate::public_key::PublicKeyRefusal;
use crate::signature::{SignatureRefusal, verify_certificate_signature};

/// A certificate that may stand for an authority: it says so, its key is good enough, and it is signed with an accepted
/// algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaCertificate {
    id: CertificateId,
    certificate: Certificate,
}

/// Why a certificate cannot be registered as an authority's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaRefusal {
    /// It cannot be read, is not valid now, or breaks a rule of all certificates.
    #[error(transparent)]
    Certificate(#[from] CertificateRefusal),
    /// basicConstraints is missing, unreadable, or says otherwise. AWS's own text.
    #[error("CA certificate is not valid. The CA certificate does not have the basicConstraints extension as true")]
    NotCa,
    /// keyUsage without keyCertSign (RFC 5280, 4.2.1.3).
    #[error("its keyUsage does not allow the key to sign certificates: add keyCertSign")]
    KeyUsage,
}

impl From<PublicKeyRefusal> for CaRefusal {
    fn from(refusal: PublicKeyRefusal) -> Self {
        Self::Certificate(refusal.into())
    }
}

/// Why a certificate is not one that an authority has issued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotIssued {
    /// The issuer's name is not, octet by octet, the authority's.
    #[error("its issuer is not the subject of the CA certificate")]
    Name,
    /// The signature does not count.
    #[error(transparent)]
    Signature(#[from] SignatureRefusal),
}

impl CaCertificate {
    /// Reads the first certificate in a PEM text as [`CaCertificate::from_certificate`] does.
    ///
    /// # Errors
    /// The first rule that the certificate breaks.
    pub fn from_pem(text: &str, now: Timestamp) -> Result<Self, CaRefusal> {
        Self::from_certificate(Certificate::from_pem(text)?, now)
    }

    /// RegisterCACertificate: a CA certificate by its own word, valid at `now`, with an accepted key and signed with an
    /// accepted algorithm. Its own signature is not verified: its issuer need not be known.
    ///
    /// # Errors
    /// The first rule that the certificate breaks.
    pub fn from_certificate(certificate: Certificate, now: Timestamp) -> Result<Self, CaRefusal> {
        let ca = Self::judged(certificate)?;
        ca.certificate.check_validity(now)?;
        Ok(ca)
    }

    /// Reads one that is registered already; its validity may have ended since.
    ///
    /// # Errors
    /// The first rule that the certificate breaks.
    pub fn from_registered(text: &str) -> Result<Self, CaRefusal> {
        Self::judged(Certificate::from_pem(text)?)
    }

    fn judged(certificate: Certificate) -> Result<Self, CaRefusal> {
        if !certificate.is_ca() {
            return Err(CaRefusal::NotCa);
        }
        if !certificate.may_sign_certificates() {
            return Err(CaRefusal::KeyUsage);
        }
        certificate.check_form()?;
        match DsaKey::from_spki_der(certificate.spki_der())? {
            Some(key) => key.check()?,
            None => certificate.public_key()?.check()?,
        }
        Ok(Self { id: certificate.id(), certificate })
    }

    /// How the registry names it.
    #[must_use]
    pub const fn id(&self) -> CertificateId {
        self.id
    }

    /// The certificate itself.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The SHA-256 of its subject, which its certificates have as [`Certificate::issuer_sha256`].
    #[must_use]
    pub fn subject_sha256(&self) -> [u8; 32] {
        self.certificate.subject_sha256()
    }

    /// First second of validity.
    #[must_use]
    pub const fn not_before(&self) -> Timestamp {
        self.certificate.not_before()
    }

    /// Last second of validity.
    #[must_use]
    pub const fn not_after(&self) -> Timestamp {
        self.certificate.not_after()
    }

    /// Whether this authority signed `certificate` itself. Says nothing about the validity of either. An authority's
    /// DSA key takes tens of milliseconds, any other well under one.
    ///
    /// # Errors
    /// Why it did not.
    pub fn has_issued(&self, certificate: &Certificate) -> Result<(), NotIssued> {
        if certificate.issuer_der() != self.certificate.subject_der() {
            return Err(NotIssued::Name);
        }
        Ok(verify_certificate_signature(
            self.certificate.spki_der(),
            certificate.signature_algorithm(),
            certificate.tbs_der(),
            certificate.signature(),
        )?)
    }
}
