//! Step 4a: just-in-time registration. A device with an unknown certificate has sent CONNECT at a named endpoint; when an
//! ACTIVE, auto-registering CA of the scope has signed the certificate, it is registered as PENDING_ACTIVATION, and the
//! event that an operator waits for is published: now, and at each further CONNECT while it is pending. The connection
//! ends in either case. A mere handshake registers nothing.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_broker::{Broker, Message};
use gatehouse_control::random::uuid;
use gatehouse_domain::ca::{CaStatus, auto_registers};
use gatehouse_domain::certificate::{CertificateId, CertificateStatus};
use gatehouse_domain::event::Event;
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::{Clock, Timestamp};
use gatehouse_domain::topic::TopicName;
use gatehouse_mqtt::{MessageProperties, Qos};
use gatehouse_pki::ca::CaCertificate;
use gatehouse_pki::certificate::Certificate;
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

    /// A device that was turned away with `refusal` has sent CONNECT. Answers the refusal that stands now.
    pub(crate) async fn connect_attempted(&self, scope: Scope, certificate: &Certificate, refusal: Refusal) -> Refusal {
        match refusal {
            Refusal::NotRegistered => match self.register(scope, certificate).await {
                Ok(true) => Refusal::Status(CertificateStatus::PendingActivation),
                Ok(false) => refusal,
                Err(error) => {
                    tracing::error!(%error, %scope, "just-in-time registration failed");
                    Refusal::RegistryUnavailable
                }
            },
            Refusal::Status(CertificateStatus::PendingActivation) => {
                if let Err(error) = self.announce_again(scope, certificate.id()).await {
                    tracing::error!(%error, %scope, "a pending certificate cannot be announced");
                }
                refusal
            }
            _ => refusal,
        }
    }

    async fn register(&self, scope: Scope, certificate: &Certificate) -> Result<bool, gatehouse_store::Error> {
        let now = self.clock.now();
        let candidates = self.store.ca_certificates_by_subject(scope, certificate.issuer_sha256()).await?;
        let candidates: Vec<_> = candidates
            .into_iter()
            .filter(|(ca, _)| auto_registers(ca.status, ca.auto_registration) && is_valid(ca, now))
            .collect();
        if candidates.is_empty() || certificate.check_registrable(now).is_err() {
            return Ok(false);
        }
        let Some(ca) = self.signer(certificate.clone(), candidates).await else { return Ok(false) };
        let Ok(generation_id) = uuid() else { return Ok(false) };

        let certificate_id = certificate.id();
        let record = CertificateRecord {
            scope,
            certificate_id,
            status: CertificateStatus::PendingActivation,
            mode: ca.mode,
            ca_certificate_id: Some(ca.certificate_id),
            previous_owned_by: None,
            generation_id,
            customer_version: 1,
            created_at: now,
            last_modified_at: now,
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            policy_count: 0,
            thing_count: 0,
        };
        let mut batch = Batch::new();
        batch.insert_certificate(&record, &certificate.to_pem());
        batch.announce(Event::Certificate { scope, certificate_id });
        match self.store.commit(batch, now).await {
            Ok(()) => {
                tracing::info!(%scope, %certificate_id, ca_certificate_id = %ca.certificate_id, "certificate registered just in time");
                self.publish(scope, certificate_id, ca.certificate_id, None);
                Ok(true)
            }
            // Somebody else was first: the same device on another connection, or the certificate belongs to another
            // account in DEFAULT mode.
            Err(gatehouse_store::Error::Conflict) => {
                self.announce_again(scope, certificate_id).await?;
                let record = self.store.certificate(scope, certificate_id).await?;
                Ok(record.is_some_and(|record| record.status == CertificateStatus::PendingActivation))
            }
            Err(error) => Err(error),
        }
    }

    /// The first candidate whose key signed the certificate.
    async fn signer(
        &self,
        certificate: Certificate,
        candidates: Vec<(CaCertificateRecord, String)>,
    ) -> Option<CaCertificateRecord> {
        let _turn = self.verifying.acquire().await.ok()?;
        tokio::task::spawn_blocking(move || {
            candidates.into_iter().find_map(|(record, pem)| {
                let ca = CaCertificate::from_registered(&pem).ok()?;
                ca.has_issued(&certificate).ok().map(|()| record)
            })
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
        let ca = self.store.ca_certificate(scope, ca_id).await?;
        if ca.is_some_and(|ca| auto_registers(ca.status, ca.auto_registration)) {
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
        };
        self.broker.publish(scope, &Arc::new(message));
    }
}

fn is_valid(ca: &CaCertificateRecord, now: Timestamp) -> bool {
    ca.status == CaStatus::Active && now >= ca.not_before && now.as_secs() <= ca.not_after.as_secs()
}
