//! Listing which certificates are attached to which things: the reads behind both versions of the operations.

use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing::ThingPrincipalType;
use gatehouse_store::ThingAttachment;

use crate::call::Call;
use crate::error::Error;
use crate::page::PageRequest;
use crate::wire::{certificate_principal, unknown_certificate, unknown_thing};

/// A page of the certificates attached to a thing, by id.
///
/// # Errors
/// Unknown thing, or a token from elsewhere.
pub(super) async fn principals_of(
    call: &Call,
    name: &ThingName,
    of_type: Option<ThingPrincipalType>,
    request: PageRequest<'_>,
) -> Result<(Vec<ThingAttachment>, Option<String>), Error> {
    if call.store().thing(call.scope, name).await?.is_none() {
        return Err(unknown_thing(name));
    }
    let exclusive = of_type.map(ThingPrincipalType::is_exclusive);
    call.pager()
        .page(
            request,
            |page| call.store().thing_principals(call.scope, name, exclusive, page),
            |attachment| -> CertificateId { attachment.certificate_id },
        )
        .await
}

/// A page of the things that a certificate is attached to, by name.
///
/// # Errors
/// Not a certificate, an unknown one, or a token from elsewhere.
pub(super) async fn things_of(
    call: &Call,
    principal: &str,
    of_type: Option<ThingPrincipalType>,
    request: PageRequest<'_>,
) -> Result<(Vec<ThingAttachment>, Option<String>), Error> {
    let certificate_id = certificate_principal(call, principal)?;
    if call.store().certificate(call.scope, certificate_id).await?.is_none() {
        return Err(unknown_certificate(certificate_id));
    }
    let exclusive = of_type.map(ThingPrincipalType::is_exclusive);
    call.pager()
        .page(
            request,
            |page| call.store().principal_things(call.scope, certificate_id, exclusive, page),
            |attachment| -> ThingName { attachment.thing_name.clone() },
        )
        .await
}
