//! The certificate of a plan: one that the scope has, or one that is new and comes with the plan's commit. Made once,
//! however often the commit is tried.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::CertificateStatus;
use gatehouse_domain::certificate::{CertificateId, StatusChange, change_status, may_attach};
use gatehouse_domain::event::Event;
use gatehouse_domain::fleet_provisioning::FleetError;
use gatehouse_domain::limits;
use gatehouse_domain::name::PolicyName;
use gatehouse_domain::policy_registry::TooManyPolicies;
use gatehouse_domain::provisioning::{CertificatePlan, CertificateSource, Override};
use gatehouse_domain::thing::Attachment;
use gatehouse_store::{Batch, CertificateRecord, Page};

use super::carry_out::Order;
use super::failure::Failure;
use crate::certificates::NewCertificate;
use crate::certificates::issue::Issuing;
use crate::certificates::registration;
use crate::random::uuid;

/// Which certificate it is.
pub(super) enum Subject {
    /// One that the scope has.
    Registered(CertificateId),
    /// One that is to be registered.
    New(Box<NewCertificate>),
}

/// A certificate as it stands before the plan, with what is attached to it.
pub(super) struct Standing {
    record: CertificateRecord,
    /// `None` when it is new.
    registered: Option<Registered>,
}

struct Registered {
    policies: Vec<PolicyName>,
}

impl Subject {
    /// The certificate that `plan` speaks of: found, issued, or read.
    pub(super) async fn of(order: &Order<'_>, plan: &CertificatePlan) -> Result<Self, Failure> {
        let issuing = Issuing { house: order.house, scope: order.scope, now: order.now, status: plan.status };
        match &plan.source {
            CertificateSource::Id(id) => Ok(Self::Registered(*id)),
            CertificateSource::Csr(csr) => {
                order.permit.check("iot:CreateCertificateFromCsr", "*")?;
                let new = issuing.for_request(csr, order.asker).await;
                new.map(|new| Self::New(Box::new(new))).map_err(|error| Failure::of(error, FleetError::InvalidCsr))
            }
            CertificateSource::Pem { pem, ca_pem } => {
                let refused = |error| Failure::of(error, FleetError::ResourceRegistrationFailure);
                let certificate = registration::read(pem).map_err(refused)?;
                if order.house.store.certificate(order.scope, certificate.id()).await?.is_some() {
                    return Ok(Self::Registered(certificate.id()));
                }
                order.permit.check("iot:RegisterCertificate", "*")?;
                let new = issuing.signed_by_ca(&certificate, pem, ca_pem.as_deref()).await.map_err(refused)?;
                Ok(Self::New(Box::new(new)))
            }
        }
    }

    pub(super) fn id(&self) -> CertificateId {
        match self {
            Self::Registered(id) => *id,
            Self::New(new) => new.id(),
        }
    }

    /// Reads how the certificate stands now.
    pub(super) async fn standing(&self, order: &Order<'_>) -> Result<Standing, Failure> {
        let id = match self {
            Self::New(new) => return Ok(Standing { record: new.record().clone(), registered: None }),
            Self::Registered(id) => *id,
        };
        let admission = order.house.store.admission(order.scope, id).await?;
        let admission = admission.ok_or_else(|| {
            Failure::unusable(format!("certificate {id} is not registered in this account and Region"))
        })?;
        may_attach(admission.certificate.status)
            .map_err(|refusal| Failure::unusable(format!("certificate {id}: {refusal}")))?;
        let registered = Registered { policies: admission.policies };
        Ok(Standing { record: admission.certificate, registered: Some(registered) })
    }

    /// The certificate itself.
    pub(super) async fn pem(&self, order: &Order<'_>) -> Result<String, Failure> {
        match self {
            Self::New(new) => Ok(new.pem().to_owned()),
            Self::Registered(id) => {
                let pem = order.house.store.certificate_pem(order.scope, *id).await?;
                pem.ok_or_else(|| Failure::unusable(format!("certificate {id} is not registered any more")))
            }
        }
    }

    /// Registers the certificate, or gives it the status that the plan says.
    pub(super) fn write(
        &self,
        order: &Order<'_>,
        standing: &Standing,
        plan: &CertificatePlan,
        batch: &mut Batch,
    ) -> Result<(), Failure> {
        let current = match self {
            Self::New(new) => {
                new.register(batch);
                return Ok(());
            }
            Self::Registered(_) => &standing.record,
        };
        let Some(status) = status_after(current.status, plan, order.is_waiting)? else { return Ok(()) };
        let (scope, certificate_id) = (order.scope, current.certificate_id);
        order.permit.check("iot:UpdateCertificate", &Arn::certificate(scope, certificate_id).to_string())?;
        let generation_id = uuid().map_err(|error| Failure::of(error, FleetError::InternalError))?;
        batch.set_certificate_status(current, status, &generation_id, order.now);
        batch.announce(Event::Certificate { scope, certificate_id });
        Ok(())
    }
}

