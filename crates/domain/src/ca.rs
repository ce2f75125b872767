//! CA certificates that accounts register to vouch for their devices: registration, changes, deletion, and what they may
//! register just in time. (API reference, RegisterCACertificate and UpdateCACertificate; developer guide, "Manage your CA
//! certificates" and "Just-in-time registration".)

mod provisioning;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::certificate::{CertificateMode, CertificateStatus, Claimed, UnknownWord, claim};
use crate::limits;
use crate::scope::Scope;
use crate::time::Timestamp;
use crate::validity;

pub use provisioning::{Provisioning, ProvisioningRefusal, may_provision_by, provisioning};

/// Whether a CA vouches for new certificates (service model, `CACertificateStatus`). Certificates that are registered
/// already do not care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CaStatus {
    /// It does.
    Active,
    /// It does not.
    Inactive,
}

impl CaStatus {
    /// The word of the service model: `ACTIVE` or `INACTIVE`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
        }
    }
}

impl fmt::Display for CaStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CaStatus {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Active, Self::Inactive].into_iter().find(|status| status.as_str() == text).ok_or(UnknownWord)
    }
}

/// Whether certificates of a CA are registered when they first connect (service model, `AutoRegistrationStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AutoRegistration {
    /// They are.
    Enable,
    /// They are not.
    Disable,
}

impl AutoRegistration {
    /// Whether it is enabled.
    #[must_use]
    pub const fn is_enabled(self) -> bool {
        matches!(self, Self::Enable)
    }

    /// The word of the service model: `ENABLE` or `DISABLE`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enable => "ENABLE",
            Self::Disable => "DISABLE",
        }
    }
}

impl From<bool> for AutoRegistration {
    fn from(is_enabled: bool) -> Self {
        if is_enabled { Self::Enable } else { Self::Disable }
    }
}

/// What a verification certificate must carry as its common name: 64 lower-case hex digits, printed as they are.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegistrationCode(String);

/// Not a registration code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a registration code: 64 lower-case hexadecimal digits are needed")]
pub struct InvalidRegistrationCode;

impl RegistrationCode {
    /// The code made of 32 random bytes.
    #[must_use]
    pub fn from_bytes(random: [u8; 32]) -> Self {
        use fmt::Write as _;
        let mut digits = String::with_capacity(64);
        for byte in random {
            // Writing into a string cannot fail.
            let _ = write!(digits, "{byte:02x}");
        }
        Self(digits)
    }

    /// The 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a certificate with these common names in its subject carries the code. It must be the only one: a subject
    /// with several could be made to serve several purposes.
    #[must_use]
    pub fn is_carried_by<S: AsRef<str>>(&self, common_names: &[S]) -> bool {
        matches!(common_names, [only] if only.as_ref() == self.0)
    }
}

impl FromStr for RegistrationCode {
    type Err = InvalidRegistrationCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_code = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_code { Ok(Self(text.to_owned())) } else { Err(InvalidRegistrationCode) }
    }
}

impl TryFrom<String> for RegistrationCode {
    type Error = InvalidRegistrationCode;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RegistrationCode> for String {
    fn from(code: RegistrationCode) -> Self {
        code.0
    }
}

impl fmt::Display for RegistrationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RegistrationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why mode and verification certificate do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationRefusal {
    /// A DEFAULT registration claims the CA for one account, so its key must be shown.
    #[error(
        "a verification certificate is needed to register a CA certificate in DEFAULT mode: sign one with the CA's key, its common name the code that GetRegistrationCode returns"
    )]
    VerificationMissing,
    /// An SNI_ONLY registration claims nothing.
    #[error("a verification certificate is not allowed in SNI_ONLY mode: leave it out, or register in DEFAULT mode")]
    VerificationNotAllowed,
}

/// RegisterCACertificate: does the mode go with a verification certificate, or with none?
///
/// # Errors
/// [`RegistrationRefusal`] names the rule that stands against it.
pub const fn registration(mode: CertificateMode, is_verification_given: bool) -> Result<(), RegistrationRefusal> {
    match (mode, is_verification_given) {
        (CertificateMode::Default, true) | (CertificateMode::SniOnly, false) => Ok(()),
        (CertificateMode::Default, false) => Err(RegistrationRefusal::VerificationMissing),
        (CertificateMode::SniOnly, true) => Err(RegistrationRefusal::VerificationNotAllowed),
    }
}

/// Why a scope cannot have a CA certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimRefusal {
    /// It has it.
    #[error("The CA certificate is already registered")]
    AlreadyRegistered,
    /// Another account of the Region has it in DEFAULT mode.
    #[error("Cannot accept this CACertificate")]
    ClaimedElsewhere,
    /// It has as many with the same subject as it may have.
    #[error("Limit reached for number of CA Certificates with same subject")]
    SubjectLimit,
}

/// RegisterCACertificate: may `scope` have this CA in `mode`? `registered` are the scopes that have it, `same_subject` is
/// the number of CA certificates with its subject in `scope`.
///
/// # Errors
/// The first [`ClaimRefusal`] that stands against it.
pub fn may_claim(
    registered: &[(Scope, CertificateMode)],
    scope: Scope,
    mode: CertificateMode,
    same_subject: usize,
) -> Result<(), ClaimRefusal> {
    claim(registered, scope, mode).map_err(|claimed| match claimed {
        Claimed::Here => ClaimRefusal::AlreadyRegistered,
        Claimed::Elsewhere => ClaimRefusal::ClaimedElsewhere,
    })?;
    if same_subject >= limits::CA_CERTIFICATES_PER_SUBJECT {
        return Err(ClaimRefusal::SubjectLimit);
    }
    Ok(())
}

