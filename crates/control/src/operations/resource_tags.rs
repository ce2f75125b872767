//! Which resource a tag operation speaks of, and the tags it has. In this release policies and CA certificates are the
//! only resources that carry tags and exist.

use gatehouse_domain::arn::{Arn, Resource};
use gatehouse_domain::name::PolicyName;
use gatehouse_domain::tag::is_taggable;
use gatehouse_store::{Batch, CaCertificateRecord, TagsRecord};

use super::ca_registration::ca_arn;
use crate::call::Call;
use crate::error::Error;
use crate::wire::unknown_policy;

/// An existing resource and its tags.
pub(super) struct Tagged {
    pub(super) arn: Arn,
    /// `None` when it never had any.
    pub(super) tags: Option<TagsRecord>,
    existing: Existing,
}

enum Existing {
    Policy(PolicyName),
    CaCertificate(CaCertificateRecord),
}

impl Tagged {
    /// Makes `batch` conflict when the resource is deleted meanwhile: tags are never left behind.
    pub(super) fn require(&self, batch: &mut Batch) {
        match &self.existing {
            Existing::Policy(name) => batch.require_policy(self.arn.scope, name),
            Existing::CaCertificate(record) => batch.require_ca_certificate(record),
        }
    }
}

/// Finds the resource that `arn` names.
///
/// # Errors
/// `InvalidRequestException` for what is no ARN or a kind without tags; `ResourceNotFoundException` for what does not
/// exist in the scope.
pub(super) async fn tagged(call: &Call, arn: &str) -> Result<Tagged, Error> {
    let arn = Arn::parse(arn).map_err(|refusal| Error::invalid(format!("resourceArn: {refusal}")))?;
    if !is_taggable(&arn.resource) {
        return Err(Error::invalid(format!(
            "{arn} cannot carry tags: things, client certificates and MQTT resources have none"
        )));
    }
    // Another tenant's resource is not told apart from one that does not exist.
    if arn.scope != call.scope {
        return Err(unknown(&arn));
    }
    let (resource, arn) = if let Resource::Policy(name) = &arn.resource {
        call.store().policy(call.scope, name).await?.ok_or_else(|| unknown_policy(name))?;
        (Existing::Policy(call.scope, name.clone()), arn)
    } else if let Some(id) = ca_certificate_id(&arn.resource) {
        let record = call.store().ca_certificate(call.scope, id).await?.ok_or_else(|| unknown_ca(id))?;
        (Existing::CaCertificate(record), ca_arn(call.scope, id))
    } else {
        return Err(unknown(&arn));
    };
    let tags = call.store().tags(&arn).await?;
    Ok(Tagged { resource, arn, tags })
}

fn ca_certificate_id(resource: &Resource) -> Option<CertificateId> {
    match resource {
        Resource::Other(text) => text.strip_prefix("cacert/")?.parse().ok(),
        _ => None,
    }
}

fn unknown(arn: &Arn) -> Error {
    Error::not_found(format!("{arn} does not exist in this account and Region"))
}
