//! What the operations of domain configurations share: names, ARNs, the account's endpoints, wire forms and answers.

use aws_lc_rs::digest::{SHA256, digest};
use gatehouse_domain::arn::{Arn, Resource};
use gatehouse_domain::domain_configuration::{DomainConfigurationRefusal, ServiceType};
use gatehouse_domain::endpoint::{EndpointName, EndpointPrefix, EndpointType};
use gatehouse_domain::host_name::HostName;
use gatehouse_domain::name::DomainConfigurationName;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::security_policy::SecurityPolicy;
use gatehouse_store::{Batch, DomainConfigurationRecord};
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::{Code, Error};
use crate::random::random;

/// Digits of the last part of an ARN.
const ARN_ID_DIGITS: usize = 5;
/// Letters and digits of the label that stands for a managed domain, after the letter `d`.
const MANAGED_LABEL: usize = 20;

/// Which TLS is spoken.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TlsConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    security_policy: Option<String>,
}

impl TlsConfig {
    /// As an answer has it.
    pub(super) fn of(policy: SecurityPolicy) -> Self {
        Self { security_policy: Some(policy.to_string()) }
    }

    /// The policy that is named, if one is.
    pub(super) fn policy(this: Option<&Self>) -> Result<Option<SecurityPolicy>, Error> {
        let name = this.and_then(|config| config.security_policy.as_deref());
        let policy = name.map(|name| name.parse().map_err(|error| format!("tlsConfig.securityPolicy: {error}")));
        policy.transpose().map_err(Error::invalid)
    }
}

/// Custom authentication.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthorizerConfig {
    default_authorizer_name: Option<String>,
    #[serde(default)]
    allow_authorizer_override: bool,
}

/// A hook that is asked about every client certificate.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClientCertificateConfig {
    client_certificate_callback_arn: Option<String>,
}

/// OCSP stapling.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServerCertificateConfig {
    #[serde(default, rename = "enableOCSPCheck")]
    enable_ocsp_check: bool,
    ocsp_lambda_arn: Option<String>,
    ocsp_authorized_responder_arn: Option<String>,
}

/// Refuses what cannot be served: nothing is taken and then not done.
pub(super) fn refuse_unserved(
    authorizer: Option<&AuthorizerConfig>,
    client: Option<&ClientCertificateConfig>,
    server: Option<&ServerCertificateConfig>,
) -> Result<(), Error> {
    let has_authorizer =
        authorizer.is_some_and(|config| config.default_authorizer_name.is_some() || config.allow_authorizer_override);
    let has_callback = client.is_some_and(|config| config.client_certificate_callback_arn.is_some());
    let has_ocsp = server.is_some_and(|config| {
        config.enable_ocsp_check || config.ocsp_lambda_arn.is_some() || config.ocsp_authorized_responder_arn.is_some()
    });
    let unserved = [
        (has_authorizer, "authorizerConfig"),
        (has_callback, "clientCertificateConfig"),
        (has_ocsp, "the OCSP check of serverCertificateConfig"),
    ];
    match unserved.into_iter().find(|(is_wanted, _)| *is_wanted) {
        Some((_, what)) => Err(refused(DomainConfigurationRefusal::NotImplemented(what))),
        None => Ok(()),
    }
}

/// The answer for what the rules refuse.
pub(super) fn refused(refusal: DomainConfigurationRefusal) -> Error {
    let code = match refusal {
        DomainConfigurationRefusal::TooMany => Code::LimitExceededException,
        _ => Code::InvalidRequestException,
    };
    Error::refused(code, refusal.to_string())
}

/// The answer for a domain configuration that the scope does not have.
pub(super) fn unknown(name: &DomainConfigurationName) -> Error {
    Error::not_found(format!("domain configuration {name} does not exist in this account and Region"))
}

/// The last part of the ARN that a configuration of this name has. It follows from the name, so that a policy is asked
/// about the ARN of what is yet to be made.
pub(super) fn arn_id(scope: Scope, name: &DomainConfigurationName) -> String {
    const DIGITS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let hash = digest(&SHA256, format!("{scope}/{name}").as_bytes());
    let digits = hash.as_ref().iter().take(ARN_ID_DIGITS);
    digits.map(|byte| char::from(DIGITS.get(usize::from(*byte) % DIGITS.len()).copied().unwrap_or(b'a'))).collect()
}

