//! Attaching policies to certificates: the story behind the current and the older family of operations.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::{CertificateId, may_attach};
use gatehouse_domain::event::Event;
use gatehouse_domain::name::PolicyName;
use gatehouse_domain::policy_registry;
use gatehouse_store::Batch;

use crate::call::Call;
use crate::error::{Code, Error};
use crate::page::{CertificateCursor, PageRequest, TimeCursor};
use crate::wire::{PolicyItem, unknown_certificate, unknown_policy};

/// Attaches a policy; attaching it again changes nothing.
///
/// # Errors
/// Unknown policy or certificate; ten policies are attached already.
pub(super) async fn attach(call: &Call, name: &PolicyName, certificate_id: CertificateId) -> Result<(), Error> {
    if call.store().policy(call.scope, name).await?.is_none() {
        return Err(unknown_policy(name));
    }
    let certificate = call.store().certificate(call.scope, certificate_id).await?;
    let certificate = certificate.ok_or_else(|| unknown_certificate(certificate_id))?;

    if call.store().is_attached(call.scope, name, certificate_id).await? {
        return Ok(());
    }
    may_attach(certificate.status)
        .map_err(|refusal| Error::invalid(format!("certificate {certificate_id}: {refusal}")))?;
    policy_registry::may_attach(certificate.policy_count).map_err(|refusal| {
        Error::refused(Code::LimitExceededException, format!("certificate {certificate_id} {refusal}"))
    })?;

    let mut batch = Batch::new();
    batch.attach_policy(call.scope, name, certificate_id, call.now);
    batch.announce(Event::CertificatePolicies { scope: call.scope, certificate_id });
    call.commit(batch).await
}

/// What detaching found.
pub(super) enum Detached {
    /// It was attached and is no more.
    Now,
    /// It was not attached.
    NothingToDo,
}

/// Detaches a policy.
pub(super) async fn detach(call: &Call, name: &PolicyName, certificate_id: CertificateId) -> Result<Detached, Error> {
    if !call.store().is_attached(call.scope, name, certificate_id).await? {
        return Ok(Detached::NothingToDo);
    }
    let mut batch = Batch::new();
    batch.detach_policy(call.scope, name, certificate_id);
    batch.announce(Event::CertificatePolicies { scope: call.scope, certificate_id });
    call.commit(batch).await?;
    Ok(Detached::Now)
}

/// A page of the policies attached to a certificate.
pub(super) async fn attached_to(
    call: &Call,
    certificate_id: CertificateId,
    request: PageRequest<'_>,
) -> Result<(Vec<PolicyItem>, Option<String>), Error> {
    if call.store().certificate(call.scope, certificate_id).await?.is_none() {
        return Err(unknown_certificate(certificate_id));
    }
    let (attached, marker) = call
        .pager()
        .page(
            request,
            |page| call.store().attached_policies(call.scope, certificate_id, page),
            |attached| -> TimeCursor<PolicyName> { attached.clone() },
        )
        .await?;
    Ok((attached.into_iter().map(|(_, name)| PolicyItem::new(call.scope, name)).collect(), marker))
}

/// A page of the ARNs a policy is attached to.
pub(super) async fn targets_of(
    call: &Call,
    name: &PolicyName,
    request: PageRequest<'_>,
) -> Result<(Vec<String>, Option<String>), Error> {
    if call.store().policy(call.scope, name).await?.is_none() {
        return Err(unknown_policy(name));
    }
    let (targets, marker) = call
        .pager()
        .page(
            request,
            |page| call.store().policy_targets(call.scope, name, page),
            |target| -> CertificateCursor { *target },
        )
        .await?;
    Ok((targets.into_iter().map(|(_, id)| Arn::certificate(call.scope, id).to_string()).collect(), marker))
}