/// What UpdateCACertificate can change. `C` is the registration configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaSettings<C> {
    /// Whether it vouches for new certificates.
    pub status: CaStatus,
    /// Whether it registers them when they first connect.
    pub auto_registration: AutoRegistration,
    /// How they are provisioned then.
    pub registration_config: Option<C>,
}

/// What UpdateCACertificate is asked for: each part on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaChange<C> {
    /// `newStatus`
    pub status: Option<CaStatus>,
    /// `newAutoRegistrationStatus`
    pub auto_registration: Option<AutoRegistration>,
    /// `registrationConfig`
    pub registration_config: Option<C>,
    /// `removeAutoRegistration`: drop the registration configuration.
    pub remove_auto_registration: bool,
}

/// A registration configuration is to be set and removed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("removeAutoRegistration and registrationConfig exclude each other: leave one of them out")]
pub struct CaChangeRefusal;

/// UpdateCACertificate: the settings after the change. When they equal the settings before, nothing is to be written.
///
/// # Errors
/// [`CaChangeRefusal`] when the change contradicts itself.
pub fn change<C>(current: CaSettings<C>, change: CaChange<C>) -> Result<CaSettings<C>, CaChangeRefusal> {
    let registration_config = match (change.remove_auto_registration, change.registration_config) {
        (true, Some(_)) => return Err(CaChangeRefusal),
        (true, None) => None,
        (false, Some(config)) => Some(config),
        (false, None) => current.registration_config,
    };
    Ok(CaSettings {
        status: change.status.unwrap_or(current.status),
        auto_registration: change.auto_registration.unwrap_or(current.auto_registration),
        registration_config,
    })
}

/// The CA certificate is ACTIVE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is ACTIVE: set it to INACTIVE before deleting it")]
pub struct CaDeletionRefusal;

/// DeleteCACertificate: may it go? Certificates that it signed stay.
///
/// # Errors
/// [`CaDeletionRefusal`] while it is ACTIVE.
pub const fn may_delete(status: CaStatus) -> Result<(), CaDeletionRefusal> {
    match status {
        CaStatus::Active => Err(CaDeletionRefusal),
        CaStatus::Inactive => Ok(()),
    }
}

/// A registered CA, as far as it counts when an unknown certificate that it signed turns up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Whether it vouches for new certificates.
    pub status: CaStatus,
    /// Whether it registers them when they first connect.
    pub auto_registration: AutoRegistration,
    /// The mode that they get.
    pub mode: CertificateMode,
    /// First moment of its validity.
    pub not_before: Timestamp,
    /// Last moment of its validity.
    pub not_after: Timestamp,
}

/// Why a CA vouches for no new certificate, however it is to be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VouchRefusal {
    /// It is INACTIVE.
    Inactive,
    /// It is outside its validity.
    OutsideValidity,
}

impl Issuer {
    /// Does it vouch for new certificates at `now`?
    ///
    /// # Errors
    /// The first [`VouchRefusal`] that stands against it.
    pub fn vouches(&self, now: Timestamp) -> Result<(), VouchRefusal> {
        if self.status == CaStatus::Inactive {
            return Err(VouchRefusal::Inactive);
        }
        if !validity::contains(self.not_before, self.not_after, now) {
            return Err(VouchRefusal::OutsideValidity);
        }
        Ok(())
    }
}

/// The connection of an unknown certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstContact {
    /// Whether SNI named an endpoint.
    pub endpoint_named: bool,
    /// First moment of the certificate's validity.
    pub not_before: Timestamp,
    /// Last moment of the certificate's validity.
    pub not_after: Timestamp,
}

/// What is registered just in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoRegistered {
    /// The status of the new certificate.
    pub status: CertificateStatus,
    /// Its mode.
    pub mode: CertificateMode,
}

/// Why a certificate is not registered just in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AutoRegistrationRefusal {
    /// The account cannot be guessed.
    #[error("the host name in the TLS ClientHello (SNI) names no endpoint, which just-in-time registration needs")]
    EndpointNotNamed,
    /// The CA is switched off.
    #[error("its CA certificate is INACTIVE: UpdateCACertificate --new-status ACTIVE switches it on")]
    CaInactive,
    /// The CA does not do it.
    #[error(
        "its CA certificate does not register certificates just in time: UpdateCACertificate --new-auto-registration-status ENABLE makes it do so"
    )]
    AutoRegistrationDisabled,
    /// The CA is outside its validity.
    #[error("its CA certificate is outside its validity period")]
    CaOutsideValidity,
    /// The certificate is outside its validity.
    #[error("the certificate is outside its validity period")]
    OutsideValidity,
}

/// Just-in-time registration: is this unknown certificate, signed by `ca`, registered at `now`? Both JITR and JITP begin so.
///
/// # Errors
/// The first [`AutoRegistrationRefusal`] that stands against it.
pub fn auto_register(
    ca: &Issuer,
    contact: &FirstContact,
    now: Timestamp,
) -> Result<AutoRegistered, AutoRegistrationRefusal> {
    if !contact.endpoint_named {
        return Err(AutoRegistrationRefusal::EndpointNotNamed);
    }
    ca.vouches(now).map_err(|refusal| match refusal {
        VouchRefusal::Inactive => AutoRegistrationRefusal::CaInactive,
        VouchRefusal::OutsideValidity => AutoRegistrationRefusal::CaOutsideValidity,
    })?;
    if !ca.auto_registration.is_enabled() {
        return Err(AutoRegistrationRefusal::AutoRegistrationDisabled);
    }
    if !validity::contains(contact.not_before, contact.not_after, now) {
        return Err(AutoRegistrationRefusal::OutsideValidity);
    }
    Ok(AutoRegistered { status: CertificateStatus::PendingActivation, mode: ca.mode })
}

#[cfg(test)]
mod tests;
