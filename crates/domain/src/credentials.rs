//! Rules of the credential provider: who may ask for credentials, and the closed list of ways to be refused
//! (developer guide, "Authorizing direct calls to AWS services using AWS IoT Core credential provider").

use std::fmt;

use crate::arn::Arn;
use crate::certificate::CertificateId;
use crate::name::RoleAliasName;
use crate::policy::{Context, Decision, PolicyDocument, Request, evaluate};
use crate::scope::Scope;

/// The policy action that credentials are asked for with.
const ACTION: &str = "iot:AssumeRoleWithCertificate";

/// Whether these policies of a certificate let it have credentials by `alias`. AWS asks before it looks whether the
/// alias exists.
pub fn may_assume<'p>(
    policies: impl IntoIterator<Item = &'p PolicyDocument>,
    scope: Scope,
    alias: &RoleAliasName,
    context: &dyn Context,
) -> Decision {
    let resource = Arn::role_alias(scope, alias.clone()).to_string();
    evaluate(policies, &Request { action: ACTION, resource: &resource, context })
}

/// Characters of the name of a role session (STS API reference, AssumeRole).
const SESSION_NAME_CHARACTERS: usize = 64;

/// The name under which a certificate's sessions appear in the records of a token service.
#[must_use]
pub fn session_name(certificate_id: CertificateId) -> String {
    certificate_id.to_string().chars().take(SESSION_NAME_CHARACTERS).collect()
}

/// Why a device gets no credentials, in the order in which it is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialRefusal {
    /// The certificate is not admitted here, or the host name is not the endpoint's.
    Certificate,
    /// The thing named is not attached to the certificate.
    ThingName,
    /// No policy of the certificate allows it.
    Policy,
    /// More was asked for in this second than a scope may.
    TooMany,
    /// The scope has no such role alias.
    RoleAlias,
    /// The role does not exist, or may not be assumed.
    Role,
    /// The alias asks for a longer life than the role allows.
    Duration,
    /// Whoever gives credentials cannot be reached or failed.
    Unavailable,
}

impl CredentialRefusal {
    /// Every refusal.
    pub const ALL: [Self; 8] = [
        Self::Certificate,
        Self::ThingName,
        Self::Policy,
        Self::TooMany,
        Self::RoleAlias,
        Self::Role,
        Self::Duration,
        Self::Unavailable,
    ];

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Certificate | Self::ThingName | Self::Policy => 403,
            Self::TooMany => 429,
            Self::RoleAlias => 404,
            Self::Role | Self::Duration => 400,
            Self::Unavailable => 503,
        }
    }

    /// The value of `x-amzn-ErrorType`.
    #[must_use]
    pub const fn error_type(self) -> &'static str {
        match self {
            Self::Certificate | Self::ThingName | Self::Policy => "AccessDeniedException",
            Self::TooMany => "ThrottlingException",
            Self::RoleAlias => "ResourceNotFoundException",
            Self::Role | Self::Duration => "InvalidRequestException",
            Self::Unavailable => "ServiceUnavailableException",
        }
    }

    /// The metric label and log field: kebab-case, stable.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::TooMany => "too-many",
            Self::ThingName => "thing-name",
            Self::Policy => "policy-denied",
            Self::RoleAlias => "role-alias",
            Self::Role => "role",
            Self::Duration => "duration",
            Self::Unavailable => "unavailable",
        }
    }
}

impl fmt::Display for CredentialRefusal {
    /// The `message` of the answer: AWS's words where they are known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "Certificate is invalid on this endpoint",
            Self::TooMany => "Rate exceeded",
            Self::ThingName => "Invalid thing name passed",
            Self::Policy => "Access Denied",
            Self::RoleAlias => "Role alias does not exist",
            Self::Role => "Unable to assume the role, or the role to assume does not exist",
            Self::Duration => "The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role",
            Self::Unavailable => "credentials cannot be given at the moment: try again",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::NoContext;

    #[test]
    fn a_policy_names_the_aliases_a_certificate_may_use() {
        let scope = Scope::new("123456789012".parse().unwrap(), "us-east-1".parse().unwrap());
        let document = PolicyDocument::parse(
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:AssumeRoleWithCertificate",
                "Resource":"arn:aws:iot:us-east-1:123456789012:rolealias/read*"}]}"#,
        )
        .unwrap();
        let decide = |policies: &[PolicyDocument], alias: &str| {
            may_assume(policies, scope, &alias.parse().unwrap(), &NoContext).is_allowed()
        };
        let policies = [document];
        assert!(decide(&policies, "reader"));
        assert!(!decide(&policies, "Reader"));
        assert!(!decide(&policies, "writer"));
        assert!(!decide(&[], "reader"));
        let elsewhere = Scope::new("210987654321".parse().unwrap(), scope.region);
        assert!(!may_assume(&policies, elsewhere, &"reader".parse().unwrap(), &NoContext).is_allowed());
    }

    #[test]
    fn the_whole_certificate_id_names_a_session() {
        let id = CertificateId::from_bytes([0xab; 32]);
        assert_eq!(session_name(id), id.to_string());
    }

    #[test]
    fn labels_differ() {
        let labels: std::collections::BTreeSet<_> = CredentialRefusal::ALL.iter().map(|r| r.label()).collect();
        assert_eq!(labels.len(), CredentialRefusal::ALL.len());
    }
}
