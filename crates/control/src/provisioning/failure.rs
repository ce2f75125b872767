//! Why provisioning did not succeed.

use std::fmt;

use gatehouse_domain::fleet_provisioning::FleetError;

use crate::error::{Code, Error};

/// Why provisioning did not succeed; nothing of it is left behind.
#[derive(Debug)]
pub struct Failure {
    /// What kind of refusal it is, as devices are told.
    pub kind: FleetError,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(kind: FleetError, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Something that the template names is not there, or may not be used so.
    pub(crate) fn unusable(message: impl Into<String>) -> Self {
        Self::new(FleetError::ResourceRegistrationFailure, message)
    }

    /// What an operation refused, which is of `kind` unless it says that it is something more particular.
    pub(crate) fn of(error: Error, kind: FleetError) -> Self {
        match error {
            Error::Refused(refused) => {
                let kind = match refused.code {
                    Code::ThrottlingException => FleetError::Throttling,
                    Code::ServiceUnavailableException => FleetError::ServiceUnavailable,
                    Code::AccessDeniedException => FleetError::AccessDenied,
                    _ => kind,
                };
                Self::new(kind, refused.message)
            }
            Error::Store(error) => error.into(),
            Error::Internal(error) => internal(&error),
        }
    }
}

/// A failure of ours: the log tells what happened, the other side that it happened.
fn internal(error: &dyn fmt::Display) -> Failure {
    tracing::error!(%error, "provisioning failed");
    Failure::new(FleetError::InternalError, "an internal failure: try again later")
}

impl From<gatehouse_store::Error> for Failure {
    fn from(error: gatehouse_store::Error) -> Self {
        match error {
            gatehouse_store::Error::Conflict => {
                Self::new(FleetError::ServiceUnavailable, "others changed the same things again and again: try again")
            }
            gatehouse_store::Error::Unavailable(_) => {
                tracing::error!(%error, "provisioning: the store cannot be used");
                Self::new(FleetError::ServiceUnavailable, "the registry cannot be used at the moment: try again later")
            }
            _ => internal(&error),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for Failure {}

/// As RegisterThing tells it.
impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let code = match failure.kind {
            FleetError::InvalidPayload | FleetError::InvalidParameters | FleetError::InvalidCsr => {
                Code::InvalidRequestException
            }
            FleetError::ResourceConflict => Code::ConflictingResourceUpdateException,
            FleetError::AccessDenied => Code::AccessDeniedException,
            FleetError::Throttling => Code::ThrottlingException,
            FleetError::ServiceUnavailable => Code::ServiceUnavailableException,
            FleetError::InternalError => return Self::Internal(failure.message),
            FleetError::InvalidCertificateOwnershipToken
            | FleetError::ResourceNotFound
            | FleetError::TemplateDisabled
            | FleetError::ResourceRegistrationFailure => Code::ResourceRegistrationFailureException,
        };
        Self::refused(code, failure.message)
    }
}
