//! Carrying a plan out: everything that it names is there afterwards, or nothing is. All is read, decided and put into one
//! commit; when that loses a race, it is read and decided again.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::digest;
use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::event::Event;
use gatehouse_domain::fleet_provisioning::FleetError;
use gatehouse_domain::limits;
use gatehouse_domain::name::{PolicyName, ThingName};
use gatehouse_domain::provisioning::{Plan, PlannedPolicy};
use gatehouse_domain::scope::Scope;
use gatehouse_domain::thing::{AttachmentOutcome, attach_principal};
use gatehouse_domain::time::Timestamp;
use gatehouse_store::{Batch, PolicyRecord, UnclaimedCertificate};
use tokio::sync::Semaphore;

use super::certificate::{Standing, Subject};
use super::failure::Failure;
use super::permit::Permit;
use super::thing::PlannedThing;
use crate::call::House;
use crate::certificates::issue::Asker;
use crate::error::Error;
use crate::random::{hex, random};

/// A plan to be carried out.
pub(crate) struct Order<'a> {
    pub(crate) house: &'a House,
    pub(crate) scope: Scope,
    pub(crate) now: Timestamp,
    pub(crate) plan: &'a Plan,
    pub(crate) permit: Permit<'a>,
    /// Who is told to a certificate provider.
    pub(crate) asker: Asker<'a>,
    /// Whether the certificate must be waiting for this: PENDING_ACTIVATION.
    pub(crate) is_waiting: bool,
    /// The note that the certificate is nobody's, which goes with the commit.
    pub(crate) unclaimed: Option<UnclaimedCertificate>,
}

/// What goes along with a plan that is one of very many.
pub(crate) trait Along: Sync {
    /// Writes more into the commit of the plan: it is done when the plan is, and not otherwise. May be asked again when the
    /// commit loses a race.
    fn write(&self, certificate_id: CertificateId, resource_arns: &BTreeMap<String, String>, batch: &mut Batch);

    /// The place in which a signing request is checked, so that these checks do not take all processors.
    fn checks(&self) -> &Semaphore;
}

/// What there is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Provisioned {
    pub(crate) certificate_id: CertificateId,
    pub(crate) certificate_pem: String,
    pub(crate) thing_name: Option<ThingName>,
    /// The ARNs of what the template names, by their logical names.
    pub(crate) resource_arns: BTreeMap<String, String>,
}

