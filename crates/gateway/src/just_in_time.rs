//! Step 4a: just-in-time registration. A device with an unknown certificate has sent CONNECT at a named endpoint; when an
//! ACTIVE, auto-registering CA of the scope has signed the certificate, it is registered as PENDING_ACTIVATION, and the
//! event that an operator waits for is published: now, and at each further CONNECT while it is pending. The connection
//! ends in either case. A mere handshake registers nothing.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_broker::{Broker, Message};
use gatehouse_control::random::uuid;
use gatehouse_domain::admission::Registration;
use gatehouse_domain::ca::{AutoRegistered, FirstContact, auto_register};
use gatehouse_domain::certificate::{CertificateId, CertificateStatus};
use gatehouse_domain::event::Event;
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::{Clock, Timestamp};
use gatehouse_domain::topic::TopicName;
use gatehouse_mqtt::{MessageProperties, Qos};
use gatehouse_pki::ca::CaCertificate;
use gatehouse_pki::chain::PresentedChain;
use gatehouse_store::{Batch, CaCertificateRecord, CertificateRecord, Store};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// Signatures verified at once on behalf of strangers; a DSA signature takes tens of milliseconds.
const VERIFIED_AT_ONCE: usize = 2;

/// Registers certificates of auto-registering CAs when their devices turn up.
pub(crate) struct JustInTime {
    store: Store,
    broker: Broker,
    clock: Arc<dyn Clock>,
    verifying: Semaphore,
}

impl JustInTime {
    pub(crate) fn new(store: Store, broker: Broker, clock: Arc<dyn Clock>) -> Self {
        Self { store, broker, clock, verifying: Semaphore::new(VERIFIED_AT_ONCE) }
    }

    /// A device that was turned away at a named endpoint of `scope` with `refusal` has sent CONNECT. Answers the refusal
    /// that stands now.
    pub(crate) async fn connect_attempted(&self, scope: Scope, presented: Vec<Vec<u8>>, refusal: Refusal) -> Refusal {
        let Ok(chain) = PresentedChain::from_der(presented.iter().map(Vec::as_slice)) else { return refusal };
        let outcome = match refusal {
            Refusal::NotRegistered => self.register(scope, chain).await,
            Refusal::Status(CertificateStatus::PendingActivation) => {
                self.announce_again(scope, chain.device().id()).await.map(|()| None)
            }
            _ => return refusal,
        };
        match outcome {
            Ok(status) => status.map_or(refusal, Refusal::Status),
            Err(error) => {
                tracing::error!(%error, %scope, "just-in-time registration failed");
                Refusal::RegistryUnavailable
            }
        }
    }

    /// Registers the device's certificate if a CA vouches for it; answers the status it has then.
    async fn register(
        &self,
        scope: Scope,
        chain: PresentedChain,
    ) -> Result<Option<CertificateStatus>, gatehouse_store::Error> {
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
                tracing::info!(%scope, %certificate_id, details = %refusal, "not registered just in time");
                return Ok(None);
            }
        };
        let Ok(generation_id) = uuid() else { return Ok(None) };

        let registration =
            Registration { status, mode, not_before: device.not_before(), not_after: device.not_after() };
        let record = CertificateRecord {
            ca_certificate_id: Some(ca.certificate_id),
            ..CertificateRecord::new(scope, certificate_id, registration, generation_id, now)
        };
        let mut batch = Batch::new();
        // Switched off or deleted meanwhile, the CA vouches for nobody.
        batch.require_ca_certificate(&ca);
        batch.insert_certificate(&record, &device.to_pem());
        batch.announce(Event::Certificate { scope, certificate_id });
        // Verifying took a while: the change log gets the time of the commit.
        match self.store.commit(batch, self.clock.now()).await {
            Ok(()) => {
                tracing::info!(
                    %scope, %certificate_id, ca_certificate_id = %ca.certificate_id, "certificate registered just in time"
                );
                self.publish(scope, certificate_id, ca.certificate_id, None);
                Ok(Some(status))
            }
            // Somebody else was first: the same device on another connection, or the certificate belongs to another
            // account in DEFAULT mode.
            Err(gatehouse_store::Error::Conflict) => {
                self.announce_again(scope, certificate_id).await?;
                let record = self.store.certificate(scope, certificate_id).await?;
                Ok(record.map(|record| record.status).filter(|status| *status != CertificateStatus::Active))
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
        tokio::task::spawn_blocking(move || {
            let authorities: Vec<CaCertificate> =
                candidates.iter().filter_map(|(_, pem)| CaCertificate::from_registered(pem).ok()).collect();
            let id = match chain.signer(&authorities, now) {
                Ok(ca) => ca.id(),
                Err(refusal) => {
                    let certificate_id = chain.device().id();
                    tracing::info!(%scope, %certificate_id, details = %refusal, "not registered just in time");
                    return None;
                }
            };
            let record = candidates.into_iter().map(|(record, _)| record).find(|record| record.certificate_id == id)?;
            Some((record, chain))
        })
        .await
        .ok()?
    }

    async fn announce_again(&self, scope: Scope, id: CertificateId) -> Result<(), gatehouse_store::Error> {
        let Some(record) = self.store.certificate(scope, id).await? else { return Ok(()) };
        let (CertificateStatus::PendingActivation, Some(ca_id)) = (record.status, record.ca_certificate_id) else {
            return Ok(());
        };
        // Only as long as the CA would register the certificate today.
        let Some(ca) = self.store.ca_certificate(scope, ca_id).await? else { return Ok(()) };
        let contact = FirstContact { endpoint_named: true, not_before: record.not_before, not_after: record.not_after };
        if auto_register(&ca.issuer(), &contact, self.clock.now()).is_ok() {
            self.publish(scope, id, ca_id, Some(record.created_at));
        }
        Ok(())
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
