//! Step 4a: just-in-time registration and provisioning. A device with an unknown certificate has sent CONNECT at a named
//! endpoint; when an ACTIVE, auto-registering CA of the scope has signed the certificate, it is registered as
//! PENDING_ACTIVATION, and the event that an operator waits for is published: now, and at each further CONNECT while it is
//! pending. When the CA has a provisioning template, that is carried out as well: now, and again at each further CONNECT
//! until it succeeds. The connection ends in either case. A mere handshake registers nothing.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_broker::{Broker, Message};
use gatehouse_control::call::House;
use gatehouse_control::certificates::NewCertificate;
use gatehouse_control::provisioning::just_in_time::JustInTimeProvisioning;
use gatehouse_domain::admission::Registration;
use gatehouse_domain::ca::{AutoRegistered, FirstContact, auto_register};
use gatehouse_domain::certificate::{CertificateId, CertificateStatus};
use gatehouse_domain::fleet_provisioning::FleetError;
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::{Clock, Timestamp};
use gatehouse_domain::topic::TopicName;
use gatehouse_mqtt::{MessageProperties, Qos};
use gatehouse_pki::ca::CaCertificate;
use gatehouse_pki::certificate::Certificate;
use gatehouse_pki::chain::PresentedChain;
use gatehouse_store::{Batch, CaCertificateRecord, Store};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::metrics::Metrics;
use crate::report::{Reporter, Unprovisioned};

/// Signatures verified at once on behalf of strangers; a DSA signature takes tens of milliseconds.
const VERIFIED_AT_ONCE: usize = 2;

/// Registers certificates of auto-registering CAs when their devices turn up.
pub(crate) struct JustInTime {
    store: Store,
    broker: Broker,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    reporter: Arc<Reporter>,
    provisioning: JustInTimeProvisioning,
    verifying: Semaphore,
}

/// A device's attempt to connect that was turned away.
#[derive(Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) scope: Scope,
    pub(crate) client_id: &'a str,
    pub(crate) refusal: Refusal,
}

/// A certificate that waits, and the CA that vouches for it.
struct Waiting {
    status: CertificateStatus,
    /// `None` when the CA would not register it today, or somebody else was at it.
    ca: Option<Box<CaCertificateRecord>>,
}

impl JustInTime {
    pub(crate) fn new(house: &Arc<House>, broker: Broker, metrics: Arc<Metrics>, reporter: Arc<Reporter>) -> Self {
        Self {
            store: house.store.clone(),
            broker,
            clock: Arc::clone(&house.clock),
            metrics,
            reporter,
            provisioning: JustInTimeProvisioning::new(Arc::clone(house)),
            verifying: Semaphore::new(VERIFIED_AT_ONCE),
        }
    }

    /// A device that was turned away at a named endpoint has sent CONNECT. Answers the refusal that stands now, and what
    /// there is to say beyond it.
    pub(crate) async fn connect_attempted(
        &self,
        attempt: Attempt<'_>,
        presented: Vec<Vec<u8>>,
    ) -> (Refusal, Option<String>) {
        let Attempt { scope, refusal, .. } = attempt;
        let Ok(chain) = PresentedChain::from_der(presented.iter().map(Vec::as_slice)) else { return (refusal, None) };
        let certificate = chain.device().clone();
        let outcome = match refusal {
            Refusal::NotRegistered => self.register(scope, chain).await,
            Refusal::Status(CertificateStatus::PendingActivation) => self.announce_again(scope, certificate.id()).await,
            _ => return (refusal, None),
        };
        match outcome {
            Ok(None) => (refusal, None),
            Ok(Some(Waiting { status, ca: None })) => (Refusal::Status(status), None),
            Ok(Some(Waiting { status, ca: Some(ca) })) => {
                let provisioned = self.provision(&ca, &certificate, attempt).await;
                provisioned.unwrap_or((Refusal::Status(status), None))
            }
            Err(error) => {
                tracing::error!(%error, %scope, "just-in-time registration failed");
                (Refusal::RegistryUnavailable, None)
            }
        }
    }

