//! Fleet provisioning: a device that has no certificate of its own yet comes in with a claim, gets a certificate, and
//! registers a thing with it by a template (developer guide, "Provisioning devices that don't have device certificates
//! using fleet provisioning").
//!
//! A certificate is made as PENDING_ACTIVATION and is nobody's: an hour later it is removed, unless a thing has been
//! registered with it. Registering takes the note away that it is nobody's, in the plan's own commit, so that a token
//! serves once.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatehouse_domain::certificate::{CertificateId, CertificateStatus};
use gatehouse_domain::event::Event;
use gatehouse_domain::fleet_provisioning::FleetError;
use gatehouse_domain::limits;
use gatehouse_domain::name::{ProvisioningTemplateName, ThingName};
use gatehouse_domain::provisioning::{Plan, Template};
use gatehouse_domain::provisioning_template::TemplateType;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use gatehouse_store::{Batch, ProvisioningTemplateRecord, Store, UnclaimedCertificate};
use zeroize::Zeroizing;

use super::carry_out::Order;
use super::certificate::waits;
use super::failure::Failure;
use super::hook::Question;
use super::ownership::{self, Ownership};
use super::permit::Permit;
use super::room::Room;
use crate::call::House;
use crate::certificates::NewCertificate;
use crate::certificates::issue::{Asker, Issuing};

/// Provisions the devices of fleets.
pub struct FleetProvisioning {
    house: Arc<House>,
    room: Room,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Requester<'a> {
    /// Whose device.
    pub scope: Scope,
    /// The certificate id of the connection; the access key id of one that has none.
    pub principal: &'a str,
    /// The MQTT client id.
    pub client_id: &'a str,
}

/// A certificate for a device that has still to register a thing.
#[derive(Debug)]
pub struct FreshCertificate {
    /// The certificate.
    pub certificate: NewCertificate,
    /// Shown when a thing is registered with it.
    pub ownership_token: String,
    /// The private key in PEM, when it was made here. It is kept nowhere.
    pub private_key: Option<Zeroizing<String>>,
}

/// A device that is part of the fleet now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The thing, if the template has one.
    pub thing_name: Option<ThingName>,
    /// What the template tells the device.
    pub device_configuration: BTreeMap<String, String>,
}

impl FleetProvisioning {
    /// Provisions in `house`.
    #[must_use]
    pub fn new(house: Arc<House>) -> Self {
        Self { house, room: Room::default() }
    }

