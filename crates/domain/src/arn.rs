//! ARNs of service `iot`: built from typed parts, parsed back into them.

use std::fmt;

use crate::certificate::CertificateId;
use crate::name::{CertificateProviderName, PolicyName, ProvisioningTemplateName, RoleAliasName, ThingName};
use crate::scope::{AccountId, Region, Scope};

/// What an ARN of service `iot` names, without the scope it lives in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// `cert/<certificate id>`
    Certificate(CertificateId),
    /// `policy/<name>`
    Policy(PolicyName),
    /// `thing/<name>`
    Thing(ThingName),
    /// `thinggroup/<name>`
    ThingGroup(ThingName),
    /// `thingtype/<name>`
    ThingType(ThingName),
    /// `billinggroup/<name>`
    BillingGroup(ThingName),
    /// `rolealias/<alias>`
    RoleAlias(RoleAliasName),
    /// `certificateprovider:<name>`, with a colon
    CertificateProvider(CertificateProviderName),
    /// `provisioningtemplate/<name>`
    ProvisioningTemplate(ProvisioningTemplateName),
    /// Any other kind, e.g. `cacert/…` or `topic/…`, as text.
    Other(String),
}

/// A resource of service `iot` in its scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Arn {
    /// The tenant that owns the resource.
    pub scope: Scope,
    /// The resource.
    pub resource: Resource,
}

/// Not an ARN of service `iot`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an ARN of service iot: arn:aws:iot:<region>:<account>:<type>/<name> is needed")]
pub struct InvalidArn;

impl Arn {
    /// The ARN of a client certificate.
    #[must_use]
    pub const fn certificate(scope: Scope, id: CertificateId) -> Self {
        Self { scope, resource: Resource::Certificate(id) }
    }

    /// The ARN of a policy.
    #[must_use]
    pub const fn policy(scope: Scope, name: PolicyName) -> Self {
        Self { scope, resource: Resource::Policy(name) }
    }

    /// The ARN of a thing.
    #[must_use]
    pub const fn thing(scope: Scope, name: ThingName) -> Self {
        Self { scope, resource: Resource::Thing(name) }
    }

    /// The ARN of a thing group.
    #[must_use]
    pub const fn thing_group(scope: Scope, name: ThingName) -> Self {
        Self { scope, resource: Resource::ThingGroup(name) }
    }

    /// The ARN of a thing type.
    #[must_use]
    pub const fn thing_type(scope: Scope, name: ThingName) -> Self {
        Self { scope, resource: Resource::ThingType(name) }
    }

    /// The ARN of a billing group.
    #[must_use]
    pub const fn billing_group(scope: Scope, name: ThingName) -> Self {
        Self { scope, resource: Resource::BillingGroup(name) }
    }

    /// The ARN of a role alias.
    #[must_use]
    pub const fn role_alias(scope: Scope, alias: RoleAliasName) -> Self {
        Self { scope, resource: Resource::RoleAlias(alias) }
    }

    /// The ARN of a certificate provider.
    #[must_use]
    pub const fn certificate_provider(scope: Scope, name: CertificateProviderName) -> Self {
        Self { scope, resource: Resource::CertificateProvider(name) }
    }

    /// The ARN of a provisioning template.
    #[must_use]
    pub const fn provisioning_template(scope: Scope, name: ProvisioningTemplateName) -> Self {
        Self { scope, resource: Resource::ProvisioningTemplate(name) }
    }

    /// Reads `arn:<partition>:iot:<region>:<account>:<type>/<name>`. A known type with a malformed name is refused.
    ///
    /// # Errors
    /// [`InvalidArn`] when a part is missing or malformed, or the service is not `iot`.
    pub fn parse(text: &str) -> Result<Self, InvalidArn> {
        let mut parts = text.splitn(6, ':');
        let mut part = || parts.next().ok_or(InvalidArn);
        if part()? != "arn" {
            return Err(InvalidArn);
        }
        let partition = part()?;
        if part()? != "iot" {
            return Err(InvalidArn);
        }
        let region: Region = part()?.parse().map_err(|_| InvalidArn)?;
        let account: AccountId = part()?.parse().map_err(|_| InvalidArn)?;
        if partition != region.partition() {
            return Err(InvalidArn);
        }
        let resource = part()?;
        if let Some(name) = resource.strip_prefix("certificateprovider:") {
            let name = name.parse().map_err(|_| InvalidArn)?;
            return Ok(Self::certificate_provider(Scope::new(account, region), name));
        }
        let (kind, name) = resource.split_once('/').ok_or(InvalidArn)?;
        if kind.is_empty() || name.is_empty() {
            return Err(InvalidArn);
        }
        let resource = match kind {
            "cert" => Resource::Certificate(name.parse().map_err(|_| InvalidArn)?),
            "policy" => Resource::Policy(name.parse().map_err(|_| InvalidArn)?),
            "thing" => Resource::Thing(name.parse().map_err(|_| InvalidArn)?),
            "thinggroup" => Resource::ThingGroup(name.parse().map_err(|_| InvalidArn)?),
            "thingtype" => Resource::ThingType(name.parse().map_err(|_| InvalidArn)?),
            "billinggroup" => Resource::BillingGroup(name.parse().map_err(|_| InvalidArn)?),
            "rolealias" => Resource::RoleAlias(name.parse().map_err(|_| InvalidArn)?),
            "provisioningtemplate" => Resource::ProvisioningTemplate(name.parse().map_err(|_| InvalidArn)?),
            _ => Resource::Other(resource.to_owned()),
        };
        Ok(Self { scope: Scope::new(account, region), resource })
    }
}