    /// Provisions the device by its CA's template; `None` when the CA has none.
    async fn provision(
        &self,
        ca: &CaCertificateRecord,
        certificate: &Certificate,
        attempt: Attempt<'_>,
    ) -> Option<(Refusal, Option<String>)> {
        const OPERATION: &str = "ProvisionDevice";
        let (scope, certificate_id) = (attempt.scope, certificate.id());
        let outcome = self.provisioning.provision(ca, certificate, attempt.client_id).await?;
        let failure = match outcome {
            Ok(()) => {
                self.metrics.provisioned(OPERATION, "Accepted");
                tracing::info!(event_type = OPERATION, status = "Success", %scope, %certificate_id, "provisioned just in time");
                return Some((Refusal::JustProvisioned, None));
            }
            Err(failure) => failure,
        };
        // The same device on another connection may have been faster.
        let record = self.store.certificate(scope, certificate_id).await.ok().flatten();
        match record.map(|record| record.status) {
            Some(CertificateStatus::Active) => return Some((Refusal::JustProvisioned, None)),
            Some(CertificateStatus::PendingActivation) | None => {}
            Some(status) => return Some((Refusal::Status(status), None)),
        }
        self.metrics.provisioned(OPERATION, failure.kind.as_str());
        let unprovisioned = Unprovisioned {
            event_type: OPERATION,
            failure: &failure,
            topic: None,
            principal: &certificate_id.to_string(),
            scope,
            client_id: attempt.client_id,
        };
        self.reporter.not_provisioned(&unprovisioned, self.clock.now());
        let refusal = match failure.kind {
            FleetError::ServiceUnavailable | FleetError::InternalError => Refusal::RegistryUnavailable,
            FleetError::Throttling => Refusal::Throttled,
            _ => Refusal::ProvisioningFailed,
        };
        Some((refusal, Some(failure.message)))
    }

    /// Registers the device's certificate if a CA vouches for it.
    async fn register(&self, scope: Scope, chain: PresentedChain) -> Result<Option<Waiting>, gatehouse_store::Error> {
        let now = self.clock.now();
        let candidates = self.store.ca_certificates_by_subject(scope, chain.device().issuer_sha256()).await?;
        if candidates.is_empty() {
            return Ok(None);
        }
        let device = chain.device();
        let contact =
            FirstContact { endpoint_named: true, not_before: device.not_before(), not_after: device.not_after() };
        // A CA renewed with its key is several records: one that is switched off does not stand before one that is not.
        let (willing, others): (Vec<_>, Vec<_>) =
            candidates.into_iter().partition(|(ca, _)| auto_register(&ca.issuer(), &contact, now).is_ok());
        let candidates = if willing.is_empty() { others } else { willing };
        let certificate_id = device.id();
        let Some((ca, chain)) = self.signer(scope, chain, candidates, now).await else { return Ok(None) };
        let device = chain.device();
        let AutoRegistered { status, mode } = match auto_register(&ca.issuer(), &contact, now) {
            Ok(registered) => registered,
            Err(refusal) => {
                self.reporter.not_registered(scope, certificate_id, &refusal.to_string(), now);
                return Ok(None);
            }
        };
        let registration =
            Registration { status, mode, not_before: device.not_before(), not_after: device.not_after() };
        let new = NewCertificate::of_ca(ca.clone(), certificate_id, device.to_pem(), registration, now);
        let Ok(new) = new else { return Ok(None) };
        let mut batch = Batch::new();
        new.register(&mut batch);
        // Verifying took a while: the change log gets the time of the commit.
        match self.store.commit(batch, self.clock.now()).await {
            Ok(()) => {
                tracing::info!(
                    %scope, %certificate_id, ca_certificate_id = %ca.certificate_id, "certificate registered just in time"
                );
                self.publish(scope, certificate_id, ca.certificate_id, None);
                Ok(Some(Waiting { status, ca: Some(Box::new(ca)) }))
            }
            // Somebody else was first: the same device on another connection, or the certificate belongs to another
            // account in DEFAULT mode.
            Err(gatehouse_store::Error::Conflict) => {
                if let Some(waiting) = self.announce_again(scope, certificate_id).await? {
                    return Ok(Some(waiting));
                }
                let record = self.store.certificate(scope, certificate_id).await?;
                let status = record.map(|record| record.status).filter(|status| *status != CertificateStatus::Active);
                Ok(status.map(|status| Waiting { status, ca: None }))
            }
            Err(error) => Err(error),
        }
    }

