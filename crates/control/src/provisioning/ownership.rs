//! Certificate ownership tokens: who was given a certificate in fleet provisioning shows one when it registers a thing
//! with it (developer guide, "Device provisioning MQTT API"). A token is opaque: sealed, for one scope, one certificate and
//! one requester, for an hour.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::fleet_provisioning::FleetError;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use gatehouse_pki::seal::Sealer;
use serde::{Deserialize, Serialize};

use super::failure::Failure;

/// Characters of a token at most: longer ones are not ours.
const TOKEN_CHARACTERS: usize = 1024;

/// What a token says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ownership {
    pub(super) certificate_id: CertificateId,
    /// Who asked for the certificate.
    pub(super) principal: String,
    pub(super) expires_at: Timestamp,
}

/// What a token is for: it opens in its scope alone.
fn purpose(scope: Scope) -> String {
    format!("certificate ownership token in {scope}")
}

impl Ownership {
    pub(super) fn seal(&self, sealer: &Sealer, scope: Scope) -> Result<String, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::of(crate::error::Error::Internal(error.to_string()), FleetError::InternalError)
        };
        let plain = serde_json::to_vec(self).map_err(|error| failed(&error))?;
        let sealed = sealer.seal(purpose(scope).as_bytes(), &plain).map_err(|error| failed(&error))?;
        Ok(STANDARD.encode(sealed))
    }

    /// Opens the token that `principal` shows at `now`.
    ///
    /// # Errors
    /// `InvalidCertificateOwnershipToken`.
    pub(super) fn open(
        token: &str,
        sealer: &Sealer,
        scope: Scope,
        principal: &str,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        if token.is_empty() {
            // In AWS's words.
            return Err(refused("Certificate ownership token cannot be empty."));
        }
        let ours = || {
            if token.len() > TOKEN_CHARACTERS {
                return None;
            }
            let sealed = STANDARD.decode(token).ok()?;
            let plain = sealer.open(purpose(scope).as_bytes(), &sealed).ok()?;
            serde_json::from_slice::<Self>(&plain).ok()
        };
        let ownership = ours().ok_or_else(|| {
            refused("the certificate ownership token is none of this account and Region: use the one that came with the certificate")
        })?;
        if ownership.principal != principal {
            return Err(refused(
                "the certificate ownership token was given to another certificate: register the thing over a connection with \
                 the certificate that asked for the new one",
            ));
        }
        if now >= ownership.expires_at {
            return Err(refused("the certificate ownership token has expired: ask for another certificate"));
        }
        Ok(ownership)
    }
}

/// A token that is not accepted.
pub(super) fn refused(message: &str) -> Failure {
    Failure::new(FleetError::InvalidCertificateOwnershipToken, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn scope(account: u64) -> Scope {
        use gatehouse_domain::scope::AccountId;
        Scope::new(AccountId::from_number(account), "us-east-1".parse().unwrap())
    }

    fn sealer() -> Sealer {
        let folder = tempfile::tempdir().unwrap();
        Sealer::open_or_make(folder.path(), None).unwrap()
    }

    fn ownership() -> Ownership {
        let certificate_id = CertificateId::from_bytes([7; 32]);
        Ownership { certificate_id, principal: "claim".into(), expires_at: NOW.plus_millis(3_600_000) }
    }

    #[test]
    fn a_token_opens_for_whom_it_was_made_and_in_its_time() {
        let (sealer, another) = (sealer(), sealer());
        let token = ownership().seal(&sealer, scope(1)).unwrap();
        let open = |token: &str, sealer: &Sealer, scope, principal, now| {
            Ownership::open(token, sealer, scope, principal, now).map_err(|failure| failure.kind)
        };
        let end = ownership().expires_at;
        assert_eq!(open(&token, &sealer, scope(1), "claim", NOW), Ok(ownership()));
        assert_eq!(open(&token, &sealer, scope(1), "claim", end.plus_millis(-1)), Ok(ownership()));
        let refused = Err(FleetError::InvalidCertificateOwnershipToken);
        assert_eq!(open(&token, &sealer, scope(1), "claim", end), refused);
        assert_eq!(open(&token, &sealer, scope(2), "claim", NOW), refused);
        assert_eq!(open(&token, &sealer, scope(1), "other", NOW), refused);
        assert_eq!(open(&token, &another, scope(1), "claim", NOW), refused);
        assert_eq!(open("", &sealer, scope(1), "claim", NOW), refused);
        assert_eq!(open(&token.repeat(9), &sealer, scope(1), "claim", NOW), refused);
        // Sealed for something else.
        let other = STANDARD.encode(sealer.seal(b"secret", &serde_json::to_vec(&ownership()).unwrap()).unwrap());
        assert_eq!(open(&other, &sealer, scope(1), "claim", NOW), refused);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_changed_token_does_not_open(position in 0usize..1000, bit in 0u8..8, forged in ".{0,80}") {
            let sealer = sealer();
            let mut bytes = STANDARD.decode(ownership().seal(&sealer, scope(1)).unwrap()).unwrap();
            let position = position % bytes.len();
            bytes[position] ^= 1 << bit;
            prop_assert!(Ownership::open(&STANDARD.encode(bytes), &sealer, scope(1), "claim", NOW).is_err());
            prop_assert!(Ownership::open(&forged, &sealer, scope(1), "claim", NOW).is_err());
        }
    }
}
