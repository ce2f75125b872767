//! Client certificates: their id, their status and the moves between statuses. Transfers between accounts have their own
//! file.

mod transfer;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::scope::Scope;

pub use transfer::{Offer, Transfer, TransferEnd, TransferEndRefusal, TransferRefusal, TransferState, begin_transfer};

/// The SHA-256 of a certificate's DER: how the registry names it. Printed as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CertificateId([u8; 32]);

/// Not a certificate id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a certificate id: 64 hexadecimal digits (the SHA-256 of the certificate's DER) are needed")]
pub struct InvalidCertificateId;

impl CertificateId {
    /// From the 32 bytes of the digest.
    #[must_use]
    pub const fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The 32 bytes of the digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for CertificateId {
    type Err = InvalidCertificateId;

    /// Upper-case digits are taken too, as the model's pattern allows them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(InvalidCertificateId);
        }
        let nibble = |digit: u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            b'A'..=b'F' => Ok(digit - b'A' + 10),
            _ => Err(InvalidCertificateId),
        };
        let mut digest = [0; 32];
        for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Ok(Self(digest))
    }
}

impl TryFrom<String> for CertificateId {
    type Error = InvalidCertificateId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CertificateId> for String {
    fn from(id: CertificateId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The states of a certificate in the registry (service model, `CertificateStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CertificateStatus {
    /// May connect, within its validity.
    Active,
    /// Switched off; may be switched on again.
    Inactive,
    /// Switched off for good.
    Revoked,
    /// Offered to another account, not yet accepted.
    PendingTransfer,
    /// Deprecated by AWS; kept because the model has it.
    RegisterInactive,
    /// Made by provisioning, not yet activated.
    PendingActivation,
}

impl CertificateStatus {
    /// Every status.
    pub const ALL: [Self; 6] = [
        Self::Active,
        Self::Inactive,
        Self::Revoked,
        Self::PendingTransfer,
        Self::RegisterInactive,
        Self::PendingActivation,
    ];

    /// The word of the service model, e.g. `PENDING_TRANSFER`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Revoked => "REVOKED",
            Self::PendingTransfer => "PENDING_TRANSFER",
            Self::RegisterInactive => "REGISTER_INACTIVE",
            Self::PendingActivation => "PENDING_ACTIVATION",
        }
    }
}

impl fmt::Display for CertificateStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CertificateStatus {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownWord)
    }
}

/// A word that is none of the enumeration's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown word")]
pub struct UnknownWord;

/// Whether SNI must name the account (service model, `CertificateMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CertificateMode {
    /// One account per Region; the account can be found without SNI.
    Default,
    /// Any number of accounts; SNI must name the endpoint.
    SniOnly,
}

impl CertificateMode {
    /// The word of the service model: `DEFAULT` or `SNI_ONLY`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "DEFAULT",
            Self::SniOnly => "SNI_ONLY",
        }
    }
}

impl FromStr for CertificateMode {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Default, Self::SniOnly].into_iter().find(|mode| mode.as_str() == text).ok_or(UnknownWord)
    }
}

/// Why a certificate does not move to the status asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatusRefusal {
    /// The status asked for is never set by a caller.
    #[error("a certificate cannot be set to {0}: use ACTIVE, INACTIVE or REVOKED")]
    NotSettable(CertificateStatus),
    /// A revoked certificate stays revoked.
    #[error("the certificate is REVOKED, and the status of a revoked certificate is final: register a new certificate")]
    Revoked,
    /// Only accepting, rejecting or cancelling the transfer moves it.
    #[error("the certificate is PENDING_TRANSFER: accept, reject or cancel the transfer first")]
    PendingTransfer,
}

/// The outcome of an accepted UpdateCertificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusChange {
    /// The certificate already has the status; nothing is written.
    Unchanged,
    /// The certificate moves to the status.
    To(CertificateStatus),
}

impl CertificateStatus {
    /// What a certificate is that is issued: ACTIVE when that is asked for (`setAsActive`), else INACTIVE.
    #[must_use]
    pub const fn of_new(set_as_active: bool) -> Self {
        if set_as_active { Self::Active } else { Self::Inactive }
    }
}

