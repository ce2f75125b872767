//! DeleteCertificateProvider: this deployment's authority issues again, from the next request on.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::CertificateProviderName;
use gatehouse_store::Batch;
use serde::Deserialize;

use super::certificate_provider::find;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct DeleteCertificateProvider;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    certificate_provider_name: CertificateProviderName,
}

impl Operation for DeleteCertificateProvider {
    const NAME: &'static str = "DeleteCertificateProvider";
    const METHOD: &'static str = "DELETE";
    const PATH: &'static str = "/certificate-providers/{certificateProviderName}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::certificate_provider(call.scope, input.certificate_provider_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let record = find(call, &input.certificate_provider_name).await?;
        let mut batch = Batch::new();
        batch.delete_certificate_provider(&record);
        batch.delete_tags(&Arn::certificate_provider(call.scope, record.creation.name));
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
