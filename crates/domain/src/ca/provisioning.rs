//! How certificates of a CA are provisioned when they turn up: `registrationConfig` (API reference, RegistrationConfig;
//! developer guide, "Just-in-time provisioning").

use crate::provisioning::{InvalidTemplate, Template, TemplateKind};
use crate::provisioning_template::TemplateType;
use crate::role_alias::{InvalidRoleArn, RoleArn};
use crate::scope::Scope;

/// The members of a registration configuration that go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provisioning<'a> {
    /// None: certificates are registered, and somebody else does the rest.
    Nothing,
    /// By a template of its own, with a role.
    Body(RoleArn),
    /// By a provisioning template that is registered, with that one's role.
    Template(&'a str),
}

/// Why a registration configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvisioningRefusal {
    /// Two templates.
    #[error("registrationConfig: templateBody and templateName exclude each other: leave one of them out")]
    TwoTemplates,
    /// A template of its own has no role.
    #[error("registrationConfig: templateBody needs roleArn, the role that is provisioned with")]
    RoleMissing,
    /// A role that nobody would use.
    #[error(
        "registrationConfig: roleArn goes with templateBody: the template that templateName names has its own role"
    )]
    RoleAlone,
    /// Not a role.
    #[error("registrationConfig.roleArn: {0}")]
    Role(#[from] InvalidRoleArn),
    /// A role can be passed within its account only.
    #[error("registrationConfig.roleArn: {0} is a role of another account: use one of this account")]
    RoleOfAnotherAccount(RoleArn),
    /// Not a template.
    #[error("registrationConfig.templateBody: the provisioning template is refused: {0}")]
    Template(#[from] InvalidTemplate),
    /// A template that is not for CAs.
    #[error(
        "registrationConfig.templateName: {0} is a template of type FLEET_PROVISIONING: one of type JITP is needed"
    )]
    FleetTemplate(String),
}

/// RegisterCACertificate and UpdateCACertificate: what a registration configuration in `scope` asks for.
///
/// # Errors
/// [`ProvisioningRefusal`] names the rule that stands against it.
pub fn provisioning<'a>(
    scope: Scope,
    template_body: Option<&str>,
    role_arn: Option<&str>,
    template_name: Option<&'a str>,
) -> Result<Provisioning<'a>, ProvisioningRefusal> {
    match (template_body, role_arn, template_name) {
        (None, None, None) => Ok(Provisioning::Nothing),
        (None, None, Some(name)) => Ok(Provisioning::Template(name)),
        (Some(body), Some(role), None) => {
            let _readable = Template::parse(body, TemplateKind::JustInTime)?;
            let role: RoleArn = role.parse()?;
            if role.account() != scope.account {
                return Err(ProvisioningRefusal::RoleOfAnotherAccount(role));
            }
            Ok(Provisioning::Body(role))
        }
        (Some(_), _, Some(_)) => Err(ProvisioningRefusal::TwoTemplates),
        (Some(_), None, None) => Err(ProvisioningRefusal::RoleMissing),
        (None, Some(_), _) => Err(ProvisioningRefusal::RoleAlone),
    }
}

/// May a CA provision by a registered template of this type?
///
/// # Errors
/// [`ProvisioningRefusal::FleetTemplate`] for one that devices ask for.
pub fn may_provision_by(name: &str, of_type: TemplateType) -> Result<(), ProvisioningRefusal> {
    match of_type {
        TemplateType::Jitp => Ok(()),
        TemplateType::FleetProvisioning => Err(ProvisioningRefusal::FleetTemplate(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"Resources":{"c":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateId":{"Ref":"AWS::IoT::Certificate::Id"}}}}}"#;
    const ROLE: &str = "arn:aws:iam::123456789012:role/r";

    fn of<'a>(
        body: Option<&str>,
        role: Option<&str>,
        name: Option<&'a str>,
    ) -> Result<Provisioning<'a>, ProvisioningRefusal> {
        let scope = Scope::new("123456789012".parse().unwrap(), "us-east-1".parse().unwrap());
        provisioning(scope, body, role, name)
    }

    #[test]
    fn a_ca_provisions_by_a_body_with_a_role_or_by_a_name() {
        assert_eq!(of(None, None, None), Ok(Provisioning::Nothing));
        assert_eq!(of(Some(BODY), Some(ROLE), None), Ok(Provisioning::Body(ROLE.parse().unwrap())));
        assert_eq!(of(None, None, Some("t")), Ok(Provisioning::Template("t")));
        assert_eq!(of(Some(BODY), None, None), Err(ProvisioningRefusal::RoleMissing));
        assert_eq!(of(None, Some(ROLE), None), Err(ProvisioningRefusal::RoleAlone));
        assert_eq!(of(None, Some(ROLE), Some("t")), Err(ProvisioningRefusal::RoleAlone));
        assert_eq!(of(Some(BODY), Some(ROLE), Some("t")), Err(ProvisioningRefusal::TwoTemplates));
        assert_eq!(of(Some(BODY), None, Some("t")), Err(ProvisioningRefusal::TwoTemplates));
    }

    #[test]
    fn body_and_role_are_what_they_must_be() {
        assert!(matches!(of(Some("{}"), Some(ROLE), None), Err(ProvisioningRefusal::Template(_))));
        let fleet = BODY.replace("{\"Resources\"", "{\"DeviceConfiguration\":{},\"Resources\"");
        assert!(matches!(of(Some(&fleet), Some(ROLE), None), Err(ProvisioningRefusal::Template(_))));
        assert_eq!(of(Some(BODY), Some("r"), None), Err(ProvisioningRefusal::Role(InvalidRoleArn)));
        let other = ROLE.replace("123456789012", "210987654321");
        let refused = of(Some(BODY), Some(&other), None);
        assert_eq!(refused, Err(ProvisioningRefusal::RoleOfAnotherAccount(other.parse().unwrap())));
        assert_eq!(may_provision_by("t", TemplateType::Jitp), Ok(()));
        assert!(may_provision_by("t", TemplateType::FleetProvisioning).is_err());
    }
}