impl Order<'_> {
    /// Carries the plan out.
    ///
    /// # Errors
    /// [`Failure`]; nothing is left behind then, but the record of a certificate that was issued for it.
    pub(crate) async fn carry_out(&self) -> Result<Provisioned, Failure> {
        self.carry_out_along(None).await
    }

    /// Carries the plan out with what goes `along`.
    ///
    /// # Errors
    /// As [`Self::carry_out`].
    pub(crate) async fn carry_out_with(&self, along: &dyn Along) -> Result<(), Failure> {
        self.carry_out_along(Some(along)).await.map(drop)
    }

    async fn carry_out_along(&self, along: Option<&dyn Along>) -> Result<Provisioned, Failure> {
        let mut made = None;
        for attempt in 0..limits::COMMIT_ATTEMPTS {
            // Before there is a certificate: none is made for a plan that is refused because of these.
            let thing = match &self.plan.thing {
                Some(plan) => Some(PlannedThing::read(self, plan).await?),
                None => None,
            };
            let policies = self.policies().await?;
            let subject = match made.take() {
                Some(subject) if Subject::is_current(&subject, self).await? => subject,
                _ => Subject::of(self, &self.plan.certificate, along.map(Along::checks)).await?,
            };
            let mut batch = self.batch(&subject, thing.as_ref(), policies).await?;
            if let Some(along) = along {
                along.write(subject.id(), &self.resource_arns(&subject), &mut batch);
            }
            match self.house.commit(batch).await {
                Ok(()) => return Ok(self.provisioned(&subject)),
                Err(Error::Store(gatehouse_store::Error::Conflict)) => made = Some(subject),
                Err(error) => return Err(Failure::of(error, FleetError::InternalError)),
            }
            // The rivals have committed; a breath keeps many of them from meeting again at once.
            tokio::time::sleep(Duration::from_millis(u64::from(attempt))).await;
        }
        Err(gatehouse_store::Error::Conflict.into())
    }

    /// Everything that is to be written. The order is that of the operations, so that nobody waits for each other: the
    /// certificate first, then the thing, the policies last.
    async fn batch(
        &self,
        subject: &Subject,
        thing: Option<&PlannedThing>,
        policies: BTreeMap<PolicyName, Option<&str>>,
    ) -> Result<Batch, Failure> {
        let standing = subject.standing(self).await?;
        let mut batch = Batch::new();
        if let Some(unclaimed) = &self.unclaimed {
            batch.claim_certificate(unclaimed);
        }
        subject.write(self, &standing, thing.is_some_and(PlannedThing::changes), &mut batch)?;
        if let Some(thing) = thing {
            thing.write(self, &mut batch).await?;
            self.attach_thing(subject, &standing, thing.name(), &mut batch).await?;
        }
        self.attach_policies(subject, &standing, policies, &mut batch)?;
        Ok(batch)
    }

    async fn attach_thing(
        &self,
        subject: &Subject,
        standing: &Standing,
        thing_name: &ThingName,
        batch: &mut Batch,
    ) -> Result<(), Failure> {
        let (scope, certificate_id) = (self.scope, subject.id());
        let is_exclusive = self.plan.certificate.thing_principal_type.is_exclusive();
        let attachments = standing.attachments(self, thing_name).await?;
        let outcome = attach_principal(&attachments, thing_name, is_exclusive)
            .map_err(|refusal| Failure::unusable(format!("certificate {certificate_id}: {refusal}")))?;
        if outcome == AttachmentOutcome::Unchanged {
            return Ok(());
        }
        self.permit.check("iot:AttachThingPrincipal", &Arn::certificate(scope, certificate_id).to_string())?;
        batch.attach_thing_principal(scope, thing_name, certificate_id, is_exclusive, self.now);
        batch.announce(Event::CertificateThings { scope, certificate_id });
        Ok(())
    }

    /// The policies of the plan, each once and by name: two may come to the same.
    async fn policies(&self) -> Result<BTreeMap<PolicyName, Option<&str>>, Failure> {
        let mut policies = BTreeMap::new();
        for planned in &self.plan.policies {
            let name = policy_name(&planned.policy);
            let made = match &planned.policy {
                PlannedPolicy::Existing(_) => {
                    if self.house.store.policy(self.scope, &name).await?.is_none() {
                        return Err(Failure::unusable(format!(
                            "policy {name} does not exist in this account and Region"
                        )));
                    }
                    None
                }
                PlannedPolicy::Document(document) => self.made_policy(&name, document).await?,
            };
            policies.entry(name).or_insert(made);
        }
        Ok(policies)
    }

    /// The document, when there is no policy of it yet. One that has its name must say the same: whoever may create policies
    /// could have taken the name first.
    async fn made_policy<'d>(&self, name: &PolicyName, document: &'d str) -> Result<Option<&'d str>, Failure> {
        match self.house.store.default_policy_document(self.scope, name).await? {
            None => {
                self.permit.check("iot:CreatePolicy", &Arn::policy(self.scope, name.clone()).to_string())?;
                Ok(Some(document))
            }
            Some((_, existing)) if existing == document => Ok(None),
            Some(_) => Err(Failure::new(
                FleetError::ResourceConflict,
                format!("policy {name}, which bears the name of the template's document, says something else by now"),
            )),
        }
    }

    fn attach_policies(
        &self,
        subject: &Subject,
        standing: &Standing,
        policies: BTreeMap<PolicyName, Option<&str>>,
        batch: &mut Batch,
    ) -> Result<(), Failure> {
        let (scope, certificate_id) = (self.scope, subject.id());
        let wanted: Vec<_> = policies.into_iter().filter(|(name, _)| !standing.has(name)).collect();
        standing.may_attach(wanted.len())?;
        if wanted.is_empty() {
            return Ok(());
        }
        self.permit.check("iot:AttachPolicy", &Arn::certificate(scope, certificate_id).to_string())?;
        for (name, document) in &wanted {
            if let Some(document) = document {
                batch.insert_policy(&self.policy_record(name)?, document);
            }
            batch.attach_policy(scope, name, certificate_id, self.now);
        }
        batch.announce(Event::CertificatePolicies { scope, certificate_id });
        Ok(())
    }

    fn policy_record(&self, name: &PolicyName) -> Result<PolicyRecord, Failure> {
        let generation = random::<32>().map_err(|error| Failure::of(error, FleetError::InternalError))?;
        Ok(PolicyRecord::new(self.scope, name.clone(), hex(&generation), self.now))
    }

    /// The ARNs of what the template names, by their logical names.
    fn resource_arns(&self, subject: &Subject) -> BTreeMap<String, String> {
        let mut resource_arns = BTreeMap::new();
        let certificate_arn = Arn::certificate(self.scope, subject.id());
        resource_arns.insert(self.plan.certificate.logical_name.clone(), certificate_arn.to_string());
        if let Some(thing) = &self.plan.thing {
            resource_arns.insert(thing.logical_name.clone(), Arn::thing(self.scope, thing.name.clone()).to_string());
        }
        for planned in &self.plan.policies {
            let arn = Arn::policy(self.scope, policy_name(&planned.policy));
            resource_arns.insert(planned.logical_name.clone(), arn.to_string());
        }
        resource_arns
    }

    fn provisioned(&self, subject: &Subject) -> Provisioned {
        Provisioned {
            certificate_id: subject.id(),
            certificate_pem: subject.pem().to_owned(),
            thing_name: self.plan.thing.as_ref().map(|thing| thing.name.clone()),
            resource_arns: self.resource_arns(subject),
        }
    }
}

fn policy_name(policy: &PlannedPolicy) -> PolicyName {
    match policy {
        PlannedPolicy::Existing(name) => name.clone(),
        PlannedPolicy::Document(document) => {
            let mut sha256 = [0; 32];
            sha256.copy_from_slice(digest::digest(&digest::SHA256, document.as_bytes()).as_ref());
            PolicyName::of_document(&sha256)
        }
    }
}
