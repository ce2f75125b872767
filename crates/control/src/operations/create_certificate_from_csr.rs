//! CreateCertificateFromCsr: a certificate for a key that stays with its owner, issued here or by the scope's certificate
//! provider. The same request again makes another certificate.

use gatehouse_domain::certificate::{CertificateId, CertificateStatus};
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::certificates::issue::Asker;
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
        let asker = Asker { principal_id: &call.caller.access_key_id, client_id: "" };
        let issuing = call.issuing(CertificateStatus::of_new(input.set_as_active));
        let new = issuing.for_request(&input.certificate_signing_request, asker).await?;
        call.register(&new).await?;
        Ok(Output {
            certificate_arn: new.arn().to_string(),
            certificate_id: new.id(),
            certificate_pem: new.pem().to_owned(),
        })
    }
}
