//! DescribeCertificateProvider: one certificate provider's record.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::function::FunctionArn;
use gatehouse_domain::name::CertificateProviderName;
use serde::{Deserialize, Serialize};

use super::certificate_provider::{ProviderOperation, find};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::EpochSeconds;

/// The operation.
pub struct DescribeCertificateProvider;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    certificate_provider_name: CertificateProviderName,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    certificate_provider_name: CertificateProviderName,
    certificate_provider_arn: String,
    lambda_function_arn: FunctionArn,
    account_default_for_operations: [ProviderOperation; 1],
    creation_date: EpochSeconds,
    last_modified_date: EpochSeconds,
}

impl Operation for DescribeCertificateProvider {
    const NAME: &'static str = "DescribeCertificateProvider";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/certificate-providers/{certificateProviderName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::certificate_provider(call.scope, input.certificate_provider_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let record = find(call, &input.certificate_provider_name).await?;
        let name = record.creation.name;
        Ok(Output {
            certificate_provider_arn: Arn::certificate_provider(call.scope, name.clone()).to_string(),
            certificate_provider_name: name,
            lambda_function_arn: record.function_arn,
            account_default_for_operations: [ProviderOperation::CreateCertificateFromCsr],
            creation_date: EpochSeconds(record.created_at),
            last_modified_date: EpochSeconds(record.last_modified_at),
        })
    }
}
