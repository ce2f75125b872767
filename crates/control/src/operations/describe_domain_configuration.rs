//! DescribeDomainConfiguration: one configuration, or one of the endpoints that every account has.

use gatehouse_domain::domain_configuration::{
    Access, ApplicationProtocol, AuthenticationType, DomainConfigurationStatus, DomainType, ServerCertificateArn,
    ServiceType,
};
use gatehouse_domain::endpoint::EndpointType;
use gatehouse_domain::name::DomainConfigurationName;
use gatehouse_store::DomainConfigurationRecord;
use serde::{Deserialize, Serialize};

use super::domain_configuration::{TlsConfig, arn, endpoint_host, endpoint_type, find, service_type};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::EpochSeconds;

/// The operation.
pub struct DescribeDomainConfiguration;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    domain_configuration_name: DomainConfigurationName,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    domain_configuration_name: DomainConfigurationName,
    domain_configuration_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain_name: Option<String>,
    server_certificates: Vec<ServerCertificate>,
    domain_configuration_status: DomainConfigurationStatus,
    service_type: ServiceType,
    domain_type: DomainType,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status_change_date: Option<EpochSeconds>,
    tls_config: TlsConfig,
    authentication_type: AuthenticationType,
    application_protocol: ApplicationProtocol,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServerCertificate {
    server_certificate_arn: ServerCertificateArn,
    server_certificate_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_certificate_status_detail: Option<String>,
}

impl Operation for DescribeDomainConfiguration {
    const NAME: &'static str = "DescribeDomainConfiguration";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/domainConfigurations/{domainConfigurationName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        arn(call.scope, &input.domain_configuration_name).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.domain_configuration_name;
        if let Some(endpoint) = endpoint_type(name) {
            return describe_endpoint(call, name, endpoint).await;
        }
        let record = find(call, name).await?;
        Ok(Output {
            domain_configuration_name: name.clone(),
            domain_configuration_arn: arn(call.scope, name).to_string(),
            server_certificates: server_certificate(call, &record).into_iter().collect(),
            domain_name: record.domain_name.map(String::from),
            domain_configuration_status: record.status,
            service_type: ServiceType::Data,
            domain_type: record.domain_type,
            last_status_change_date: Some(EpochSeconds(record.status_changed_at)),
            tls_config: TlsConfig::of(record.security_policy),
            authentication_type: record.access.authentication,
            application_protocol: record.access.protocol,
        })
    }
}

async fn describe_endpoint(
    call: &Call,
    name: &DomainConfigurationName,
    endpoint: EndpointType,
) -> Result<Output, Error> {
    let configured = call.store().domain_configuration(call.scope, name).await?;
    let policy = configured.map(|record| record.security_policy).unwrap_or_default();
    Ok(Output {
        domain_configuration_name: name.clone(),
        domain_configuration_arn: arn(call.scope, name).to_string(),
        domain_name: Some(endpoint_host(call, endpoint).await?),
        server_certificates: Vec::new(),
        domain_configuration_status: DomainConfigurationStatus::Enabled,
        service_type: service_type(endpoint),
        domain_type: DomainType::Endpoint,
        last_status_change_date: None,
        tls_config: TlsConfig::of(policy),
        authentication_type: Access::DEFAULT.authentication,
        application_protocol: Access::DEFAULT.protocol,
    })
}

/// What is shown under the name, and whether that works: now, not when it was configured.
fn server_certificate(call: &Call, record: &DomainConfigurationRecord) -> Option<ServerCertificate> {
    let arn = record.server_certificate_arn.clone()?;
    let certificates = &call.house.server_certificates;
    let checked = certificates.check(&arn, record.domain_name.as_ref()?, call.now);
    let problem = certificates.problem(&arn);
    let (status, detail) = match (checked, problem) {
        (Err(not_served), _) => ("INVALID", Some(not_served.to_string())),
        (Ok(()), Some(problem)) => {
            let detail = format!("the former certificate is served, because its replacement is refused: {problem}");
            ("VALID", Some(detail))
        }
        (Ok(()), None) => ("VALID", None),
    };
    Some(ServerCertificate {
        server_certificate_arn: arn,
        server_certificate_status: status,
        server_certificate_status_detail: detail,
    })
}