impl Standing {
    /// Whether the policy is attached.
    pub(super) fn has(&self, policy: &PolicyName) -> bool {
        self.registered.as_ref().is_some_and(|registered| registered.policies.contains(policy))
    }

    /// May so many policies more be attached?
    pub(super) fn may_attach(&self, more: usize) -> Result<(), Failure> {
        let attached = self.registered.as_ref().map_or(0, |registered| registered.policies.len());
        if attached + more > usize::try_from(limits::POLICIES_PER_CERTIFICATE).unwrap_or(usize::MAX) {
            return Err(Failure::unusable(format!("certificate {} {TooManyPolicies}", self.record.certificate_id)));
        }
        Ok(())
    }

    /// The attachments to things that decide whether it may be attached to `thing_name`.
    pub(super) async fn attachments(
        &self,
        order: &Order<'_>,
        thing_name: &gatehouse_domain::name::ThingName,
    ) -> Result<Vec<Attachment>, Failure> {
        if self.registered.is_none() {
            return Ok(Vec::new());
        }
        let (store, scope, id) = (&order.house.store, order.scope, self.record.certificate_id);
        // An exclusive attachment is the only one of its certificate, so any one of them tells whether there is one.
        let here = store.thing_attachment(scope, thing_name, id).await?;
        let first = store.principal_things(scope, id, None, Page::first(1)).await?;
        Ok(here.into_iter().chain(first).map(|found| found.rule()).collect())
    }
}

/// Whether a certificate of this status still waits for provisioning.
pub(super) fn waits(current: CertificateStatus) -> Result<(), Failure> {
    if current == CertificateStatus::PendingActivation {
        return Ok(());
    }
    Err(Failure::unusable(format!("the certificate is {current}, and does not wait for provisioning any more")))
}

/// The status that a registered certificate is to be given, if any. One that waits for provisioning gets the template's;
/// one that somebody else has given a status keeps it unless the template says otherwise.
fn status_after(
    current: CertificateStatus,
    plan: &CertificatePlan,
    is_waiting: bool,
) -> Result<Option<CertificateStatus>, Failure> {
    if is_waiting {
        waits(current)?;
    }
    if current != CertificateStatus::PendingActivation {
        match plan.status_override {
            Override::DoNothing => return Ok(None),
            Override::Fail => {
                return Err(Failure::new(
                    FleetError::ResourceConflict,
                    "the certificate is registered, and the template's OverrideSettings say FAIL for its Status",
                ));
            }
            Override::Replace => {}
        }
    }
    match change_status(current, plan.status) {
        Ok(StatusChange::Unchanged) => Ok(None),
        Ok(StatusChange::To(status)) => Ok(Some(status)),
        Err(refusal) => Err(Failure::unusable(format!("the certificate: {refusal}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatehouse_domain::thing::ThingPrincipalType;

    #[test]
    fn a_status_is_the_templates_when_it_waits_and_its_own_otherwise() {
        use CertificateStatus as S;
        let plan = |status, status_override| CertificatePlan {
            logical_name: "c".into(),
            source: CertificateSource::Id(CertificateId::from_bytes([1; 32])),
            status,
            thing_principal_type: ThingPrincipalType::NonExclusiveThing,
            status_override,
        };
        for (current, wanted, overriding, outcome) in [
            (S::PendingActivation, S::Active, Override::DoNothing, Some(Some(S::Active))),
            (S::PendingActivation, S::Inactive, Override::Fail, Some(Some(S::Inactive))),
            (S::Inactive, S::Active, Override::DoNothing, Some(None)),
            (S::Inactive, S::Active, Override::Replace, Some(Some(S::Active))),
            (S::Active, S::Active, Override::Replace, Some(None)),
            (S::Inactive, S::Active, Override::Fail, None),
            // Nothing brings back what was revoked.
            (S::Revoked, S::Active, Override::Replace, None),
            (S::Revoked, S::Active, Override::DoNothing, Some(None)),
        ] {
            let status = status_after(current, &plan(wanted, overriding), false);
            assert_eq!(status.ok(), outcome, "{current} {wanted} {overriding:?}");
        }
        for status in S::ALL {
            let waiting = status_after(status, &plan(S::Active, Override::Replace), true);
            assert_eq!(waiting.is_ok(), status == S::PendingActivation, "{status}");
        }
    }
}
