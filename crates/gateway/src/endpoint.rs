//! Step 3: the host name of the ClientHello picks the endpoint: whose devices are these, and what is served.

use std::sync::Arc;

use gatehouse_domain::certificate::{CertificateId, CertificateMode};
use gatehouse_domain::domain_configuration::{Access, DomainConfigurationStatus, Entrance, ServerCertificateArn};
use gatehouse_domain::endpoint::{EndpointName, EndpointType};
use gatehouse_domain::host_name::HostName;
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::security_policy::SecurityPolicy;
use quick_cache::sync::Cache;

use crate::registry::Registry;

/// Host names kept resolved.
const NAMES: usize = 10_000;

/// What a ClientHello must name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SniPolicy {
    /// Some name is needed. One that is no endpoint stands for the single scope that has the certificate in DEFAULT mode.
    Required,
    /// The name of an endpoint is needed.
    Strict,
    /// As `Required`, and no name counts as an unknown one.
    Optional,
}

/// The endpoint a device came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Whose devices.
    pub(crate) scope: Scope,
    /// What is served.
    pub(crate) endpoint_type: EndpointType,
    /// Which ways in it has.
    pub(crate) access: Access,
    /// Whether the ClientHello named it; otherwise the certificate's registration did.
    pub(crate) is_named: bool,
}

impl Endpoint {
    /// One that the ClientHello named, with every way in.
    const fn named(scope: Scope, endpoint_type: EndpointType) -> Self {
        Self { scope, endpoint_type, access: Access::DEFAULT, is_named: true }
    }

    /// Whether MQTT is spoken here by whoever comes in this way.
    pub(crate) const fn serves_mqtt_by(&self, entrance: Entrance) -> bool {
        self.endpoint_type.serves_mqtt() && self.access.lets_in(entrance)
    }
}

/// How the handshake goes under a name. By default as where no name is given, or one that nobody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Served {
    /// Which TLS is spoken.
    pub(crate) policy: SecurityPolicy,
    /// Whether port and ALPN decide what is spoken.
    pub(crate) access: Access,
    /// What is shown, instead of the deployment's own chains.
    pub(crate) certificate: Option<ServerCertificateArn>,
}

/// The endpoints of this deployment.
pub(crate) struct Endpoints {
    registry: Arc<Registry>,
    policy: SniPolicy,
    domain: String,
    /// Whose endpoint `localhost` is, so that a first try needs no DNS.
    first: Scope,
    /// Prefixes never change and never go, so what was found once stays true.
    found: Cache<String, Endpoint>,
}

impl Endpoints {
    pub(crate) fn new(registry: Arc<Registry>, policy: SniPolicy, domain: String, first: Scope) -> Self {
        Self { registry, policy, domain, first, found: Cache::new(NAMES) }
    }

    /// How the handshake goes with whoever asks for `sni`. Kept for as long as it is in force; whether the name is to be
    /// served at all is asked anew at admission.
    ///
    /// # Errors
    /// `RegistryUnavailable`.
    pub(crate) async fn served(&self, sni: Option<&str>) -> Result<Served, Refusal> {
        let Some(host) = sni else { return Ok(Served::default()) };
        if host == "localhost" {
            return self.served_by(self.first, EndpointType::DataAts).await;
        }
        if let Some(Endpoint { scope, endpoint_type, .. }) = self.found.get(host) {
            return self.served_by(scope, endpoint_type).await;
        }
        let host_name = host.parse::<HostName>().ok();
        if let Some(served) = host_name.as_ref().and_then(|host| self.registry.known_domain(host)) {
            return Ok(served);
        }
        if let Some(endpoint) = self.by_prefix(host).await? {
            self.found.insert(host.to_owned(), endpoint);
            return self.served_by(endpoint.scope, endpoint.endpoint_type).await;
        }
        let Some(host_name) = host_name else { return Ok(Served::default()) };
        // What looks like an endpoint may become one: that there is none is not kept.
        let may_come = EndpointName::parse(host, &self.domain).is_some();
        self.registry.served_domain(host_name, !may_come).await
    }

    async fn served_by(&self, scope: Scope, endpoint_type: EndpointType) -> Result<Served, Refusal> {
        let policy = self.registry.endpoint_policy(scope, endpoint_type).await?;
        Ok(Served { policy, ..Served::default() })
    }

    /// The endpoint that `sni` names, or that stands for the holder of `certificate_id`.
    ///
    /// # Errors
    /// `SniMissing`, `SniUnknown`, `SniOnly`, `DomainDisabled`, `NotRegistered`, `RegistryUnavailable`.
    pub(crate) async fn resolve(&self, sni: Option<&str>, certificate_id: CertificateId) -> Result<Endpoint, Refusal> {
        let unknown_name = match (sni, self.policy) {
            (Some(host), policy) => match self.named(host).await? {
                Some(endpoint) => return Ok(endpoint),
                None if policy == SniPolicy::Strict => return Err(Refusal::SniUnknown),
                None => Refusal::SniUnknown,
            },
            (None, SniPolicy::Required | SniPolicy::Strict) => return Err(Refusal::SniMissing),
            (None, SniPolicy::Optional) => Refusal::SniMissing,
        };
        self.by_registration(certificate_id, unknown_name).await
    }

