//! Rules of certificate providers: one of a scope, and the same request makes it once.

use crate::limits;
use crate::name::CertificateProviderName;

/// A request that makes, or has made, a certificate provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    /// The name it gives.
    pub name: CertificateProviderName,
    /// The SHA-256 of its `clientToken`, if it has one.
    pub token_sha256: Option<[u8; 32]>,
    /// The SHA-256 of all else that it says.
    pub request_sha256: [u8; 32],
}

/// What becomes of a request that is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreationOutcome {
    /// The provider is made.
    Make,
    /// The very request has made it already: it gets the same answer.
    MadeAlready,
}

/// Why no certificate provider is made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreationRefusal {
    /// The scope has it already.
    #[error("certificate provider {0} exists already in this account and Region")]
    NameTaken(CertificateProviderName),
    /// The scope has another.
    #[error(
        "the account has the maximum number of certificate providers ({max}) in this Region: delete {name} first",
        max = limits::CERTIFICATE_PROVIDERS,
        name = .0
    )]
    TooMany(CertificateProviderName),
    /// The token came with another request.
    #[error("clientToken: another request was made with this token: use a new one for each request")]
    TokenUsed,
}

/// CreateCertificateProvider: what becomes of `wanted` in a scope that has what `existing` made? A token is known as long
/// as the provider that it made.
///
/// # Errors
/// [`CreationRefusal`] names the rule that stands against it.
pub fn create(existing: Option<&Creation>, wanted: &Creation) -> Result<CreationOutcome, CreationRefusal> {
    let Some(existing) = existing else { return Ok(CreationOutcome::Make) };
    if wanted.token_sha256.is_some() && wanted.token_sha256 == existing.token_sha256 {
        return if existing == wanted { Ok(CreationOutcome::MadeAlready) } else { Err(CreationRefusal::TokenUsed) };
    }
    if existing.name == wanted.name {
        Err(CreationRefusal::NameTaken(existing.name.clone()))
    } else {
        Err(CreationRefusal::TooMany(existing.name.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn creation(name: &str, token: u8, request: u8) -> Creation {
        let token_sha256 = (token > 0).then_some([token; 32]);
        Creation { name: name.parse().unwrap(), token_sha256, request_sha256: [request; 32] }
    }

    #[test]
    fn a_scope_has_one_provider_and_a_token_stands_for_one_request() {
        use CreationOutcome::{MadeAlready, Make};
        use CreationRefusal::{NameTaken, TokenUsed, TooMany};
        let a = || "a".parse().unwrap();
        for (existing, wanted, expected) in [
            (None, ("a", 1, 1), Ok(Make)),
            (None, ("a", 0, 1), Ok(Make)),
            (Some(("a", 1, 1)), ("a", 1, 1), Ok(MadeAlready)),
            (Some(("a", 1, 1)), ("a", 1, 2), Err(TokenUsed)),
            (Some(("a", 1, 1)), ("b", 1, 1), Err(TokenUsed)),
            (Some(("a", 1, 1)), ("a", 2, 1), Err(NameTaken(a()))),
            (Some(("a", 1, 1)), ("a", 0, 1), Err(NameTaken(a()))),
            (Some(("a", 0, 1)), ("a", 0, 1), Err(NameTaken(a()))),
            (Some(("a", 0, 1)), ("a", 1, 1), Err(NameTaken(a()))),
            (Some(("a", 1, 1)), ("b", 2, 1), Err(TooMany(a()))),
            (Some(("a", 0, 1)), ("b", 0, 1), Err(TooMany(a()))),
            // Capitals make another name.
            (Some(("a", 0, 1)), ("A", 0, 1), Err(TooMany(a()))),
        ] {
            let made = |(name, token, request)| creation(name, token, request);
            let (existing, wanted) = (existing.map(made), made(wanted));
            assert_eq!(create(existing.as_ref(), &wanted), expected, "{existing:?} {wanted:?}");
        }
    }
}
