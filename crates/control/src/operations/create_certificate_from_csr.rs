//! CreateCertificateFromCsr: a certificate for a key that stays with its owner. The same request again makes another
//! certificate.

use gatehouse_domain::certificate::CertificateId;
use gatehouse_pki::csr::VerifiedCsr;
use serde::{Deserialize, Serialize};

use super::issue::Issued;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;

/// The operation.
pub struct CreateCertificateFromCsr;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    certificate_signing_request: String,
    #[serde(default)]
    set_as_active: bool,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    certificate_arn: String,
    certificate_id: CertificateId,
    certificate_pem: String,
}

impl Operation for CreateCertificateFromCsr {
    const NAME: &'static str = "CreateCertificateFromCsr";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/certificates";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let pem = input.certificate_signing_request.clone();
        // The checks of a large RSA key take milliseconds.
        let csr = tokio::task::spawn_blocking(move || VerifiedCsr::from_pem(&pem))
            .await
            .map_err(|error| Error::Internal(error.to_string()))?
            .map_err(|refusal| Error::invalid(format!("the certificate signing request is refused: {refusal}")))?;
        let Issued { arn, certificate_id, pem } = call.issuing(input.set_as_active).to((&csr).into()).await?;
        Ok(Output { certificate_arn: arn.to_string(), certificate_id, certificate_pem: pem })
    }
}
