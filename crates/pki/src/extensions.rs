//! What the extensions of a certificate say about who may sign what (RFC 5280, 4.2).

use std::collections::BTreeSet;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ParsedExtension, X509Extension};

/// The part of the extensions that rules ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extensions {
    /// basicConstraints says that the subject is a certificate authority.
    pub(crate) is_ca: bool,
    /// There is no keyUsage, or it has keyCertSign.
    pub(crate) may_sign_certificates: bool,
    /// There is no extendedKeyUsage, or it has serverAuth or any usage.
    pub(crate) may_serve_tls: bool,
    /// The first critical extension that is unknown or unreadable.
    pub(crate) not_understood: Option<String>,
}

/// Reads them; the error is the extension that stands there twice.
pub(crate) fn read(certificate: &X509Certificate<'_>) -> Result<Extensions, String> {
    let mut read = Extensions { is_ca: false, may_sign_certificates: true, may_serve_tls: true, not_understood: None };
    let mut seen = BTreeSet::new();
    for extension in certificate.extensions() {
        if !seen.insert(extension.oid.as_bytes()) {
            return Err(extension.oid.to_id_string());
        }
        match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(constraints) => read.is_ca = constraints.ca,
            ParsedExtension::ExtendedKeyUsage(usage) => read.may_serve_tls = usage.server_auth || usage.any,
            ParsedExtension::KeyUsage(usage) => read.may_sign_certificates = usage.key_cert_sign(),
            _ => {}
        }
        if extension.critical && !is_understood(extension) && read.not_understood.is_none() {
            read.not_understood = Some(extension.oid.to_id_string());
        }
    }
    Ok(read)
}

/// Whether its meaning is known here and nothing has to be computed for it. Name and policy constraints would bind
/// what a registered authority issues, and nobody here enforces them: where they are critical, the authority is refused.
fn is_understood(extension: &X509Extension<'_>) -> bool {
    matches!(
        extension.parsed_extension(),
        ParsedExtension::AuthorityKeyIdentifier(_)
            | ParsedExtension::SubjectKeyIdentifier(_)
            | ParsedExtension::KeyUsage(_)
            | ParsedExtension::ExtendedKeyUsage(_)
            | ParsedExtension::BasicConstraints(_)
            | ParsedExtension::SubjectAlternativeName(_)
            | ParsedExtension::IssuerAlternativeName(_)
            | ParsedExtension::CertificatePolicies(_)
            | ParsedExtension::InhibitAnyPolicy(_)
            | ParsedExtension::CRLDistributionPoints(_)
            | ParsedExtension::AuthorityInfoAccess(_)
            | ParsedExtension::NSCertType(_)
    )
}
