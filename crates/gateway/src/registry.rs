//! The gateway's view of the registry. Records are read fresh from the store; policies and things, which many
//! connections share, and how handshakes go, are read once and kept for as long as they are in force.

use std::sync::Arc;

use gatehouse_control::verifier;
use gatehouse_domain::admission::Registration;
use gatehouse_domain::certificate::{CertificateId, CertificateMode, CertificateStatus};
use gatehouse_domain::endpoint::{EndpointPrefix, EndpointType};
use gatehouse_domain::event::Event;
use gatehouse_domain::host_name::HostName;
use gatehouse_domain::name::{DomainConfigurationName, PolicyName, ProvisioningTemplateName, ThingName};
use gatehouse_domain::policy::{PolicyDocument, ThingFacts};
use gatehouse_domain::provisioning_template::claim_policy;
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::security_policy::SecurityPolicy;
use gatehouse_domain::time::Timestamp;
use gatehouse_store::{
    AccessKeyRecord, AdmissionRecord, DomainConfigurationRecord, InheritedPolicies, Store, ThingAttachment,
};

use crate::endpoint::Served;
use crate::in_force::{Before, Current, InForce};

/// Parsed policies kept although nobody stands on them.
const POLICIES: usize = 20_000;
/// Things kept although nobody stands on them.
const THINGS: usize = 1_000;
/// Endpoints whose security policy is kept.
const ENDPOINTS: usize = 20_000;
/// Domain configurations kept.
const DOMAINS: usize = 5_000;
/// Policies of claims kept although nobody stands on them.
const CLAIM_POLICIES: usize = 1_000;
/// Names kept that nobody has configured. Apart from the others, as anybody can make them up.
const STRANGE_NAMES: usize = 1_000;

/// The registry as the gateway reads it.
pub(crate) struct Registry {
    store: Store,
    policies: InForce<(Scope, PolicyName), PolicyDocument>,
    things: InForce<(Scope, ThingName), Thing>,
    endpoints: InForce<(Scope, EndpointType), SecurityPolicy>,
    domains: InForce<HostName, Served>,
    strange_names: InForce<HostName, ()>,
    /// What claims may do, by their templates: as long as the template stays as it is, so do the claims.
    claims: InForce<(Scope, ProvisioningTemplateName), PolicyDocument>,
}

/// A certificate as the gate sees it.
pub(crate) struct Record {
    pub(crate) scope: Scope,
    pub(crate) certificate_id: CertificateId,
    pub(crate) registration: Registration,
    /// What its holder's permissions stand on.
    pub(crate) holder: Holder,
}

/// Whose certificate it is.
pub(crate) enum Holder {
    /// A device's, with the policies and things that are attached to it.
    Device { policies: Vec<PolicyName>, things: Vec<ThingAttachment> },
    /// A claim, with what it may do: for a few minutes, whoever is to be provisioned by its template has it.
    Claim(Arc<Current<PolicyDocument>>),
}

impl From<AdmissionRecord> for Record {
    fn from(record: AdmissionRecord) -> Self {
        let AdmissionRecord { certificate, policies, things } = record;
        Self {
            scope: certificate.scope,
            certificate_id: certificate.certificate_id,
            registration: certificate.registration(),
            holder: Holder::Device { policies, things },
        }
    }
}

/// A thing as permissions see it.
pub(crate) struct Thing {
    /// What policies may ask of it.
    pub(crate) facts: ThingFacts,
    /// What it gets from its groups.
    pub(crate) inherited: InheritedPolicies,
}