/// Whether a principal is the id of a Cognito identity: `<region>:<uuid>` (API reference, AttachThingPrincipal).
#[must_use]
pub fn is_cognito_identity(principal: &str) -> bool {
    let Some((region, id)) = principal.split_once(':') else { return false };
    let groups: Vec<&str> = id.split('-').collect();
    region.parse::<Region>().is_ok()
        && groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()))
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(id) => write!(f, "cert/{id}"),
            Self::Policy(name) => write!(f, "policy/{name}"),
            Self::Thing(name) => write!(f, "thing/{name}"),
            Self::ThingGroup(name) => write!(f, "thinggroup/{name}"),
            Self::ThingType(name) => write!(f, "thingtype/{name}"),
            Self::BillingGroup(name) => write!(f, "billinggroup/{name}"),
            Self::RoleAlias(alias) => write!(f, "rolealias/{alias}"),
            Self::CertificateProvider(name) => write!(f, "certificateprovider:{name}"),
            Self::ProvisioningTemplate(name) => write!(f, "provisioningtemplate/{name}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Prefix(&self.scope), self.resource)
    }
}

/// The part of an ARN before the resource: `arn:aws:iot:<region>:<account>:`.
pub struct Prefix<'a>(pub &'a Scope);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:{}:iot:{}:{}:", self.0.region.partition(), self.0.region, self.0.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_reads_back_as_it_was_written() {
        let id = "ab".repeat(32);
        for text in [
            format!("arn:aws:iot:us-east-1:123456789012:cert/{id}"),
            "arn:aws:iot:us-east-1:123456789012:policy/p".into(),
            "arn:aws-cn:iot:cn-north-1:123456789012:thing/t:1".into(),
            "arn:aws:iot:us-east-1:123456789012:rolealias/a=b".into(),
            "arn:aws:iot:us-east-1:123456789012:thingtype/a:b".into(),
            "arn:aws:iot:us-east-1:123456789012:billinggroup/a_b".into(),
            "arn:aws:iot:us-east-1:123456789012:certificateprovider:a=b".into(),
            "arn:aws:iot:us-east-1:123456789012:provisioningtemplate/fleet_1".into(),
            "arn:aws:iot:us-east-1:123456789012:domainconfiguration/n/abcde".into(),
        ] {
            assert_eq!(Arn::parse(&text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn malformed_arns_are_refused() {
        for bad in [
            "",
            "arn",
            "arn:aws:s3:us-east-1:123456789012:thing/t",
            "arn:aws:iot:us-east-1:12345:thing/t",
            "arn:aws:iot:us-east-1:123456789012:thing",
            "arn:aws:iot:us-east-1:123456789012:thing/",
            "arn:aws:iot:us-east-1:123456789012:thing/../x",
            "arn:aws:iot:us-east-1:123456789012:cert/zz",
            "arn:aws:iot:us-east-1:123456789012:rolealias/a/b",
            "arn:aws:iot:us-east-1:123456789012:thingtype/a/b",
            "arn:aws:iot:us-east-1:123456789012:billinggroup/a=b",
            "arn:aws:iot:us-east-1:123456789012:certificateprovider:",
            "arn:aws:iot:us-east-1:123456789012:certificateprovider:a/b",
            "arn:aws:iot:us-east-1:123456789012:certificateprovider:a:b",
            "arn:aws:iot:us-east-1:123456789012:provisioningtemplate/a.b",
            "arn:aws:iot:cn-north-1:123456789012:thing/t",
        ] {
            assert!(Arn::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cognito_identity_is_a_region_and_a_uuid() {
        assert!(is_cognito_identity("us-east-1:0a1b2c3d-0000-4000-8000-0123456789AB"));
        for other in [
            "",
            "us-east-1:",
            "US:0a1b2c3d-0000-4000-8000-0123456789ab",
            "us-east-1:0a1b2c3d-0000-4000-8000-0123456789ax",
            "us-east-1:0a1b2c3d-0000-4000-8000-0123456789ab-",
            "arn:aws:iot:us-east-1:123456789012:thing/t",
        ] {
            assert!(!is_cognito_identity(other), "{other}");
        }
    }
}
