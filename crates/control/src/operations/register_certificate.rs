//! RegisterCertificate: takes in a certificate that a registered CA has signed, in that CA's mode.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::{CertificateId, CertificateStatus, register_status};
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::certificates::registration;
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
        let certificate = registration::read(&input.certificate_pem)?;
        let wanted = input.status.or(input.set_as_active.then_some(CertificateStatus::Active));
        let status = register_status(wanted)
            .map_err(|refusal| Error::refused(Code::CertificateStateException, refusal.to_string()))?;
        let certificate_id = certificate.id();
        let arn = Arn::certificate(call.scope, certificate_id);
        refuse_registered(call, certificate_id, &arn).await?;
        let registering = call.issuing(status);
        let new = registering
            .signed_by_ca(&certificate, &input.certificate_pem, input.ca_certificate_pem.as_deref())
            .await?;
        call.register(&new).await?;
        Ok(Output { certificate_arn: arn.to_string(), certificate_id })
    }
}