    /// CreateKeysAndCertificate: a key pair made here, and a certificate for it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn create_keys_and_certificate(&self, requester: Requester<'_>) -> Result<FreshCertificate, Failure> {
        let _turn = self.room.turn(requester.scope).await?;
        let failed = |error| Failure::of(error, FleetError::InternalError);
        let pair = self.house.key_pairs.take().await.map_err(failed)?;
        let new = self.issuing(requester.scope).to((&pair).into()).await.map_err(failed)?;
        let fresh = self.keep(requester, new).await?;
        Ok(FreshCertificate { private_key: Some(Zeroizing::new(pair.private_pem().to_owned())), ..fresh })
    }

    /// CreateCertificateFromCsr: a certificate for a key that the device has. Takes as long as the scope's certificate
    /// provider, five seconds at most.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn create_certificate_from_csr(
        &self,
        requester: Requester<'_>,
        csr: &str,
    ) -> Result<FreshCertificate, Failure> {
        if csr.chars().nth(limits::CSR_CHARACTERS).is_some() {
            let message =
                format!("the certificate signing request has more than {} characters", limits::CSR_CHARACTERS);
            return Err(Failure::new(FleetError::InvalidCsr, message));
        }
        let _turn = self.room.turn(requester.scope).await?;
        let asker = Asker { principal_id: requester.principal, client_id: requester.client_id };
        let new = self.issuing(requester.scope).for_request(csr, asker).await;
        self.keep(requester, new.map_err(|error| Failure::of(error, FleetError::InvalidCsr))?).await
    }

    fn issuing(&self, scope: Scope) -> Issuing<'_> {
        let now = self.house.clock.now();
        Issuing { house: &self.house, scope, now, status: CertificateStatus::PendingActivation }
    }

    /// Registers the certificate as nobody's.
    async fn keep(&self, requester: Requester<'_>, certificate: NewCertificate) -> Result<FreshCertificate, Failure> {
        let expires_at = self.house.clock.now().plus_millis(limits::OWNERSHIP_TOKEN_MS);
        let ownership =
            Ownership { certificate_id: certificate.id(), principal: requester.principal.to_owned(), expires_at };
        let ownership_token = ownership.seal(&self.house.sealer, requester.scope)?;
        let mut batch = Batch::new();
        certificate.register(&mut batch);
        batch.insert_unclaimed_certificate(&UnclaimedCertificate {
            scope: requester.scope,
            certificate_id: certificate.id(),
            expires_at,
        });
        self.house.commit(batch).await.map_err(|error| Failure::of(error, FleetError::InternalError))?;
        Ok(FreshCertificate { certificate, ownership_token, private_key: None })
    }

    /// RegisterThing: registers a thing by the template `template_name`, with the certificate that `token` was given for.
    /// Takes as long as the template's hook, five seconds at most.
    ///
    /// # Errors
    /// [`Failure`]; the token serves again then, as long as it lives.
    pub async fn register_thing(
        &self,
        requester: Requester<'_>,
        template_name: &str,
        token: &str,
        parameters: BTreeMap<String, String>,
    ) -> Result<Registered, Failure> {
        let (house, scope, now) = (&self.house, requester.scope, self.house.clock.now());
        let ownership = Ownership::open(token, &house.sealer, scope, requester.principal, now)?;
        let _turn = self.room.turn(scope).await?;
        let (template, body) = self.template(scope, template_name).await?;
        let id = ownership.certificate_id;
        let unclaimed = house.store.unclaimed_certificate(scope, id).await?.ok_or_else(used)?;
        // Nobody is asked about a certificate with which nothing can be registered.
        let record = house.store.certificate(scope, id).await?.ok_or_else(used)?;
        waits(record.status)?;

        let parameters = match &template.hook {
            None => parameters,
            Some(hook) => {
                let pem = house.store.certificate_pem(scope, id).await?.ok_or_else(used)?;
                let question = Question {
                    template: &template,
                    principal: requester.principal,
                    client_id: requester.client_id,
                    certificate_id: id,
                    certificate_pem: &pem,
                    parameters: &parameters,
                };
                question.ask(house, hook).await?
            }
        };
        let plan = plan(&template, &body, &parameters, id)?;

        let order = Order {
            house,
            scope,
            now: house.clock.now(),
            plan: &plan,
            permit: Permit::of_role(house, &template.role_arn, scope, now),
            asker: Asker { principal_id: requester.principal, client_id: requester.client_id },
            is_waiting: true,
            unclaimed: Some(unclaimed),
        };
        let provisioned = order.carry_out().await?;
        Ok(Registered { thing_name: provisioned.thing_name, device_configuration: plan.device_configuration })
    }

    /// The template, if devices may ask for it now.
    async fn template(&self, scope: Scope, name: &str) -> Result<(ProvisioningTemplateRecord, String), Failure> {
        let unknown = || {
            let message = "the provisioning template does not exist in this account and Region";
            Failure::new(FleetError::ResourceNotFound, message)
        };
        let name: ProvisioningTemplateName = name.parse().map_err(|_| unknown())?;
        let found = self.house.store.provisioning_template_in_force(scope, &name).await?;
        let (template, body) = found.ok_or_else(unknown)?;
        match template.template_type {
            TemplateType::FleetProvisioning if template.enabled => Ok((template, body)),
            TemplateType::FleetProvisioning => Err(Failure::new(
                FleetError::TemplateDisabled,
                format!("the provisioning template {name} is not enabled"),
            )),
            TemplateType::Jitp => Err(Failure::new(
                FleetError::TemplateDisabled,
                format!(
                    "the provisioning template {name} is of type JITP: devices provision by one of type FLEET_PROVISIONING"
                ),
            )),
        }
    }
}

/// The token was good once.
fn used() -> Failure {
    ownership::refused(
        "the certificate ownership token has been used, or its certificate is gone: ask for another certificate",
    )
}

fn plan(
    template: &ProvisioningTemplateRecord,
    body: &str,
    parameters: &BTreeMap<String, String>,
    id: CertificateId,
) -> Result<Plan, Failure> {
    // Templates are read when they are made; a later release may read them otherwise.
    let read = Template::parse(body, template.template_type.kind())
        .map_err(|refusal| Failure::unusable(format!("the provisioning template {}: {refusal}", template.name)))?;
    read.plan(parameters, Some(id)).map_err(|refusal| Failure::new(FleetError::InvalidParameters, refusal.to_string()))
}

/// Removes certificates that stayed nobody's for their hour. One that somebody has activated or attached to something
/// meanwhile stays (developer guide, "Device provisioning MQTT API").
///
/// # Errors
/// When the store cannot be used; what was removed until then is gone.
pub async fn give_up_unclaimed(store: &Store, now: Timestamp) -> Result<(), gatehouse_store::Error> {
    loop {
        let given_up = store.given_up_certificates(now, GIVEN_UP_AT_ONCE).await?;
        let mut removed = 0;
        for unclaimed in &given_up {
            let (scope, certificate_id) = (unclaimed.scope, unclaimed.certificate_id);
            let record = store.certificate(scope, certificate_id).await?;
            let mut batch = Batch::new();
            batch.claim_certificate(unclaimed);
            if let Some(record) = record
                && record.status == CertificateStatus::PendingActivation
                && record.policy_count == 0
                && record.thing_count == 0
            {
                batch.delete_certificate(&record, false);
                batch.announce(Event::Certificate { scope, certificate_id });
            }
            match store.commit(batch, now).await {
                Ok(()) => removed += 1,
                // Somebody is at it: it is looked at again the next time.
                Err(gatehouse_store::Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        if removed == 0 {
            return Ok(());
        }
    }
}

/// Certificates looked at before the next are read.
const GIVEN_UP_AT_ONCE: u32 = 100;
