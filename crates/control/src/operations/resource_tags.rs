//! Which resource a tag operation speaks of, and the tags it has.

use gatehouse_domain::arn::{Arn, Resource};
use gatehouse_domain::name::{DomainConfigurationName, PolicyName, RoleAliasName, ThingName};
use gatehouse_domain::tag::is_taggable;
use gatehouse_store::{Batch, CaCertificateRecord, CertificateProviderRecord, ProvisioningTemplateRecord, TagsRecord};

use super::billing_group;
use super::ca_registration::ca_arn;
use super::thing_group;
use super::thing_type::existing_type;
use super::{certificate_provider, domain_configuration, provisioning_template};
use crate::call::Call;
use crate::error::Error;
use crate::wire::{unknown_policy, unknown_role_alias};

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
    RoleAlias(RoleAliasName),
    ThingGroup(ThingName),
    CertificateProvider(CertificateProviderRecord),
    DomainConfiguration(DomainConfigurationName),
    ThingType(ThingName),
    BillingGroup(ThingName),
    ProvisioningTemplate(ProvisioningTemplateRecord),
}

impl Tagged {
    /// Makes `batch` conflict when the resource is deleted meanwhile: tags are never left behind.
    pub(super) fn require(&self, batch: &mut Batch) {
        match &self.existing {
            Existing::Policy(name) => batch.require_policy(self.arn.scope, name),
            Existing::CaCertificate(record) => batch.require_ca_certificate(record),
            Existing::ThingGroup(name) => batch.require_thing_group(self.arn.scope, name),
            Existing::RoleAlias(alias) => batch.require_role_alias(self.arn.scope, alias),
            Existing::CertificateProvider(record) => batch.require_certificate_provider(record),
            Existing::DomainConfiguration(name) => batch.require_domain_configuration(self.arn.scope, name),
            Existing::ThingType(name) => batch.require_thing_type(self.arn.scope, name),
            Existing::BillingGroup(name) => batch.require_billing_group(self.arn.scope, name),
            Existing::ProvisioningTemplate(record) => batch.require_provisioning_template(record),
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
    let existing = existing(call, &arn).await?;
    let tags = call.store().tags(&arn).await?;
    Ok(Tagged { arn, tags, existing })
}

async fn existing(call: &Call, arn: &Arn) -> Result<Existing, Error> {
    match &arn.resource {
        Resource::Policy(name) => {
            let policy = call.store().policy(call.scope, name).await?.ok_or_else(|| unknown_policy(name))?;
            Ok(Existing::Policy(policy.name))
        }
        Resource::RoleAlias(alias) => {
            let record = call.store().role_alias(call.scope, alias).await?.ok_or_else(|| unknown_role_alias(alias))?;
            Ok(Existing::RoleAlias(record.alias))
        }
        Resource::ThingGroup(name) => Ok(Existing::ThingGroup(thing_group::existing_group(call, name).await?.name)),
        Resource::ThingType(name) => Ok(Existing::ThingType(existing_type(call, name).await?.name)),
        Resource::BillingGroup(name) => {
            Ok(Existing::BillingGroup(billing_group::existing_group(call, name).await?.name))
        }
        Resource::CertificateProvider(name) => {
            Ok(Existing::CertificateProvider(certificate_provider::find(call, name).await?))
        }
        Resource::ProvisioningTemplate(name) => {
            Ok(Existing::ProvisioningTemplate(provisioning_template::existing(call, name).await?))
        }
        Resource::Other(text) if let Some(name) = domain_configuration::name_in(text) => {
            if domain_configuration::arn(call.scope, &name) != *arn {
                return Err(unknown(arn));
            }
            let record = call.store().domain_configuration(call.scope, &name).await?.ok_or_else(|| unknown(arn))?;
            Ok(Existing::DomainConfiguration(record.name))
        }
        Resource::Other(text) => {
            let id = text.strip_prefix("cacert/").and_then(|id| id.parse().ok());
            // The ARN that the caller's policy was asked about is the only one: capitals in the id name nothing.
            let id = id.filter(|id| ca_arn(call.scope, *id) == *arn).ok_or_else(|| unknown(arn))?;
            let record = call.store().ca_certificate(call.scope, id).await?.ok_or_else(|| unknown(arn))?;
            Ok(Existing::CaCertificate(record))
        }
        _ => Err(unknown(arn)),
    }
}

fn unknown(arn: &Arn) -> Error {
    Error::not_found(format!("{arn} does not exist in this account and Region"))
}