/// UpdateCertificate: may a certificate in `current` be set to `wanted`? (API reference, UpdateCertificate.)
///
/// # Errors
/// [`StatusRefusal`] names the rule that stands against it.
pub const fn change_status(
    current: CertificateStatus,
    wanted: CertificateStatus,
) -> Result<StatusChange, StatusRefusal> {
    use CertificateStatus as S;
    match (current, wanted) {
        (_, S::PendingTransfer | S::RegisterInactive | S::PendingActivation) => Err(StatusRefusal::NotSettable(wanted)),
        (S::PendingTransfer, _) => Err(StatusRefusal::PendingTransfer),
        (S::Active, S::Active) | (S::Inactive, S::Inactive) | (S::Revoked, S::Revoked) => Ok(StatusChange::Unchanged),
        (S::Revoked, _) => Err(StatusRefusal::Revoked),
        (S::Active | S::Inactive | S::RegisterInactive | S::PendingActivation, _) => Ok(StatusChange::To(wanted)),
    }
}

/// AttachPolicy and AttachThingPrincipal: may something be attached? Not while the certificate is offered to another
/// account, because attachments stay behind.
///
/// # Errors
/// [`StatusRefusal::PendingTransfer`].
pub const fn may_attach(status: CertificateStatus) -> Result<(), StatusRefusal> {
    match status {
        CertificateStatus::PendingTransfer => Err(StatusRefusal::PendingTransfer),
        CertificateStatus::Active
        | CertificateStatus::Inactive
        | CertificateStatus::Revoked
        | CertificateStatus::RegisterInactive
        | CertificateStatus::PendingActivation => Ok(()),
    }
}

/// RegisterCertificate and RegisterCertificateWithoutCA: the status a caller may register with. Absent is INACTIVE.
///
/// # Errors
/// [`RegisterStatusRefusal`] for a status that only the service itself gives.
pub const fn register_status(wanted: Option<CertificateStatus>) -> Result<CertificateStatus, RegisterStatusRefusal> {
    use CertificateStatus as S;
    match wanted {
        None => Ok(S::Inactive),
        Some(status @ (S::Active | S::Inactive | S::Revoked)) => Ok(status),
        Some(status @ (S::PendingTransfer | S::RegisterInactive | S::PendingActivation)) => {
            Err(RegisterStatusRefusal(status))
        }
    }
}

/// The status is not one that a certificate may be registered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Not allowed to register certificate with {0} status")]
pub struct RegisterStatusRefusal(pub CertificateStatus);

/// What DeleteCertificate needs to know about a certificate.
#[derive(Clone, Copy, Debug)]
pub struct Deletion {
    /// Its status.
    pub status: CertificateStatus,
    /// How many things it is attached to.
    pub attached_things: u32,
    /// How many policies are attached to it.
    pub attached_policies: u32,
    /// Whether attached policies are to be detached (`forceDelete`).
    pub force: bool,
}

/// Why a certificate cannot be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionRefusal {
    /// It is ACTIVE.
    Active,
    /// It is offered to another account.
    PendingTransfer,
    /// Things are attached.
    ThingsAttached,
    /// Policies are attached and `forceDelete` is not set.
    PoliciesAttached,
}

/// DeleteCertificate: may it go? `forceDelete` overrides attached policies only.
///
/// # Errors
/// The first rule that stands against it, in the order AWS reports them.
pub const fn may_delete(deletion: Deletion) -> Result<(), DeletionRefusal> {
    match deletion.status {
        CertificateStatus::Active => return Err(DeletionRefusal::Active),
        CertificateStatus::PendingTransfer => return Err(DeletionRefusal::PendingTransfer),
        CertificateStatus::Inactive
        | CertificateStatus::Revoked
        | CertificateStatus::RegisterInactive
        | CertificateStatus::PendingActivation => {}
    }
    if deletion.attached_things > 0 {
        return Err(DeletionRefusal::ThingsAttached);
    }
    if deletion.attached_policies > 0 && !deletion.force {
        return Err(DeletionRefusal::PoliciesAttached);
    }
    Ok(())
}

/// Who has what a scope wants to register: a certificate, or a CA certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The scope itself.
    Here,
    /// Another account of the Region, in DEFAULT mode.
    Elsewhere,
}

