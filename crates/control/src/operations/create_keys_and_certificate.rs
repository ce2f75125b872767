//! CreateKeysAndCertificate: a new RSA-2048 key pair and a certificate for it. The private key is in the answer and
//! nowhere else.

use gatehouse_domain::certificate::{CertificateId, CertificateStatus};
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;

/// The operation.
pub struct CreateKeysAndCertificate;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    #[serde(default)]
    set_as_active: bool,
}

/// What it answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    certificate_arn: String,
    certificate_id: CertificateId,
    certificate_pem: String,
    key_pair: KeyPair,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyPair {
    public_key: String,
    private_key: String,
}

impl Operation for CreateKeysAndCertificate {
    const NAME: &'static str = "CreateKeysAndCertificate";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/keys-and-certificate";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let pair = call.new_key_pair().await?;
        let new = call.issuing(CertificateStatus::of_new(input.set_as_active)).to((&pair).into()).await?;
        call.register(&new).await?;
        Ok(Output {
            certificate_arn: new.arn().to_string(),
            certificate_id: new.id(),
            certificate_pem: new.pem().to_owned(),
            key_pair: KeyPair { public_key: pair.public_pem().to_owned(), private_key: pair.private_pem().to_owned() },
        })
    }
}
