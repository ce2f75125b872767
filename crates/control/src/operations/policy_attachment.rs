//! Attaching policies to certificates and thing groups: the story behind the current and the older family of operations.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::{CertificateId, may_attach};
use gatehouse_domain::event::Event;
use gatehouse_domain::name::{PolicyName, ThingName};
use gatehouse_domain::policy_registry;
use gatehouse_domain::thing_group::lineage;
use gatehouse_domain::time::Timestamp;
use gatehouse_store::{Batch, Page};
use serde::{Deserialize, Serialize};

use super::thing_group::existing_group;
use crate::call::Call;
use crate::error::{Code, Error};
use crate::page::{CertificateCursor, PageRequest, TimeCursor, page_of};
use crate::wire::{PolicyItem, PolicyTarget, unknown_certificate, unknown_policy};

/// Attaches a policy; attaching it again changes nothing.
///
/// # Errors
/// Unknown policy or target; ten policies are attached already.
pub(super) async fn attach(call: &Call, name: &PolicyName, target: &PolicyTarget) -> Result<(), Error> {
    if call.store().policy(call.scope, name).await?.is_none() {
        return Err(unknown_policy(name));
    }
    match target {
        PolicyTarget::Certificate(certificate_id) => attach_to_certificate(call, name, *certificate_id).await,
        PolicyTarget::ThingGroup(group_name) => attach_to_group(call, name, group_name).await,
    }
}

async fn attach_to_certificate(call: &Call, name: &PolicyName, certificate_id: CertificateId) -> Result<(), Error> {
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

async fn attach_to_group(call: &Call, name: &PolicyName, group_name: &ThingName) -> Result<(), Error> {
    let group = existing_group(call, group_name).await?;

    if call.store().is_attached_to_group(call.scope, name, group_name).await? {
        return Ok(());
    }
    policy_registry::may_attach_to_group(group.policy_count).map_err(|refusal| {
        Error::refused(Code::LimitExceededException, format!("thing group {group_name} {refusal}"))
    })?;

    let mut batch = Batch::new();
    batch.attach_group_policy(call.scope, name, group_name, call.now);
    batch.announce(Event::ThingGroup { scope: call.scope, group_name: group_name.clone() });
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
pub(super) async fn detach(call: &Call, name: &PolicyName, target: &PolicyTarget) -> Result<Detached, Error> {
    let mut batch = Batch::new();
    match target {
        PolicyTarget::Certificate(certificate_id) => {
            if !call.store().is_attached(call.scope, name, *certificate_id).await? {
                return Ok(Detached::NothingToDo);
            }
            batch.detach_policy(call.scope, name, *certificate_id);
            batch.announce(Event::CertificatePolicies { scope: call.scope, certificate_id: *certificate_id });
        }
        PolicyTarget::ThingGroup(group_name) => {
            if !call.store().is_attached_to_group(call.scope, name, group_name).await? {
                return Ok(Detached::NothingToDo);
            }
            batch.detach_group_policy(call.scope, name, group_name);
            batch.announce(Event::ThingGroup { scope: call.scope, group_name: group_name.clone() });
        }
    }
    call.commit(batch).await?;
    Ok(Detached::Now)
}

/// A page of the policies attached to a certificate, in the order they were attached.
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

/// A page of the policies attached to a thing group, by name; with `is_recursive` also those of the groups it lies in.
pub(super) async fn attached_to_group(
    call: &Call,
    group_name: &ThingName,
    is_recursive: bool,
    request: PageRequest<'_>,
) -> Result<(Vec<PolicyItem>, Option<String>), Error> {
    let group = existing_group(call, group_name).await?;
    let groups = if is_recursive { lineage([group.place()]) } else { vec![group.name] };
    let policies = call.store().policies_of_groups(call.scope, &groups).await?;
    let read = async |page: Page<PolicyName>| Ok(page_of(policies, &page, |name| name));
    let (policies, marker) = call.pager().page(request, read, PolicyName::clone).await?;
    Ok((policies.into_iter().map(|name| PolicyItem::new(call.scope, name)).collect(), marker))
}

/// A page of the certificates that a policy is attached to, as ARNs.
pub(super) async fn certificates_of(
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

/// The place of a target in the list of a policy's targets: certificates first, each kind by time.
#[derive(Clone, Deserialize, Serialize)]
enum TargetCursor {
    Certificate(Timestamp, CertificateId),
    ThingGroup(Timestamp, ThingName),
}

/// A page of everything that a policy is attached to, as ARNs: the certificates, then the thing groups.
pub(super) async fn targets_of(
    call: &Call,
    name: &PolicyName,
    request: PageRequest<'_>,
) -> Result<(Vec<String>, Option<String>), Error> {
    if call.store().policy(call.scope, name).await?.is_none() {
        return Err(unknown_policy(name));
    }
    let read = |page: Page<TargetCursor>| read_targets(call, name, page);
    let (targets, marker) = call.pager().page(request, read, TargetCursor::clone).await?;
    let arn = |target| match target {
        TargetCursor::Certificate(_, id) => Arn::certificate(call.scope, id).to_string(),
        TargetCursor::ThingGroup(_, group) => Arn::thing_group(call.scope, group).to_string(),
    };
    Ok((targets.into_iter().map(arn).collect(), marker))
}

async fn read_targets(
    call: &Call,
    name: &PolicyName,
    page: Page<TargetCursor>,
) -> Result<Vec<TargetCursor>, gatehouse_store::Error> {
    let (after_certificate, after_group) = match page.after {
        None => (Some(None), None),
        Some(TargetCursor::Certificate(at, id)) => (Some(Some((at, id))), None),
        Some(TargetCursor::ThingGroup(at, group)) => (None, Some((at, group))),
    };
    let mut targets = Vec::new();
    if let Some(after) = after_certificate {
        let page = Page { after, ascending: true, limit: page.limit };
        let certificates = call.store().policy_targets(call.scope, name, page).await?;
        targets.extend(certificates.into_iter().map(|(at, id)| TargetCursor::Certificate(at, id)));
    }
    let found = u32::try_from(targets.len()).unwrap_or(u32::MAX);
    let limit = page.limit.saturating_sub(found);
    if limit > 0 {
        let page = Page { after: after_group, ascending: true, limit };
        let groups = call.store().policy_groups(call.scope, name, page).await?;
        targets.extend(groups.into_iter().map(|(at, group)| TargetCursor::ThingGroup(at, group)));
    }
    Ok(targets)
}