/// May `scope` register it in `mode`? `registered` are the scopes that have it.
///
/// One account of a Region has it in DEFAULT mode. SNI_ONLY registrations elsewhere neither prevent that nor are prevented
/// by it: they are made without any proof, so a stranger could otherwise shut out the owner of the key.
///
/// # Errors
/// Who has it.
pub fn claim(registered: &[(Scope, CertificateMode)], scope: Scope, mode: CertificateMode) -> Result<(), Claimed> {
    if registered.iter().any(|(other, _)| *other == scope) {
        return Err(Claimed::Here);
    }
    let claims = |mode| mode == CertificateMode::Default;
    if claims(mode) && registered.iter().any(|(other, mode)| other.region == scope.region && claims(*mode)) {
        return Err(Claimed::Elsewhere);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_is_64_hex_digits_and_prints_lower_case() {
        let id: CertificateId = "AB".repeat(32).parse().unwrap();
        assert_eq!(id.to_string(), "ab".repeat(32));
        for bad in ["", "ab", &"zz".repeat(32), &"ab".repeat(33), &format!("0x{}", "ab".repeat(31))] {
            let read = bad.parse::<CertificateId>();
            assert!(read.is_err(), "{bad}");
        }
    }

    #[test]
    fn the_status_machine_is_this_table() {
        use CertificateStatus as S;
        use StatusChange as C;
        let table = [
            (S::Active, S::Active, Ok(C::Unchanged)),
            (S::Active, S::Inactive, Ok(C::To(S::Inactive))),
            (S::Active, S::Revoked, Ok(C::To(S::Revoked))),
            (S::Inactive, S::Active, Ok(C::To(S::Active))),
            (S::Inactive, S::Inactive, Ok(C::Unchanged)),
            (S::Inactive, S::Revoked, Ok(C::To(S::Revoked))),
            (S::PendingActivation, S::Active, Ok(C::To(S::Active))),
            (S::PendingActivation, S::Inactive, Ok(C::To(S::Inactive))),
            (S::PendingActivation, S::Revoked, Ok(C::To(S::Revoked))),
            (S::Revoked, S::Active, Err(StatusRefusal::Revoked)),
            (S::Revoked, S::Inactive, Err(StatusRefusal::Revoked)),
            (S::Revoked, S::Revoked, Ok(C::Unchanged)),
            (S::PendingTransfer, S::Active, Err(StatusRefusal::PendingTransfer)),
            (S::PendingTransfer, S::Inactive, Err(StatusRefusal::PendingTransfer)),
            (S::PendingTransfer, S::Revoked, Err(StatusRefusal::PendingTransfer)),
        ];
        for (current, wanted, outcome) in table {
            assert_eq!(change_status(current, wanted), outcome, "{current} to {wanted}");
        }
        for current in S::ALL {
            for wanted in [S::PendingTransfer, S::PendingActivation, S::RegisterInactive] {
                assert_eq!(change_status(current, wanted), Err(StatusRefusal::NotSettable(wanted)));
            }
        }
    }

    proptest! {
        #[test]
        fn no_sequence_of_updates_leaves_revoked(moves in proptest::collection::vec(0..6usize, 0..40)) {
            let mut status = CertificateStatus::Inactive;
            let mut was_revoked = false;
            for wanted in moves.into_iter().map(|i| CertificateStatus::ALL[i]) {
                if let Ok(StatusChange::To(next)) = change_status(status, wanted) {
                    status = next;
                }
                was_revoked |= status == CertificateStatus::Revoked;
                prop_assert!(!was_revoked || status == CertificateStatus::Revoked);
            }
        }
    }

    #[test]
    fn deletion_is_refused_in_the_order_aws_reports() {
        let inactive =
            Deletion { status: CertificateStatus::Inactive, attached_things: 0, attached_policies: 0, force: false };
        let cases = [
            (inactive, Ok(())),
            (Deletion { status: CertificateStatus::Revoked, ..inactive }, Ok(())),
            (Deletion { status: CertificateStatus::PendingActivation, ..inactive }, Ok(())),
            (Deletion { status: CertificateStatus::Active, force: true, ..inactive }, Err(DeletionRefusal::Active)),
            (
                Deletion { status: CertificateStatus::PendingTransfer, force: true, ..inactive },
                Err(DeletionRefusal::PendingTransfer),
            ),
            (
                Deletion { attached_things: 1, attached_policies: 1, force: true, ..inactive },
                Err(DeletionRefusal::ThingsAttached),
            ),
            (Deletion { attached_policies: 1, ..inactive }, Err(DeletionRefusal::PoliciesAttached)),
            (Deletion { attached_policies: 1, force: true, ..inactive }, Ok(())),
        ];
        for (deletion, outcome) in cases {
            assert_eq!(may_delete(deletion), outcome, "{deletion:?}");
        }
    }
}