/// The ARN of the domain configuration `name`.
pub(super) fn arn(scope: Scope, name: &DomainConfigurationName) -> Arn {
    let resource = match endpoint_type(name) {
        Some(_) => format!("domainconfiguration/{name}"),
        None => format!("domainconfiguration/{name}/{}", arn_id(scope, name)),
    };
    Arn { scope, resource: Resource::Other(resource) }
}

/// The name in an ARN's resource, if it is that of a domain configuration other than an endpoint.
pub(super) fn name_in(resource: &str) -> Option<DomainConfigurationName> {
    let (name, _) = resource.strip_prefix("domainconfiguration/")?.split_once('/')?;
    name.parse().ok()
}

/// The endpoint that every account has under this name.
pub(super) fn endpoint_type(name: &DomainConfigurationName) -> Option<EndpointType> {
    name.as_str().parse().ok()
}

/// What an endpoint serves.
pub(super) const fn service_type(endpoint: EndpointType) -> ServiceType {
    match endpoint {
        EndpointType::DataAts | EndpointType::Data => ServiceType::Data,
        EndpointType::Jobs => ServiceType::Jobs,
        EndpointType::CredentialProvider => ServiceType::CredentialProvider,
    }
}

/// The scope's record of `name`.
pub(super) async fn find(call: &Call, name: &DomainConfigurationName) -> Result<DomainConfigurationRecord, Error> {
    call.store().domain_configuration(call.scope, name).await?.ok_or_else(|| unknown(name))
}

/// The host name of an endpoint of the scope. Made at the first call, stable from then on.
pub(super) async fn endpoint_host(call: &Call, endpoint_type: EndpointType) -> Result<String, Error> {
    let prefix = match call.store().endpoint_prefix(call.scope).await? {
        Some(prefix) => prefix,
        None => {
            let prefix = EndpointPrefix::from_random(random()?);
            let mut batch = Batch::new();
            batch.insert_endpoint_prefix(call.scope, &prefix);
            call.commit(batch).await?;
            prefix
        }
    };
    let name = EndpointName { endpoint_type, prefix, region: call.scope.region };
    Ok(name.host(&call.house.domain))
}

/// A new host name under the deployment's own domain. The label is longer than any that stands for a scope.
pub(super) fn managed_host(call: &Call) -> Result<HostName, Error> {
    let letters = [EndpointPrefix::from_random(random()?), EndpointPrefix::from_random(random()?)];
    let letters = letters.iter().flat_map(|prefix| prefix.as_str().chars()).take(MANAGED_LABEL);
    let label: String = std::iter::once('d').chain(letters).collect();
    let internal = |error: String| Error::Internal(format!("a managed domain: {error}"));
    let prefix = label.parse().map_err(|_| internal(format!("{label} is no label")))?;
    let name = EndpointName { endpoint_type: EndpointType::DataAts, prefix, region: call.scope.region };
    let host = name.host(&call.house.domain);
    host.parse().map_err(|error| internal(format!("{error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_its_configuration() {
        let scope = Scope::new("123456789012".parse().unwrap(), "us-east-1".parse().unwrap());
        let name: DomainConfigurationName = "fleet.v1".parse().unwrap();
        let arn = arn(scope, &name);
        let Resource::Other(resource) = &arn.resource else { panic!("{arn}") };
        assert_eq!(name_in(resource), Some(name.clone()));
        assert_eq!(arn_id(scope, &name).len(), 5);
        let elsewhere = Scope::new("210987654321".parse().unwrap(), scope.region);
        assert_ne!(arn_id(elsewhere, &name), arn_id(scope, &name));
        let endpoint = super::arn(scope, &"iot:Data-ATS".parse().unwrap());
        assert_eq!(endpoint.to_string(), "arn:aws:iot:us-east-1:123456789012:domainconfiguration/iot:Data-ATS");
        assert_eq!(name_in("domainconfiguration/iot:Data-ATS"), None);
    }
}
