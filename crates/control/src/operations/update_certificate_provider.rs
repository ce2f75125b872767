//! UpdateCertificateProvider: another function issues, from the next request on.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::CertificateProviderName;
use gatehouse_store::{Batch, CertificateProviderRecord};
use serde::{Deserialize, Serialize};

use super::certificate_provider::{ProviderOperation, find, function};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;

/// The operation.
pub struct UpdateCertificateProvider;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    certificate_provider_name: CertificateProviderName,
    lambda_function_arn: Option<String>,
    /// What it may say is so already.
    #[expect(dead_code, reason = "what it may say is all that there is, and is checked before")]
    account_default_for_operations: Option<Vec<ProviderOperation>>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    certificate_provider_name: CertificateProviderName,
    certificate_provider_arn: String,
}

impl Operation for UpdateCertificateProvider {
    const NAME: &'static str = "UpdateCertificateProvider";
    const METHOD: &'static str = "PUT";
    const PATH: &'static str = "/certificate-providers/{certificateProviderName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::certificate_provider(call.scope, input.certificate_provider_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.certificate_provider_name;
        let current = find(call, name).await?;
        let function_arn = match &input.lambda_function_arn {
            Some(arn) => function(call, arn)?,
            None => current.function_arn.clone(),
        };

        let changed = CertificateProviderRecord {
            function_arn,
            generation_id: call.generation_id()?,
            last_modified_at: call.now,
            ..current.clone()
        };
        let mut batch = Batch::new();
        batch.update_certificate_provider(&current, &changed);
        call.commit(batch).await?;
        let certificate_provider_arn = Arn::certificate_provider(call.scope, name.clone()).to_string();
        Ok(Output { certificate_provider_name: name.clone(), certificate_provider_arn })
    }
}
