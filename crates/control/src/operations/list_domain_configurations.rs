//! ListDomainConfigurations: the scope's configurations and the endpoints that every account has, by name.

use gatehouse_domain::domain_configuration::{DomainType, ServiceType};
use gatehouse_domain::endpoint::EndpointType;
use gatehouse_domain::name::DomainConfigurationName;
use serde::{Deserialize, Serialize};

use super::domain_configuration::{arn, service_type};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;

/// The operation.
pub struct ListDomainConfigurations;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    marker: Option<String>,
    page_size: Option<u32>,
    service_type: Option<ServiceType>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    domain_configurations: Vec<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    domain_configuration_name: DomainConfigurationName,
    domain_configuration_arn: String,
    service_type: ServiceType,
}

impl Operation for ListDomainConfigurations {
    const NAME: &'static str = "ListDomainConfigurations";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/domainConfigurations";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let request = PageRequest::new(&input.marker, input.page_size, true);
        let (found, next_marker) = call
            .pager()
            .page(
                request,
                async |page| {
                    // A few at most: all of them are read, and the page is taken out.
                    let mut all = all(call).await?;
                    let is_wanted = |service: ServiceType| input.service_type.is_none_or(|wanted| wanted == service);
                    all.retain(|(name, service)| page.after.as_ref().is_none_or(|after| name > after) && is_wanted(*service));
                    all.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
                    Ok(all)
                },
                |(name, _)| -> DomainConfigurationName { name.clone() },
            )
            .await?;
        let domain_configurations = found
            .into_iter()
            .map(|(name, service_type)| Summary {
                domain_configuration_arn: arn(call.scope, &name).to_string(),
                domain_configuration_name: name,
                service_type,
            })
            .collect();
        Ok(Output { domain_configurations, next_marker })
    }
}

/// All names with what is served under them, in order.
async fn all(call: &Call) -> Result<Vec<(DomainConfigurationName, ServiceType)>, gatehouse_store::Error> {
    let configured = call.store().domain_configurations(call.scope).await?;
    let own = configured.into_iter().filter(|record| record.domain_type != DomainType::Endpoint);
    let endpoints = EndpointType::ALL.into_iter().filter_map(|endpoint| {
        let name = endpoint.as_str().parse().ok()?;
        Some((name, service_type(endpoint)))
    });
    let mut all: Vec<_> = own.map(|record| (record.name, ServiceType::Data)).chain(endpoints).collect();
    all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    Ok(all)
}
