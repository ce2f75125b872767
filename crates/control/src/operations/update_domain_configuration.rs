//! UpdateDomainConfiguration: switches a configuration on and off, changes its TLS and how devices come in. Of an
//! account's endpoints, only the TLS can be changed.

use gatehouse_domain::domain_configuration::{
    Access, ApplicationProtocol, AuthenticationType, DomainConfigurationRefusal, DomainConfigurationStatus, DomainType,
};
use gatehouse_domain::event::Event;
use gatehouse_domain::name::DomainConfigurationName;
use gatehouse_domain::security_policy::SecurityPolicy;
use gatehouse_store::{Batch, DomainConfigurationRecord};
use serde::{Deserialize, Serialize};

use super::domain_configuration::{
    AuthorizerConfig, ClientCertificateConfig, ServerCertificateConfig, TlsConfig, arn, endpoint_type, find,
    refuse_unserved, refused,
};
use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;

/// The operation.
pub struct UpdateDomainConfiguration;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    domain_configuration_name: DomainConfigurationName,
    authorizer_config: Option<AuthorizerConfig>,
    domain_configuration_status: Option<DomainConfigurationStatus>,
    /// There is never one to remove.
    #[serde(default, rename = "removeAuthorizerConfig")]
    _remove_authorizer_config: bool,
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

impl Operation for UpdateDomainConfiguration {
    const NAME: &'static str = "UpdateDomainConfiguration";
    const METHOD: &'static str = "PUT";
    const PATH: &'static str = "/domainConfigurations/{domainConfigurationName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        arn(call.scope, &input.domain_configuration_name).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.domain_configuration_name;
        let Input { authorizer_config, client_certificate_config, server_certificate_config, .. } = input;
        refuse_unserved(
            authorizer_config.as_ref(),
            client_certificate_config.as_ref(),
            server_certificate_config.as_ref(),
        )?;
        let policy = TlsConfig::policy(input.tls_config.as_ref())?;
        let mut batch = Batch::new();
        if endpoint_type(name).is_some() {
            update_endpoint(call, input, policy, &mut batch).await?;
        } else {
            let current = find(call, name).await?;
            let changed = changed(call, input, policy, &current)?;
            batch.update_domain_configuration(&current, &changed);
        }
        batch.announce(Event::DomainConfiguration { scope: call.scope, name: name.clone() });
        call.commit(batch).await?;
        Ok(Output {
            domain_configuration_name: name.clone(),
            domain_configuration_arn: arn(call.scope, name).to_string(),
        })
    }
}

/// The record after the update.
fn changed(
    call: &Call,
    input: &Input,
    policy: Option<SecurityPolicy>,
    current: &DomainConfigurationRecord,
) -> Result<DomainConfigurationRecord, Error> {
    let access = Access::new(
        input.authentication_type.unwrap_or(current.access.authentication),
        input.application_protocol.unwrap_or(current.access.protocol),
    )
    .map_err(refused)?;
    let status = input.domain_configuration_status.unwrap_or(current.status);
    let is_switched = status != current.status;
    if is_switched
        && status == DomainConfigurationStatus::Enabled
        && let (Some(certificate), Some(host)) = (&current.server_certificate_arn, &current.domain_name)
    {
        call.house.server_certificates.check(certificate, host, call.now).map_err(|not_served| {
            Error::refused(Code::CertificateValidationException, format!("{certificate}: {not_served}"))
        })?;
    }
    Ok(DomainConfigurationRecord {
        security_policy: policy.unwrap_or(current.security_policy),
        access,
        status,
        status_changed_at: if is_switched { call.now } else { current.status_changed_at },
        generation_id: call.generation_id()?,
        last_modified_at: call.now,
        ..current.clone()
    })
}

/// An endpoint has a record once it was configured.
async fn update_endpoint(
    call: &Call,
    input: &Input,
    policy: Option<SecurityPolicy>,
    batch: &mut Batch,
) -> Result<(), Error> {
    let name = &input.domain_configuration_name;
    let has_more = input.domain_configuration_status.is_some()
        || input.authentication_type.is_some()
        || input.application_protocol.is_some();
    if has_more {
        return Err(refused(DomainConfigurationRefusal::EndpointUpdate(name.clone())));
    }
    let current = call.store().domain_configuration(call.scope, name).await?;
    let Some(current) = current else {
        batch.insert_domain_configuration(&DomainConfigurationRecord {
            scope: call.scope,
            name: name.clone(),
            arn_id: String::new(),
            domain_type: DomainType::Endpoint,
            domain_name: None,
            server_certificate_arn: None,
            security_policy: policy.unwrap_or_default(),
            access: Access::DEFAULT,
            status: DomainConfigurationStatus::Enabled,
            status_changed_at: call.now,
            generation_id: call.generation_id()?,
            created_at: call.now,
            last_modified_at: call.now,
        });
        return Ok(());
    };
    let changed = DomainConfigurationRecord {
        security_policy: policy.unwrap_or(current.security_policy),
        generation_id: call.generation_id()?,
        last_modified_at: call.now,
        ..current.clone()
    };
    batch.update_domain_configuration(&current, &changed);
    Ok(())
}