    /// The registered CA that signed the device's certificate.
    async fn signer(
        &self,
        scope: Scope,
        chain: PresentedChain,
        candidates: Vec<(CaCertificateRecord, String)>,
        now: Timestamp,
    ) -> Option<(CaCertificateRecord, PresentedChain)> {
        let _turn = self.verifying.acquire().await.ok()?;
        let reporter = Arc::clone(&self.reporter);
        tokio::task::spawn_blocking(move || {
            let authorities: Vec<CaCertificate> =
                candidates.iter().filter_map(|(_, pem)| CaCertificate::from_registered(pem).ok()).collect();
            let id = match chain.signer(&authorities, now) {
                Ok(ca) => ca.id(),
                Err(refusal) => {
                    reporter.not_registered(scope, chain.device().id(), &refusal.to_string(), now);
                    return None;
                }
            };
            let record = candidates.into_iter().map(|(record, _)| record).find(|record| record.certificate_id == id)?;
            Some((record, chain))
        })
        .await
        .ok()?
    }

    /// Tells the event again, as long as the certificate waits and its CA would register it today. One that a certificate
    /// provider had signed for fleet provisioning waits for that instead, and for what its template asks.
    async fn announce_again(&self, scope: Scope, id: CertificateId) -> Result<Option<Waiting>, gatehouse_store::Error> {
        let Some(record) = self.store.certificate(scope, id).await? else { return Ok(None) };
        let (status @ CertificateStatus::PendingActivation, Some(ca_id)) = (record.status, record.ca_certificate_id)
        else {
            return Ok(None);
        };
        if self.store.unclaimed_certificate(scope, id).await?.is_some() {
            return Ok(None);
        }
        let Some(ca) = self.store.ca_certificate(scope, ca_id).await? else { return Ok(None) };
        let contact = FirstContact { endpoint_named: true, not_before: record.not_before, not_after: record.not_after };
        if auto_register(&ca.issuer(), &contact, self.clock.now()).is_err() {
            return Ok(None);
        }
        self.publish(scope, id, ca_id, Some(record.created_at));
        Ok(Some(Waiting { status, ca: Some(Box::new(ca)) }))
    }

    /// The event of developer guide, "Just-in-time registration". The registration's time is null in the first one and
    /// a string of milliseconds in later ones, as AWS was seen to send.
    fn publish(&self, scope: Scope, id: CertificateId, ca_id: CertificateId, registered_at: Option<Timestamp>) {
        let now = self.clock.now();
        let payload = json!({
            "certificateId": id,
            "caCertificateId": ca_id,
            "timestamp": now.as_millis(),
            "certificateStatus": CertificateStatus::PendingActivation,
            "awsAccountId": scope.account,
            "certificateRegistrationTimestamp":
                registered_at.map_or(Value::Null, |at| Value::String(at.as_millis().to_string())),
        });
        let Ok(topic) = TopicName::parse(&format!("$aws/events/certificates/registered/{ca_id}")) else { return };
        let message = Message {
            topic,
            payload: Bytes::from(payload.to_string()),
            qos: Qos::AtLeastOnce,
            properties: MessageProperties::NONE,
            published_at: now,
            retain: false,
        };
        self.broker.publish(scope, &Arc::new(message));
    }
}
