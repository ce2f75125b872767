//! RegisterCertificateWithoutCA: takes in a certificate from any issuer, in mode SNI_ONLY. No chain is asked for.

use gatehouse_domain::admission::Registration;
use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::{CertificateId, CertificateMode, CertificateStatus, register_status};
use gatehouse_domain::event::Event;
use gatehouse_pki::certificate::Certificate;
use gatehouse_store::{Batch, CertificateRecord};
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;

/// The operation.
pub struct RegisterCertificateWithoutCA;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    certificate_pem: String,
    status: Option<CertificateStatus>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    certificate_arn: String,
    certificate_id: CertificateId,
}

impl Operation for RegisterCertificateWithoutCA {
    const NAME: &'static str = "RegisterCertificateWithoutCA";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/certificate/register-no-ca";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let refused = |reason: String| Error::refused(Code::CertificateValidationException, reason);
        let certificate = Certificate::from_pem(&input.certificate_pem)
            .map_err(|refusal| refused(format!("the certificate cannot be read: {refusal}")))?;
        let status = register_status(input.status)
            .map_err(|refusal| Error::refused(Code::CertificateStateException, refusal.to_string()))?;
        certificate
            .check_registrable(call.now)
            .map_err(|refusal| refused(format!("the certificate is refused: {refusal}")))?;
        let certificate_id = certificate.id();
        let arn = Arn::certificate(call.scope, certificate_id);
        refuse_registered(call, certificate_id, &arn).await?;

        let registration = Registration {
                status,
                mode: CertificateMode::SniOnly,
                not_before: certificate.not_before(),
                not_after: certificate.not_after(),
            };
        let record = CertificateRecord::new(call.scope, certificate_id, registration, call.uuid()?, call.now);
        let mut batch = Batch::new();
        batch.insert_certificate(&record, &input.certificate_pem);
        batch.announce(Event::Certificate { scope: call.scope, certificate_id });
        call.commit(batch).await?;
        Ok(Output { certificate_arn: arn.to_string(), certificate_id })
    }
}

/// A certificate is registered once in a scope.
pub(super) async fn refuse_registered(call: &Call, id: CertificateId, arn: &Arn) -> Result<(), Error> {
    match call.store().certificate(call.scope, id).await? {
        Some(_) => Err(Error::already_exists(
            "The certificate is already provisioned or registered",
            id.to_string(),
            arn,
        )),
        None => Ok(()),
    }
}
