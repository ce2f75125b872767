//! Rules of provisioning templates as registered things: type, role, hook, versions, deletion (API reference,
//! CreateProvisioningTemplate and UpdateProvisioningTemplate). What a template says is [`crate::provisioning`]'s.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::arn::Prefix;
use crate::certificate::UnknownWord;
use crate::function::{FunctionArn, InvalidFunctionArn};
use crate::limits;
use crate::name::ProvisioningTemplateName;
use crate::provisioning::TemplateKind;
use crate::role_alias::{InvalidRoleArn, RoleArn};
use crate::scope::Scope;

/// Who provisions by a template (service model, `TemplateType`). It never changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TemplateType {
    /// Devices that ask for a certificate.
    #[default]
    #[serde(rename = "FLEET_PROVISIONING")]
    FleetProvisioning,
    /// CAs, for devices that connect with a certificate of theirs.
    #[serde(rename = "JITP")]
    Jitp,
}

impl TemplateType {
    /// The word of the service model: `FLEET_PROVISIONING` or `JITP`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FleetProvisioning => "FLEET_PROVISIONING",
            Self::Jitp => "JITP",
        }
    }

    /// How its body is read.
    #[must_use]
    pub const fn kind(self) -> TemplateKind {
        match self {
            Self::FleetProvisioning => TemplateKind::Fleet,
            Self::Jitp => TemplateKind::JustInTime,
        }
    }
}

impl FromStr for TemplateType {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::FleetProvisioning, Self::Jitp].into_iter().find(|of_type| of_type.as_str() == text).ok_or(UnknownWord)
    }
}

impl fmt::Display for TemplateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The form in which a pre-provisioning hook is asked. There is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PayloadVersion {
    /// `2020-04-01`
    #[default]
    V20200401,
}

impl PayloadVersion {
    /// The word of the API: `2020-04-01`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V20200401 => "2020-04-01",
        }
    }
}

impl FromStr for PayloadVersion {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == Self::V20200401.as_str() { Ok(Self::V20200401) } else { Err(UnknownWord) }
    }
}

/// A function that is asked before a device is provisioned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// How it is asked.
    pub payload_version: PayloadVersion,
    /// The function.
    pub target_arn: FunctionArn,
}

/// Nobody provisions by a claim on this template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the template is of type JITP: claims are made on templates of type FLEET_PROVISIONING")]
pub struct NotClaimable;

/// CreateProvisioningClaim: may there be claims on a template of this type?
///
/// # Errors
/// [`NotClaimable`] for one that CAs provision by.
pub const fn may_be_claimed(of_type: TemplateType) -> Result<(), NotClaimable> {
    match of_type {
        TemplateType::FleetProvisioning => Ok(()),
        TemplateType::Jitp => Err(NotClaimable),
    }
}

/// What the holder of a claim on the template `name` of `scope` may do: ask for certificates, and register a thing by this
/// template (API reference, CreateProvisioningClaim). A policy document.
#[must_use]
pub fn claim_policy(scope: Scope, name: &ProvisioningTemplateName) -> String {
    let prefix = Prefix(&scope);
    let resources = |kind: &str| {
        let topics = ["$aws/certificates/create/*", "$aws/certificates/create-from-csr/*"];
        // A template's name has no character that means something in a policy.
        let template = format!("$aws/provisioning-templates/{name}/provision/*");
        let arn = |topic: &str| format!("\"{prefix}{kind}/{topic}\"");
        [arn(topics[0]), arn(topics[1]), arn(&template)].join(",")
    };
    format!(
        r#"{{"Version":"2012-10-17","Statement":[
        {{"Effect":"Allow","Action":"iot:Connect","Resource":"{prefix}client/*"}},
        {{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":[{}]}},
        {{"Effect":"Allow","Action":"iot:Subscribe","Resource":[{}]}}]}}"#,
        resources("topic"),
        resources("topicfilter")
    )
}

/// Why a template is not as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateRefusal {
    /// Not a role.
    #[error("provisioningRoleArn: {0}")]
    Role(#[from] InvalidRoleArn),
    /// A role can be passed within its account only (IAM user guide, "Granting a user permissions to pass a role").
    #[error("provisioningRoleArn: {0} is a role of another account: use one of this account")]
    RoleOfAnotherAccount(RoleArn),
    /// Nobody would ask the hook.
    #[error("preProvisioningHook: hooks are for templates of type FLEET_PROVISIONING")]
    HookForJitp,
    /// Another form.
    #[error("preProvisioningHook.payloadVersion: {} is the only one there is", PayloadVersion::V20200401.as_str())]
    PayloadVersion,
    /// Not a function.
    #[error("preProvisioningHook.targetArn: {0}")]
    Function(#[from] InvalidFunctionArn),
    /// What devices say is not carried to other tenants.
    #[error("preProvisioningHook.targetArn: {0} is not a function of this account and Region: use one that is")]
    FunctionElsewhere(FunctionArn),
    /// A hook is to be set and removed at once.
    #[error("removePreProvisioningHook and preProvisioningHook exclude each other: leave one of them out")]
    HookSetAndRemoved,
    /// The scope has all it may have.
    #[error(
        "the account has the maximum number of provisioning templates ({}) in this Region: delete one first",
        limits::PROVISIONING_TEMPLATES
    )]
    TooMany,
}

