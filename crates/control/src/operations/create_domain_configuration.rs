//! CreateDomainConfiguration: a host name that devices come in under. Without a domain name, one is made for it.

use std::collections::BTreeMap;

use gatehouse_domain::domain_configuration::{
    Access, ApplicationProtocol, AuthenticationType, Domain, DomainConfigurationRefusal, DomainConfigurationStatus,
    DomainType, ServiceType, check_name, check_service_type, domain, may_create,
};
use gatehouse_domain::event::Event;
use gatehouse_domain::host_name::HostName;
use gatehouse_domain::name::DomainConfigurationName;
use gatehouse_domain::tag;
use gatehouse_store::{Batch, CountedKind, DomainConfigurationRecord};
use serde::{Deserialize, Serialize};

use super::domain_configuration::{
    AuthorizerConfig, ClientCertificateConfig, ServerCertificateConfig, TlsConfig, arn, arn_id, managed_host,
    refuse_unserved, refused,
};
use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::Tag;

/// The operation.
pub struct CreateDomainConfiguration;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    domain_configuration_name: DomainConfigurationName,
    domain_name: Option<String>,
    #[serde(default)]
    server_certificate_arns: Vec<String>,
    validation_certificate_arn: Option<String>,
    authorizer_config: Option<AuthorizerConfig>,
    service_type: Option<ServiceType>,
    #[serde(default)]
    tags: Vec<Tag>,
    tls_config: Option<TlsConfig>,
    server_certificate_config: Option<ServerCertificateConfig>,
    authentication_type: Option<AuthenticationType>,
    application_protocol: Option<ApplicationProtocol>,
    client_certificate_config: Option<ClientCertificateConfig>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    domain_configuration_name: DomainConfigurationName,
    domain_configuration_arn: String,
}

impl Operation for CreateDomainConfiguration {
    const NAME: &'static str = "CreateDomainConfiguration";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/domainConfigurations/{domainConfigurationName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        arn(call.scope, &input.domain_configuration_name).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.domain_configuration_name;
        let arn = arn(call.scope, name);
        let record = wanted(call, input)?;
        let tags = tag::add(&BTreeMap::new(), input.tags.iter().map(Tag::pair))
            .map_err(|refusal| Error::invalid(refusal.to_string()))?;

        if call.store().domain_configuration(call.scope, name).await?.is_some() {
            let text = format!("domain configuration {name} exists already in this account and Region");
            return Err(Error::already_exists(text, name.as_str(), &arn));
        }
        if let Some(host) = &record.domain_name {
            must_be_free(call, host).await?;
        }
        may_create(call.store().count_of(call.scope, CountedKind::DomainConfiguration).await?).map_err(refused)?;

        let mut batch = Batch::new();
        batch.insert_domain_configuration(&record);
        if !tags.is_empty() {
            batch.set_tags(&arn, &tags, None);
        }
        batch.announce(Event::DomainConfiguration { scope: call.scope, name: name.clone() });
        call.commit(batch).await?;
        Ok(Output { domain_configuration_name: name.clone(), domain_configuration_arn: arn.to_string() })
    }
}

/// The record that is asked for, with everything checked that does not depend on what is stored.
fn wanted(call: &Call, input: &Input) -> Result<DomainConfigurationRecord, Error> {
    let name = &input.domain_configuration_name;
    check_name(name).map_err(refused)?;
    check_service_type(input.service_type).map_err(refused)?;
    let Input { authorizer_config, client_certificate_config, server_certificate_config, .. } = input;
    refuse_unserved(
        authorizer_config.as_ref(),
        client_certificate_config.as_ref(),
        server_certificate_config.as_ref(),
    )?;
    if input.validation_certificate_arn.is_some() {
        return Err(refused(DomainConfigurationRefusal::NotImplemented(
            "validationCertificateArn (the server certificate proves that the domain is yours: leave it out)",
        )));
    }
    let access = Access::new(
        input.authentication_type.unwrap_or(AuthenticationType::Default),
        input.application_protocol.unwrap_or(ApplicationProtocol::Default),
    )
    .map_err(refused)?;
    let certificate_arn = input.server_certificate_arns.first().map(String::as_str);
    let domain = domain(call.scope, input.domain_name.as_deref(), certificate_arn, &call.house.domain);
    let (domain_type, host, server_certificate_arn) = match domain.map_err(refused)? {
        Domain::AwsManaged => (DomainType::AwsManaged, managed_host(call)?, None),
        Domain::CustomerManaged(host, certificate) => {
            call.house.server_certificates.check(&certificate, &host, call.now).map_err(|not_served| {
                Error::refused(Code::CertificateValidationException, format!("{certificate}: {not_served}"))
            })?;
            (DomainType::CustomerManaged, host, Some(certificate))
        }
    };
    Ok(DomainConfigurationRecord {
        scope: call.scope,
        name: name.clone(),
        arn_id: arn_id(call.scope, name),
        domain_type,
        domain_name: Some(host),
        server_certificate_arn,
        security_policy: TlsConfig::policy(input.tls_config.as_ref())?.unwrap_or_default(),
        access,
        status: DomainConfigurationStatus::Enabled,
        status_changed_at: call.now,
        generation_id: call.generation_id()?,
        created_at: call.now,
        last_modified_at: call.now,
    })
}

/// A name is served for one scope of the deployment. Which one is nobody else's business.
async fn must_be_free(call: &Call, host: &HostName) -> Result<(), Error> {
    match call.store().domain_configuration_of_host(host).await? {
        Some(_) => Err(refused(DomainConfigurationRefusal::DomainTaken(host.clone()))),
        None => Ok(()),
    }
}