    /// The endpoint of somebody whose scope a verified signature has told.
    ///
    /// # Errors
    /// `SniMissing`, `SniUnknown`, `DomainDisabled`, `ForeignEndpoint`, `RegistryUnavailable`.
    pub(crate) async fn of_caller(&self, sni: Option<&str>, scope: Scope) -> Result<Endpoint, Refusal> {
        let named = match sni {
            Some(host) => self.named(host).await?,
            None => None,
        };
        match (named, sni, self.policy) {
            (Some(endpoint), ..) if endpoint.scope == scope => Ok(endpoint),
            (Some(_), ..) => Err(Refusal::ForeignEndpoint),
            (None, None, SniPolicy::Required | SniPolicy::Strict) => Err(Refusal::SniMissing),
            (None, Some(_), SniPolicy::Strict) => Err(Refusal::SniUnknown),
            (None, ..) => Ok(Endpoint { is_named: false, ..Endpoint::named(scope, EndpointType::DataAts) }),
        }
    }

    async fn named(&self, host: &str) -> Result<Option<Endpoint>, Refusal> {
        if host == "localhost" {
            return Ok(Some(Endpoint::named(self.first, EndpointType::DataAts)));
        }
        if let Some(endpoint) = self.found.get(host) {
            return Ok(Some(endpoint));
        }
        let Some(endpoint) = self.by_prefix(host).await? else { return self.configured(host).await };
        self.found.insert(host.to_owned(), endpoint);
        Ok(Some(endpoint))
    }

    async fn by_prefix(&self, host: &str) -> Result<Option<Endpoint>, Refusal> {
        let Some(name) = EndpointName::parse(host, &self.domain) else { return Ok(None) };
        let Some(scope) = self.registry.scope_of_prefix(&name.prefix).await? else { return Ok(None) };
        Ok((scope.region == name.region).then_some(Endpoint::named(scope, name.endpoint_type)))
    }

    /// The domain configuration of this name. Read anew each time: it can be changed, switched off and taken away.
    async fn configured(&self, host: &str) -> Result<Option<Endpoint>, Refusal> {
        let Ok(host) = host.parse::<HostName>() else { return Ok(None) };
        let Some(record) = self.registry.domain_configuration(&host).await? else { return Ok(None) };
        match record.status {
            DomainConfigurationStatus::Disabled => Err(Refusal::DomainDisabled),
            DomainConfigurationStatus::Enabled => {
                Ok(Some(Endpoint { access: record.access, ..Endpoint::named(record.scope, EndpointType::DataAts) }))
            }
        }
    }

    /// The one scope that has the certificate in DEFAULT mode. An SNI_ONLY registration asks for the full endpoint name,
    /// and so counts for nothing here: else whoever registers a stranger's certificate, which is public, would shut its
    /// owner out.
    async fn by_registration(&self, id: CertificateId, ambiguous: Refusal) -> Result<Endpoint, Refusal> {
        let scope = single_default(&self.registry.scopes_of(id).await?, ambiguous)?;
        Ok(Endpoint { is_named: false, ..Endpoint::named(scope, EndpointType::DataAts) })
    }
}

fn single_default(registrations: &[(Scope, CertificateMode)], ambiguous: Refusal) -> Result<Scope, Refusal> {
    let mut defaults = registrations.iter().filter(|(_, mode)| *mode == CertificateMode::Default);
    match (defaults.next(), defaults.next()) {
        (Some((scope, _)), None) => Ok(*scope),
        (Some(_), Some(_)) => Err(ambiguous),
        (None, _) if registrations.is_empty() => Err(Refusal::NotRegistered),
        (None, _) => Err(Refusal::SniOnly),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatehouse_domain::scope::AccountId;

    #[test]
    fn without_a_name_the_single_default_registration_decides() {
        const D: CertificateMode = CertificateMode::Default;
        const S: CertificateMode = CertificateMode::SniOnly;
        let scope = |account| Scope::new(AccountId::from_number(account), "us-east-1".parse().unwrap());
        let cases = [
            (vec![], Err(Refusal::NotRegistered)),
            (vec![D], Ok(scope(0))),
            (vec![S], Err(Refusal::SniOnly)),
            (vec![S, S], Err(Refusal::SniOnly)),
            (vec![S, D, S], Ok(scope(1))),
            (vec![D, D], Err(Refusal::SniUnknown)),
        ];
        for (modes, outcome) in cases {
            let registrations: Vec<_> = (0..).zip(&modes).map(|(n, mode)| (scope(n), *mode)).collect();
            assert_eq!(single_default(&registrations, Refusal::SniUnknown), outcome, "{modes:?}");
        }
    }
}