/// The role that a template of `scope` is to provision with.
///
/// # Errors
/// [`TemplateRefusal::Role`] or [`TemplateRefusal::RoleOfAnotherAccount`].
pub fn role(scope: Scope, arn: &str) -> Result<RoleArn, TemplateRefusal> {
    let role: RoleArn = arn.parse()?;
    if role.account() == scope.account { Ok(role) } else { Err(TemplateRefusal::RoleOfAnotherAccount(role)) }
}

/// The hook of a template of `scope`; without a payload version, the one there is.
///
/// # Errors
/// [`TemplateRefusal`] names the rule that stands against it.
pub fn hook(
    scope: Scope,
    of_type: TemplateType,
    payload_version: Option<&str>,
    target_arn: &str,
) -> Result<Hook, TemplateRefusal> {
    if of_type != TemplateType::FleetProvisioning {
        return Err(TemplateRefusal::HookForJitp);
    }
    let payload_version = payload_version.map_or(Ok(PayloadVersion::default()), str::parse);
    let payload_version = payload_version.map_err(|_| TemplateRefusal::PayloadVersion)?;
    let target_arn: FunctionArn = target_arn.parse()?;
    if target_arn.scope() != scope {
        return Err(TemplateRefusal::FunctionElsewhere(target_arn));
    }
    Ok(Hook { payload_version, target_arn })
}

/// UpdateProvisioningTemplate: the hook after the change.
///
/// # Errors
/// [`TemplateRefusal::HookSetAndRemoved`] when the change contradicts itself.
pub fn changed_hook(
    current: Option<Hook>,
    wanted: Option<Hook>,
    is_removed: bool,
) -> Result<Option<Hook>, TemplateRefusal> {
    match (wanted, is_removed) {
        (Some(_), true) => Err(TemplateRefusal::HookSetAndRemoved),
        (Some(hook), false) => Ok(Some(hook)),
        (None, true) => Ok(None),
        (None, false) => Ok(current),
    }
}

/// CreateProvisioningTemplate: may a scope with `count` templates get another?
///
/// # Errors
/// [`TemplateRefusal::TooMany`] at 256.
pub const fn may_create(count: u32) -> Result<(), TemplateRefusal> {
    if count < limits::PROVISIONING_TEMPLATES { Ok(()) } else { Err(TemplateRefusal::TooMany) }
}

/// A template has all the versions that it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("has the maximum number of versions ({}): delete one first", limits::PROVISIONING_TEMPLATE_VERSIONS)]
pub struct TooManyVersions;

/// CreateProvisioningTemplateVersion: may a template with `versions` versions get another?
///
/// # Errors
/// [`TooManyVersions`] at five.
pub const fn may_add_version(versions: u32) -> Result<(), TooManyVersions> {
    if versions < limits::PROVISIONING_TEMPLATE_VERSIONS { Ok(()) } else { Err(TooManyVersions) }
}

/// Why a template or a version of it stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeletionRefusal {
    /// It is the version that is provisioned by.
    #[error("is the default version: set another default first, or delete the template")]
    IsDefault,
    /// CA certificates provision by the template.
    #[error("is named in the registrationConfig of CA certificates: change them first")]
    InUse,
}

/// DeleteProvisioningTemplateVersion: may `version` go, when `default` is provisioned by?
///
/// # Errors
/// [`DeletionRefusal::IsDefault`] for the default.
pub const fn may_delete_version(version: i64, default: i64) -> Result<(), DeletionRefusal> {
    if version == default { Err(DeletionRefusal::IsDefault) } else { Ok(()) }
}

