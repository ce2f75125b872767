//! What a foreign issuer makes of a certification request: read, and held against the request. Who signed it does not
//! matter here.

use gatehouse_domain::limits;
use gatehouse_domain::time::Timestamp;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

use crate::certificate::{Certificate, CertificateRefusal};
use crate::csr::VerifiedCsr;
use crate::names;

/// Why an answer is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerRefusal {
    /// More than one PEM block: which of them is meant would be a guess.
    #[error("there is more than one PEM block: the certificate alone is needed, without its chain")]
    Several,
    /// No certificate, or one that may not be registered.
    #[error(transparent)]
    Certificate(#[from] CertificateRefusal),
    /// Another key was certified.
    #[error("its public key is not that of the certificate signing request")]
    Key,
    /// Another subject was named.
    #[error("its subject is not that of the certificate signing request")]
    Subject,
}

impl VerifiedCsr {
    /// Reads the certificate that was made of this request: exactly one, with the request's key and subject, and such as may be
    /// registered at `now`. As the issuer's clock is another, it may begin [`limits::PROVIDER_CLOCK_SKEW_MS`] later.
    ///
    /// # Errors
    /// The first rule that the answer breaks.
    pub fn answered_by(&self, pem: &str, now: Timestamp) -> Result<Certificate, AnswerRefusal> {
        // The length is looked at first.
        let certificate = Certificate::from_pem(pem)?;
        if pem.matches("-----BEGIN ").nth(1).is_some() {
            return Err(AnswerRefusal::Several);
        }
        if certificate.spki_der() != self.spki_der() {
            return Err(AnswerRefusal::Key);
        }
        if !is_same_name(certificate.subject_der(), self.subject_der()) {
            return Err(AnswerRefusal::Subject);
        }
        let begins = certificate.not_before();
        let is_soon = begins > now && begins <= now.plus_millis(limits::PROVIDER_CLOCK_SKEW_MS);
        certificate.check_registrable(if is_soon { begins } else { now })?;
        Ok(certificate)
    }
}

/// Whether two Names say the same, in the same order. Issuers write texts in other string types than they were given.
fn is_same_name(one: &[u8], other: &[u8]) -> bool {
    if one == other {
        return true;
    }
    let (Ok(([], one)), Ok(([], other))) = (X509Name::from_der(one), X509Name::from_der(other)) else { return false };
    one.iter_rdn().count() == other.iter_rdn().count()
        && one.iter_rdn().zip(other.iter_rdn()).all(|(one, other)| {
            one.iter().count() == other.iter().count()
                && one.iter().zip(other.iter()).all(|(one, other)| {
                    let text = names::text(one);
                    one.attr_type() == other.attr_type()
                        && (one.attr_value() == other.attr_value() || text.is_some() && text == names::text(other))
                })
        })
}
