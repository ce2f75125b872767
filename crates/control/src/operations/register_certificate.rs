//! RegisterCertificate: takes in a certificate that a registered CA has signed, in that CA's mode.

use gatehouse_domain::admission::Registration;
use gatehouse_domain::arn::Arn;
use gatehouse_domain::ca::VouchRefusal;
use gatehouse_domain::certificate::{CertificateId, CertificateMode, CertificateStatus, Claimed, claim, register_status};
use gatehouse_domain::event::Event;
use gatehouse_pki::ca::CaCertificate;
use gatehouse_pki::certificate::Certificate;
use gatehouse_pki::chain;
use gatehouse_store::{Batch, CaCertificateRecord, CertificateRecord};
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::operations::register_certificate_without_ca::refuse_registered;

/// The operation.
pub struct RegisterCertificate;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    certificate_pem: String,
    ca_certificate_pem: Option<String>,
    /// Deprecated; `status` counts when both are given.
    #[serde(default)]
    set_as_active: bool,
    status: Option<CertificateStatus>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    certificate_arn: String,
    certificate_id: CertificateId,
}

impl Operation for RegisterCertificate {
    const NAME: &'static str = "RegisterCertificate";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/certificate/register";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let certificate = Certificate::from_pem(&input.certificate_pem)
            .map_err(|refusal| invalid(format!("the certificate cannot be read: {refusal}")))?;
        let wanted = input.status.or(input.set_as_active.then_some(CertificateStatus::Active));
        let status = register_status(wanted)
            .map_err(|refusal| Error::refused(Code::CertificateStateException, refusal.to_string()))?;
        let certificate_id = certificate.id();
        let arn = Arn::certificate(call.scope, certificate_id);
        refuse_registered(call, certificate_id, &arn).await?;
        // Before the search for the CA: a signature of an algorithm that is not accepted is nobody's, and the caller is to
        // learn why.
        certificate
            .check_registrable(call.now)
            .map_err(|refusal| invalid(format!("the certificate is refused: {refusal}")))?;
        let ca = issuer(call, &certificate, input.ca_certificate_pem.as_deref()).await?;
        ca.issuer().vouches(call.now).map_err(|refusal| match refusal {
            VouchRefusal::Inactive => Error::refused(
                Code::CertificateStateException,
                format!("CA certificate {} is INACTIVE: activate it before registering its certificates", ca.certificate_id),
            ),
            VouchRefusal::OutsideValidity => {
                invalid("the CA certificate that signed the certificate is outside its validity period")
            }
        })?;
        refuse_claimed(call, certificate_id, ca.mode).await?;

        let registration = Registration {
                status,
                mode: ca.mode,
                not_before: certificate.not_before(),
                not_after: certificate.not_after(),
            };
        let record = CertificateRecord {
            ca_certificate_id: Some(ca.certificate_id),
            ..CertificateRecord::new(call.scope, certificate_id, registration, call.uuid()?, call.now)
        };
        let mut batch = Batch::new();
        // Switched off or deleted meanwhile, the CA vouches for nothing.
        batch.require_ca_certificate(&ca);
        batch.insert_certificate(&record, &input.certificate_pem);
        batch.announce(Event::Certificate { scope: call.scope, certificate_id });
        call.commit(batch).await?;
        Ok(Output { certificate_arn: arn.to_string(), certificate_id })
    }
}

/// The registered CA that signed the certificate: the one that `named` holds, or the one that is found by name and
/// signature.
async fn issuer(call: &Call, certificate: &Certificate, named: Option<&str>) -> Result<CaCertificateRecord, Error> {
    let candidates = call.store().ca_certificates_by_subject(call.scope, certificate.issuer_sha256()).await?;
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
            None if call.store().ca_certificate(call.scope, id).await?.is_some() => {
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

async fn refuse_claimed(call: &Call, id: CertificateId, mode: CertificateMode) -> Result<(), Error> {
    match claim(&call.store().certificate_scopes(id).await?, call.scope, mode) {
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
