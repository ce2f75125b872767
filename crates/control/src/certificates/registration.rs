//! Taking in a certificate that a registered CA has signed, in that CA's mode.

use gatehouse_domain::admission::Registration;
use gatehouse_domain::ca::VouchRefusal;
use gatehouse_domain::certificate::{CertificateId, CertificateMode, Claimed, claim};
use gatehouse_domain::scope::Scope;
use gatehouse_pki::ca::CaCertificate;
use gatehouse_pki::certificate::Certificate;
use gatehouse_pki::chain;
use gatehouse_store::{CaCertificateRecord, Store};

use super::NewCertificate;
use super::issue::Issuing;
use crate::error::{Code, Error};

/// Reads a certificate that somebody sent.
///
/// # Errors
/// `CertificateValidationException`.
pub(crate) fn read(pem: &str) -> Result<Certificate, Error> {
    Certificate::from_pem(pem).map_err(|refusal| invalid(format!("the certificate cannot be read: {refusal}")))
}

impl Issuing<'_> {
    /// The certificate `pem`, read as `certificate`, if a registered CA of the scope has signed it and vouches for it. `ca_pem`
    /// names the CA, which is needed when several have the same name and key.
    ///
    /// # Errors
    /// `CertificateValidationException`, `CertificateStateException` or `CertificateConflictException` for what is not to be
    /// registered; `InvalidRequestException` for one that is another account's.
    pub(crate) async fn signed_by_ca(
        &self,
        certificate: &Certificate,
        pem: &str,
        ca_pem: Option<&str>,
    ) -> Result<NewCertificate, Error> {
        let (store, scope) = (&self.house.store, self.scope);
        // Before the search for the CA: a signature of an algorithm that is not accepted is nobody's, and the caller is to
        // learn why.
        certificate
            .check_registrable(self.now)
            .map_err(|refusal| invalid(format!("the certificate is refused: {refusal}")))?;
        let ca = issuer(store, scope, certificate, ca_pem).await?;
        ca.issuer().vouches(self.now).map_err(|refusal| match refusal {
            VouchRefusal::Inactive => Error::refused(
                Code::CertificateStateException,
                format!(
                    "CA certificate {} is INACTIVE: activate it before registering its certificates",
                    ca.certificate_id
                ),
            ),
            VouchRefusal::OutsideValidity => {
                invalid("the CA certificate that signed the certificate is outside its validity period")
            }
        })?;
        refuse_claimed(store, scope, certificate.id(), ca.mode).await?;

        let registration = Registration {
            status: self.status,
            mode: ca.mode,
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
        };
        NewCertificate::of_ca(ca, certificate.id(), pem.to_owned(), registration, self.now)
    }
}

/// The registered CA that signed the certificate: the one that `named` holds, or the one that is found by name and
/// signature.
async fn issuer(
    store: &Store,
    scope: Scope,
    certificate: &Certificate,
    named: Option<&str>,
) -> Result<CaCertificateRecord, Error> {
    let candidates = store.ca_certificates_by_subject(scope, certificate.issuer_sha256()).await?;
    let named = match named {
        Some(pem) => {
            let ca = Certificate::from_pem(pem)
                .map_err(|refusal| invalid(format!("the CA certificate cannot be read: {refusal}")))?;
            Some(ca.id())
        }
        None => None,
    };
    let signers = signers(certificate, candidates).await?;
    match named {
        Some(id) => match signers.into_iter().find(|record| record.certificate_id == id) {
            Some(record) => Ok(record),
            None if store.ca_certificate(scope, id).await?.is_some() => {
                Err(invalid("the CA certificate given has not signed this certificate"))
            }
            None => Err(no_ca()),
        },
        None => one_of(signers),
    }
}

/// Those of `candidates` whose key signed the certificate.
pub(super) async fn signers(
    certificate: &Certificate,
    candidates: Vec<(CaCertificateRecord, String)>,
) -> Result<Vec<CaCertificateRecord>, Error> {
    let certificate = certificate.clone();
    // At most ten, but a DSA signature takes long enough to keep others waiting.
    tokio::task::spawn_blocking(move || {
        let authorities: Vec<CaCertificate> =
            candidates.iter().filter_map(|(_, pem)| CaCertificate::from_registered(pem).ok()).collect();
        let found = chain::signers(&certificate, &authorities);
        let ids: Vec<CertificateId> = found.iter().flatten().map(|ca| ca.id()).collect();
        candidates.into_iter().map(|(record, _)| record).filter(|record| ids.contains(&record.certificate_id)).collect()
    })
    .await
    .map_err(|error| Error::Internal(error.to_string()))
}

fn one_of(signers: Vec<CaCertificateRecord>) -> Result<CaCertificateRecord, Error> {
    let mut signers = signers.into_iter();
    match (signers.next(), signers.next()) {
        (None, _) => Err(no_ca()),
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(Error::refused(
            Code::CertificateConflictException,
            "several registered CA certificates have the subject and key that signed this certificate: name one in \
             caCertificatePem",
        )),
    }
}

async fn refuse_claimed(store: &Store, scope: Scope, id: CertificateId, mode: CertificateMode) -> Result<(), Error> {
    match claim(&store.certificate_scopes(id).await?, scope, mode) {
        Err(Claimed::Elsewhere) => Err(Error::invalid("This request is not valid")),
        // One that the scope has got since it was looked for is met at the commit.
        Ok(()) | Err(Claimed::Here) => Ok(()),
    }
}

fn no_ca() -> Error {
    Error::refused(Code::CertificateStateException, "No CA certificate exists for the given certificate")
}

fn invalid(why: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::refused(Code::CertificateValidationException, why)
}
