//! ListCertificateProviders: the scope's certificate provider, if it has one.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::CertificateProviderName;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;

/// The operation.
pub struct ListCertificateProviders;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    next_token: Option<String>,
    #[serde(default)]
    ascending_order: bool,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    certificate_providers: Vec<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    certificate_provider_name: CertificateProviderName,
    certificate_provider_arn: String,
}

impl Operation for ListCertificateProviders {
    const NAME: &'static str = "ListCertificateProviders";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/certificate-providers/";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let request = PageRequest::new(&input.next_token, None, input.ascending_order);
        let (names, next_token) = call
            .pager()
            .page(
                request,
                async |page| {
                    // One of a scope: there is nothing behind it, in either order.
                    let found = call.store().certificate_provider(call.scope).await?;
                    let found = found.map(|record| record.creation.name).filter(|_| page.after.is_none());
                    Ok(found.into_iter().collect())
                },
                |name| -> CertificateProviderName { name.clone() },
            )
            .await?;
        let certificate_providers = names.into_iter().map(|name| Summary {
            certificate_provider_arn: Arn::certificate_provider(call.scope, name.clone()).to_string(),
            certificate_provider_name: name,
        });
        Ok(Output { certificate_providers: certificate_providers.collect(), next_token })
    }
}