impl Registry {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            policies: InForce::new(POLICIES),
            things: InForce::new(THINGS),
            endpoints: InForce::new(ENDPOINTS),
            domains: InForce::new(DOMAINS),
            strange_names: InForce::new(STRANGE_NAMES),
            claims: InForce::new(CLAIM_POLICIES),
        }
    }

    /// The certificate's record in `scope`, with what is attached to it, as committed now.
    pub(crate) async fn admission(&self, scope: Scope, id: CertificateId) -> Result<Option<Record>, Refusal> {
        let registered = self.store.admission(scope, id).await.map_err(|error| unavailable(&error))?;
        if let Some(record) = registered {
            return Ok(Some(record.into()));
        }
        self.claim(scope, id).await
    }

    /// The claim that the certificate is in `scope`. What it may do is superseded when its template changes: claims end with
    /// their template.
    async fn claim(&self, scope: Scope, id: CertificateId) -> Result<Option<Record>, Refusal> {
        let before = self.claims.before_reading();
        let claim = self.store.provisioning_claim(scope, id).await.map_err(|error| unavailable(&error))?;
        let Some(claim) = claim else { return Ok(None) };
        let registration = Registration {
            status: CertificateStatus::Active,
            // It means something in its own scope alone, which the endpoint names.
            mode: CertificateMode::SniOnly,
            not_before: claim.not_before,
            not_after: claim.not_after,
        };
        let policy = self.claim_policy(scope, claim.template_name, before)?;
        Ok(Some(Record { scope, certificate_id: id, registration, holder: Holder::Claim(policy) }))
    }

    fn claim_policy(
        &self,
        scope: Scope,
        template_name: ProvisioningTemplateName,
        before: Before,
    ) -> Result<Arc<Current<PolicyDocument>>, Refusal> {
        let key = (scope, template_name);
        if let Some(policy) = self.claims.get(&key) {
            return Ok(policy);
        }
        let document = PolicyDocument::parse(&claim_policy(scope, &key.1)).map_err(|error| {
            tracing::error!(%scope, template = %key.1, %error, "the policy of a claim cannot be read");
            Refusal::RegistryUnavailable
        })?;
        Ok(self.claims.put(key, document, before))
    }

    /// The access key, as committed now.
    ///
    /// # Errors
    /// `AccessKey` when it is gone or expired, `RegistryUnavailable`.
    pub(crate) async fn access_key(&self, scope: Scope, id: &str, now: Timestamp) -> Result<AccessKeyRecord, Refusal> {
        let record = self.store.access_key(id).await.map_err(|error| unavailable(&error))?;
        record
            .filter(|record| record.account == scope.account && verifier::is_good(record, now))
            .ok_or(Refusal::AccessKey)
    }

    /// Where the certificate is registered.
    pub(crate) async fn scopes_of(&self, id: CertificateId) -> Result<Vec<(Scope, CertificateMode)>, Refusal> {
        self.store.certificate_scopes(id).await.map_err(|error| unavailable(&error))
    }

    /// Whose endpoints bear `prefix`.
    pub(crate) async fn scope_of_prefix(&self, prefix: &EndpointPrefix) -> Result<Option<Scope>, Refusal> {
        self.store.scope_of_prefix(prefix).await.map_err(|error| unavailable(&error))
    }

    /// A thing as permissions see it.
    pub(crate) async fn thing(&self, scope: Scope, name: &ThingName) -> Result<Option<Arc<Current<Thing>>>, Refusal> {
        let key = (scope, name.clone());
        if let Some(thing) = self.things.get(&key) {
            return Ok(Some(thing));
        }
        let before = self.things.before_reading();
        let stored = self.stored_thing(scope, name).await.map_err(|error| unavailable(&error))?;
        Ok(stored.map(|thing| self.things.put(key, thing, before)))
    }

    async fn stored_thing(&self, scope: Scope, name: &ThingName) -> Result<Option<Thing>, gatehouse_store::Error> {
        let Some(thing) = self.store.thing(scope, name).await? else { return Ok(None) };
        let inherited = self.store.inherited_policies(scope, name).await?.unwrap_or_default();
        Ok(Some(Thing { facts: thing.facts(), inherited }))
    }

    /// The documents in force of the policies `names`. One that was deleted meanwhile is left out: deleting needs it
    /// detached, and detaching makes the connection look again.
    pub(crate) async fn policies(
        &self,
        scope: Scope,
        names: Vec<PolicyName>,
    ) -> Result<Box<[Arc<Current<PolicyDocument>>]>, Refusal> {
        let mut documents = Vec::with_capacity(names.len());
        for name in names {
            documents.extend(self.policy(scope, name).await?);
        }
        Ok(documents.into_boxed_slice())
    }

    async fn policy(&self, scope: Scope, name: PolicyName) -> Result<Option<Arc<Current<PolicyDocument>>>, Refusal> {
        let key = (scope, name);
        if let Some(document) = self.policies.get(&key) {
            return Ok(Some(document));
        }
        let before = self.policies.before_reading();
        let stored = self.store.default_policy_document(scope, &key.1).await.map_err(|error| unavailable(&error))?;
        let Some((_, text)) = stored else { return Ok(None) };
        // A document that cannot be read might have denied something: nobody passes on the strength of the others.
        let document = PolicyDocument::parse(&text).map_err(|error| {
            tracing::error!(%scope, policy = %key.1, %error, "a stored policy cannot be read");
            Refusal::RegistryUnavailable
        })?;
        Ok(Some(self.policies.put(key, document, before)))
    }

    /// The domain configuration that serves `host`, as committed now.
    pub(crate) async fn domain_configuration(
        &self,
        host: &HostName,
    ) -> Result<Option<DomainConfigurationRecord>, Refusal> {
        self.store.domain_configuration_of_host(host).await.map_err(|error| unavailable(&error))
    }

    /// Which TLS an endpoint of `scope` speaks.
    pub(crate) async fn endpoint_policy(
        &self,
        scope: Scope,
        endpoint_type: EndpointType,
    ) -> Result<SecurityPolicy, Refusal> {
        let key = (scope, endpoint_type);
        if let Some(policy) = self.endpoints.get(&key) {
            return Ok(**policy);
        }
        let before = self.endpoints.before_reading();
        let Ok(name) = endpoint_type.as_str().parse::<DomainConfigurationName>() else { return Ok(Default::default()) };
        let stored = self.store.domain_configuration(scope, &name).await.map_err(|error| unavailable(&error))?;
        let policy = stored.map_or_else(SecurityPolicy::default, |record| record.security_policy);
        Ok(**self.endpoints.put(key, policy, before))
    }

    /// How handshakes go under `host`, if that has been looked up already.
    pub(crate) fn known_domain(&self, host: &HostName) -> Option<Served> {
        let served = self.domains.get(host).map(|served| Served::clone(&served));
        served.or_else(|| self.strange_names.get(host).map(|_| Served::default()))
    }

    /// How handshakes go under `host`, which is no endpoint's. `keeps_strange` says whether it is kept that nobody has
    /// configured it.
    pub(crate) async fn served_domain(&self, host: HostName, keeps_strange: bool) -> Result<Served, Refusal> {
        let (before, before_strange) = (self.domains.before_reading(), self.strange_names.before_reading());
        match self.domain_configuration(&host).await? {
            Some(record) => {
                let DomainConfigurationRecord { security_policy: policy, access, server_certificate_arn, .. } = record;
                let served = Served { policy, access, certificate: server_certificate_arn };
                Ok(Served::clone(&self.domains.put(host, served, before)))
            }
            None => {
                if keeps_strange {
                    let _kept = self.strange_names.put(host, (), before_strange);
                }
                Ok(Served::default())
            }
        }
    }

    /// Forgets what `event` has made old.
    pub(crate) fn forget(&self, event: &Event) {
        match event {
            Event::Policy { scope, policy_name } => self.policies.supersede(&(*scope, policy_name.clone())),
            Event::Thing { scope, thing_name } => self.things.supersede(&(*scope, thing_name.clone())),
            Event::DomainConfiguration { scope, name } => match name.as_str().parse() {
                Ok(endpoint_type) => self.endpoints.supersede(&(*scope, endpoint_type)),
                // Its host name is not in the event, and may be one that was looked up in vain.
                Err(_) => {
                    self.domains.supersede_all();
                    self.strange_names.supersede_all();
                }
            },
            Event::ThingGroup { scope, group_name } => {
                self.things.supersede_if(|(of, _), thing| of == scope && thing.inherited.groups.contains(group_name));
            }
            Event::ProvisioningTemplate { scope, template_name } => {
                self.claims.supersede(&(*scope, template_name.clone()));
            }
            Event::Certificate { .. }
            | Event::CertificatePolicies { .. }
            | Event::CertificateThings { .. }
            | Event::AccessKeys { .. } => {}
        }
    }

    /// Forgets everything: the change log was not followed for too long to know what is old.
    pub(crate) fn forget_all(&self) {
        self.policies.supersede_all();
        self.things.supersede_all();
        self.endpoints.supersede_all();
        self.domains.supersede_all();
        self.strange_names.supersede_all();
        self.claims.supersede_all();
    }
}

fn unavailable(error: &gatehouse_store::Error) -> Refusal {
    tracing::error!(%error, "the registry cannot be read");
    Refusal::RegistryUnavailable
}
