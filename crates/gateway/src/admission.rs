//! Step 3: admission. The handshake has proven who holds the key; the registry and the rule of
//! [`gatehouse_domain::admission`] say whether the holder may pass. The outcome is a [`DeviceIdentity`], which nothing
//! else can make.

use std::sync::Arc;

use gatehouse_broker::Mailbox;
use gatehouse_domain::admission::admit as rule;
use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::domain_configuration::Entrance;
use gatehouse_domain::endpoint::EndpointType;
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::{Clock, Timestamp};
use gatehouse_pki::certificate::Certificate;

use crate::authorization::Rights;
use crate::connections::{Connections, Presence};
use crate::endpoint::{Endpoint, Endpoints};
use crate::principal::{Identity, Principal};
use crate::registry::{Record, Registry};
use crate::tls::{Handshake, Protocol};
use crate::watch::Watch;

/// What admission asks.
pub(crate) struct Admission {
    pub(crate) endpoints: Endpoints,
    pub(crate) registry: Arc<Registry>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A device that was admitted: in possession of the key of a certificate that is registered in the endpoint's scope,
/// ACTIVE and within its validity.
pub(crate) struct DeviceIdentity {
    scope: Scope,
    certificate_id: CertificateId,
    not_after: Timestamp,
    is_named: bool,
    /// Held, not asked: as long as it lives the registry's changes find the device.
    _presence: Presence,
}

impl DeviceIdentity {
    /// Whose device.
    pub(crate) const fn scope(&self) -> Scope {
        self.scope
    }

    /// The certificate.
    pub(crate) const fn certificate_id(&self) -> CertificateId {
        self.certificate_id
    }

    /// Whether the ClientHello named the endpoint.
    pub(crate) const fn is_named(&self) -> bool {
        self.is_named
    }

    /// The last moment of the certificate's validity.
    pub(crate) const fn not_after(&self) -> Timestamp {
        self.not_after
    }
}

/// Admitted, with what was read on the way.
pub(crate) struct Admitted {
    pub(crate) identity: Identity,
    pub(crate) rights: Rights,
    pub(crate) endpoint_type: EndpointType,
}

/// Turned away, with what is known for the report.
pub(crate) struct TurnedAway {
    pub(crate) refusal: Refusal,
    /// What there is to say beyond the refusal.
    pub(crate) details: Option<String>,
    pub(crate) principal: Option<Principal>,
    pub(crate) scope: Option<Scope>,
    /// Whether the ClientHello named an endpoint of that scope.
    pub(crate) is_named: bool,
}

impl TurnedAway {
    /// Somebody of whom nothing is proven.
    pub(crate) const fn stranger(refusal: Refusal) -> Self {
        Self { refusal, details: None, principal: None, scope: None, is_named: false }
    }
}

impl Admission {
    /// Decides about the peer of `handshake`, which is reachable through `mailbox` from here on.
    pub(crate) async fn admit(&self, handshake: &Handshake, mailbox: &Arc<Mailbox>) -> Result<Admitted, TurnedAway> {
        let unknown = TurnedAway::stranger(Refusal::Unreadable);
        let leaf = handshake.presented.first().map(Vec::as_slice).unwrap_or_default();
        let Ok(certificate) = Certificate::from_der(leaf) else { return Err(unknown) };
        let certificate_id = certificate.id();
        let principal = Principal::Certificate(certificate_id);
        let known = TurnedAway { principal: Some(principal.clone()), ..unknown };
        let endpoint = match self.endpoint_of(handshake, certificate_id).await {
            Ok(endpoint) => endpoint,
            Err(refusal) => return Err(TurnedAway { refusal, ..known }),
        };

        // In the index before the record is read: a revocation from here on finds either the read or the entry.
        let presence = self.connections.enter(endpoint.scope, principal, mailbox);
        match self.read_and_judge(endpoint, certificate_id).await {
            Ok(record) => {
                let identity = Identity::Device(DeviceIdentity {
                    scope: endpoint.scope,
                    certificate_id,
                    not_after: record.registration.not_after,
                    is_named: endpoint.is_named,
                    _presence: presence,
                });
                let rights = Rights::Certificate { certificate, record };
                Ok(Admitted { identity, rights, endpoint_type: endpoint.endpoint_type })
            }
            Err(refusal) => {
                Err(TurnedAway { refusal, scope: Some(endpoint.scope), is_named: endpoint.is_named, ..known })
            }
        }
    }

    async fn endpoint_of(&self, handshake: &Handshake, certificate_id: CertificateId) -> Result<Endpoint, Refusal> {
        if !self.watch.is_current() {
            return Err(Refusal::RegistryUnavailable);
        }
        if let Some(refusal) = handshake.unresolved {
            return Err(refusal);
        }
        if let Some(origin) = &handshake.resumed_from
            && origin.as_slice() != handshake.sni.as_deref().unwrap_or_default().as_bytes()
        {
            return Err(Refusal::ForeignSession);
        }
        let endpoint = self.endpoints.resolve(handshake.sni.as_deref(), certificate_id).await?;
        // What HTTPS serves depends on the operation, which is not known yet.
        match handshake.protocol {
            Protocol::Mqtt if !endpoint.serves_mqtt_by(Entrance::Mqtt) => Err(Refusal::WrongEndpoint),
            Protocol::Https if !endpoint.access.lets_in(Entrance::Https) => Err(Refusal::WrongEndpoint),
            Protocol::Mqtt | Protocol::Https | Protocol::Signed => Ok(endpoint),
        }
    }

    async fn read_and_judge(&self, endpoint: Endpoint, id: CertificateId) -> Result<Record, Refusal> {
        let record = self.registry.admission(endpoint.scope, id).await?;
        let registration = record.as_ref().map(|record| record.registration);
        rule(registration.as_ref(), endpoint.is_named, self.clock.now())?;
        record.ok_or(Refusal::NotRegistered)
    }
}