/// DeleteProvisioningTemplate: may a template go that is named by CA certificates, or by none?
///
/// # Errors
/// [`DeletionRefusal::InUse`] while it is named.
pub const fn may_delete(is_named: bool) -> Result<(), DeletionRefusal> {
    if is_named { Err(DeletionRefusal::InUse) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope::new("123456789012".parse().unwrap(), "us-east-1".parse().unwrap())
    }

    const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:f";

    #[test]
    fn a_claim_is_good_for_one_template_and_nothing_else() {
        use crate::policy::{ConnectionContext, ConnectionFacts, PolicyDocument, Request, evaluate};
        use crate::time::Timestamp;

        let scope = Scope::new("123456789012".parse().unwrap(), "us-east-1".parse().unwrap());
        let document = PolicyDocument::parse(&claim_policy(scope, &"t_1".parse().unwrap())).unwrap();
        let facts = ConnectionFacts::default();
        let context = ConnectionContext::new(&facts, Timestamp::from_secs(1));
        for (action, resource, is_allowed) in [
            ("iot:Connect", "client/anything", true),
            ("iot:Publish", "topic/$aws/certificates/create/json", true),
            ("iot:Publish", "topic/$aws/certificates/create-from-csr/cbor", true),
            ("iot:Publish", "topic/$aws/provisioning-templates/t_1/provision/json", true),
            ("iot:Receive", "topic/$aws/provisioning-templates/t_1/provision/json/accepted", true),
            ("iot:Subscribe", "topicfilter/$aws/certificates/create/json/accepted", true),
            ("iot:Subscribe", "topicfilter/$aws/certificates/create/+/accepted", true),
            ("iot:Publish", "topic/$aws/provisioning-templates/t_2/provision/json", false),
            ("iot:Publish", "topic/$aws/provisioning-templates/t_1x/provision/json", false),
            ("iot:Publish", "topic/a", false),
            ("iot:Subscribe", "topicfilter/$aws/#", false),
            ("iot:Subscribe", "topicfilter/$aws/events/#", false),
            ("iot:Subscribe", "topicfilter/#", false),
            ("iot:RetainPublish", "topic/$aws/certificates/create/json", false),
        ] {
            let resource = &format!("arn:aws:iot:us-east-1:123456789012:{resource}");
            let request = Request { action, resource, context: &context };
            assert_eq!(evaluate([&document], &request).is_allowed(), is_allowed, "{action} {resource}");
        }
    }

    #[test]
    fn types_are_words_of_the_model() {
        for of_type in [TemplateType::FleetProvisioning, TemplateType::Jitp] {
            assert_eq!(of_type.as_str().parse(), Ok(of_type));
            assert_eq!(serde_json::to_value(of_type).unwrap(), of_type.as_str());
        }
        assert!("jitp".parse::<TemplateType>().is_err());
        assert_eq!(TemplateType::default().kind(), TemplateKind::Fleet);
        assert_eq!(TemplateType::Jitp.kind(), TemplateKind::JustInTime);
    }

    #[test]
    fn the_role_is_one_of_the_account() {
        assert!(role(scope(), "arn:aws:iam::123456789012:role/r").is_ok());
        let other = "arn:aws:iam::210987654321:role/r";
        assert_eq!(role(scope(), other), Err(TemplateRefusal::RoleOfAnotherAccount(other.parse().unwrap())));
        assert_eq!(role(scope(), "r"), Err(TemplateRefusal::Role(InvalidRoleArn)));
    }

    #[test]
    fn a_hook_is_a_function_of_the_scope_and_asked_in_the_one_form_there_is() {
        let fleet = TemplateType::FleetProvisioning;
        let expected = Hook { payload_version: PayloadVersion::V20200401, target_arn: FUNCTION.parse().unwrap() };
        assert_eq!(hook(scope(), fleet, None, FUNCTION), Ok(expected.clone()));
        assert_eq!(hook(scope(), fleet, Some("2020-04-01"), FUNCTION), Ok(expected));
        assert_eq!(hook(scope(), fleet, Some("2021-04-01"), FUNCTION), Err(TemplateRefusal::PayloadVersion));
        assert_eq!(hook(scope(), TemplateType::Jitp, None, FUNCTION), Err(TemplateRefusal::HookForJitp));
        assert_eq!(hook(scope(), fleet, None, "f"), Err(TemplateRefusal::Function(InvalidFunctionArn)));
        for elsewhere in [FUNCTION.replace("us-east-1", "eu-west-1"), FUNCTION.replace("123456789012", "210987654321")]
        {
            let refused = hook(scope(), fleet, None, &elsewhere);
            assert_eq!(refused, Err(TemplateRefusal::FunctionElsewhere(elsewhere.parse().unwrap())));
        }
    }

    #[test]
    fn a_hook_is_set_or_removed_or_stays() {
        let hook = |name: &str| {
            Some(Hook {
                payload_version: PayloadVersion::default(),
                target_arn: format!("{FUNCTION}{name}").parse().unwrap(),
            })
        };
        assert_eq!(changed_hook(hook("1"), None, false), Ok(hook("1")));
        assert_eq!(changed_hook(hook("1"), hook("2"), false), Ok(hook("2")));
        assert_eq!(changed_hook(hook("1"), None, true), Ok(None));
        assert_eq!(changed_hook(None, None, true), Ok(None));
        assert_eq!(changed_hook(None, hook("2"), true), Err(TemplateRefusal::HookSetAndRemoved));
    }

    #[test]
    fn numbers_have_bounds_and_what_is_in_use_stays() {
        assert_eq!((may_create(255), may_create(256)), (Ok(()), Err(TemplateRefusal::TooMany)));
        assert_eq!((may_add_version(4), may_add_version(5)), (Ok(()), Err(TooManyVersions)));
        assert_eq!((may_delete_version(1, 2), may_delete_version(2, 2)), (Ok(()), Err(DeletionRefusal::IsDefault)));
        assert_eq!((may_delete(false), may_delete(true)), (Ok(()), Err(DeletionRefusal::InUse)));
    }
}
