//! Names of things, policies, role aliases, certificate providers, domain configurations and provisioning templates, valid
//! by construction.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A name that does not satisfy its rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be 1 to {longest} characters of {alphabet}")]
pub struct InvalidName {
    what: &'static str,
    longest: usize,
    alphabet: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $alphabet:literal, $allowed:expr) => {
        name!($(#[$doc])* $type, $what, 128, $alphabet, $allowed);
    };
    ($(#[$doc:meta])* $type:ident, $what:literal, $longest:literal, $alphabet:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let allowed: fn(u8) -> bool = $allowed;
                if (1..=$longest).contains(&text.len()) && text.bytes().all(allowed) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidName { what: $what, longest: $longest, alphabet: $alphabet })
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.as_str().to_owned()
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

name!(
    /// The name of a policy: `[\w+=,.@-]{1,128}` (service model, `PolicyName`).
    PolicyName,
    "a policy name",
    "letters, digits and _+=,.@-",
    |b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b)
);

impl PolicyName {
    /// The name of the policy that a provisioning template's document makes: the first 160 bits of the document's SHA-256
    /// in upper-case hex, the form that AWS shows. The same document has the same name.
    #[must_use]
    pub fn of_document(sha256: &[u8; 32]) -> Self {
        Self(sha256.iter().take(20).map(|byte| format!("{byte:02X}")).collect::<String>().into())
    }
}

name!(
    /// The name of a thing, thing type, thing group or billing group: `[a-zA-Z0-9:_-]{1,128}` (service model,
    /// `ThingName`).
    ThingName,
    "a thing name",
    "letters, digits and :_-",
    |b| b.is_ascii_alphanumeric() || b":_-".contains(&b)
);

name!(
    /// The name of a role alias: `[\w=,@-]{1,128}` (service model, `RoleAlias`). Capitals count.
    RoleAliasName,
    "a role alias",
    "letters, digits and _=,@-",
    |b| b.is_ascii_alphanumeric() || b"_=,@-".contains(&b)
);

name!(
    /// The name of a certificate provider: `[\w=,@-]{1,128}` (service model, `CertificateProviderName`).
    CertificateProviderName,
    "a certificate provider name",
    "letters, digits and _=,@-",
    |b| b.is_ascii_alphanumeric() || b"_=,@-".contains(&b)
);

name!(
    /// The name of a domain configuration: `[\w.:-]{1,128}` (service model, `ReservedDomainConfigurationName`).
    DomainConfigurationName,
    "a domain configuration name",
    "letters, digits and _.:-",
    |b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b)
);

name!(
    /// The name of a provisioning template: `[0-9A-Za-z_-]{1,36}` (service model, `TemplateName`). Capitals count.
    ProvisioningTemplateName,
    "the name of a provisioning template",
    36,
    "letters, digits and _-",
    |b| b.is_ascii_alphanumeric() || b"_-".contains(&b)
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_names_its_policy_by_forty_digits() {
        let name = PolicyName::of_document(&[0xab; 32]);
        assert_eq!(name.as_str(), "AB".repeat(20));
        assert_eq!(name.as_str().parse(), Ok(name));
    }

    #[test]
    fn names_keep_to_their_alphabet() {
        assert!("a+=,.@-_9".parse::<PolicyName>().is_ok());
        assert!("a:_-9".parse::<ThingName>().is_ok());
        assert!("a=,@-_9".parse::<RoleAliasName>().is_ok());
        assert!("a=,@-_9".parse::<CertificateProviderName>().is_ok());
        for bad in ["", "../x", "a/b", "a\0b", "é", "a b", &"x".repeat(129)] {
            assert!(bad.parse::<PolicyName>().is_err(), "{bad:?}");
            assert!(bad.parse::<ThingName>().is_err(), "{bad:?}");
            assert!(bad.parse::<RoleAliasName>().is_err(), "{bad:?}");
            assert!(bad.parse::<CertificateProviderName>().is_err(), "{bad:?}");
            assert!(bad.parse::<ProvisioningTemplateName>().is_err(), "{bad:?}");
        }
        assert!("a_-9Z".parse::<ProvisioningTemplateName>().is_ok());
        assert!("x".repeat(36).parse::<ProvisioningTemplateName>().is_ok());
        for bad in ["a:b", "a.b", "a=b", &"x".repeat(37)] {
            assert!(bad.parse::<ProvisioningTemplateName>().is_err(), "{bad:?}");
        }
    }
}
