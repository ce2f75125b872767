//! What a control call can end in: AWS's error names as one enum that knows its HTTP status, and the one mapping from
//! our failures to them.

use std::borrow::Cow;

use gatehouse_domain::arn::Arn;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:literal,)*) => {
        /// The error names of the API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name on the wire (`x-amzn-ErrorType`).
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The HTTP status (service model; front-end errors as AWS answers them).
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
        }
    };
}

codes! {
    /// Malformed input, or a combination that makes no sense.
    InvalidRequestException = 400,
    /// The named resource does not exist in the scope.
    ResourceNotFoundException = 404,
    /// The name or certificate is taken.
    ResourceAlreadyExistsException = 409,
    /// The certificate's status forbids the operation.
    CertificateStateException = 406,
    /// The certificate's text or content is not acceptable.
    CertificateValidationException = 400,
    /// Several registered CAs could be meant.
    CertificateConflictException = 409,
    /// The verification certificate does not carry the registration code.
    RegistrationCodeValidationException = 400,
    /// Policies or things are attached to what is to be transferred.
    TransferConflictException = 409,
    /// The transfer is over.
    TransferAlreadyCompletedException = 410,
    /// Something is still attached.
    DeleteConflictException = 409,
    /// The policy document is not acceptable.
    MalformedPolicyException = 400,
    /// Five versions exist.
    VersionsLimitExceededException = 409,
    /// `expectedVersion` does not match.
    VersionConflictException = 409,
    /// Others changed the same thing.
    ConflictingResourceUpdateException = 409,
    /// What a template says cannot be done.
    ResourceRegistrationFailureException = 400,
    /// A quota is reached.
    LimitExceededException = 410,
    /// Too many requests.
    ThrottlingException = 400,
    /// Cannot be answered now.
    ServiceUnavailableException = 503,
    /// A failure of ours.
    InternalFailureException = 500,
    /// The caller's policy does not allow the call.
    AccessDeniedException = 403,
    /// The request carries no signature.
    MissingAuthenticationTokenException = 403,
    /// The signature is incomplete.
    IncompleteSignatureException = 403,
    /// The signature does not match.
    InvalidSignatureException = 403,
    /// The access key or session token is unknown.
    UnrecognizedClientException = 403,
    /// No operation has this method and path.
    UnknownOperationException = 404,
    /// The operation exists in AWS's model and not here yet.
    NotImplementedException = 501,
    /// The body is larger than the API takes.
    RequestEntityTooLargeException = 413,
}

/// Why a control call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The call is refused; the caller sees all of it.
    #[error("{}: {}", .0.code.name(), .0.message)]
    Refused(Refused),
    /// The store failed; the caller sees that, and no more.
    #[error(transparent)]
    Store(#[from] gatehouse_store::Error),
    /// Anything else that is not the caller's fault.
    #[error("{0}")]
    Internal(String),
}

/// A refusal as the caller sees it.
#[derive(Debug)]
pub struct Refused {
    /// The error's name.
    pub code: Code,
    /// What is wrong, and what to do about it.
    pub message: Cow<'static, str>,
    /// Id and ARN of the resource in the way (`ResourceAlreadyExistsException`).
    pub existing: Option<(String, String)>,
}

impl Error {
    /// A refusal with `code` and `message`.
    pub fn refused(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(Refused { code, message: bounded(message.into()), existing: None })
    }

    /// `InvalidRequestException`.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::refused(Code::InvalidRequestException, message)
    }

    /// `ResourceNotFoundException`.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::refused(Code::ResourceNotFoundException, message)
    }

    /// `ResourceAlreadyExistsException` naming the resource in the way.
    pub fn already_exists(message: impl Into<Cow<'static, str>>, id: impl Into<String>, arn: &Arn) -> Self {
        Self::Refused(Refused {
            code: Code::ResourceAlreadyExistsException,
            message: bounded(message.into()),
            existing: Some((id.into(), arn.to_string())),
        })
    }
}

/// Bytes of a message at most.
const MESSAGE_BYTES: usize = 8 * 1024;

/// Messages quote what they refuse, and that may be as long as a request: neither answers nor logs become so.
fn bounded(message: Cow<'static, str>) -> Cow<'static, str> {
    if message.len() <= MESSAGE_BYTES {
        return message;
    }
    let end = message.floor_char_boundary(MESSAGE_BYTES);
    format!("{}…", message.get(..end).unwrap_or_default()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(bounded("é".repeat(4096).into()), "é".repeat(4096));
        assert_eq!(bounded(format!("x{}", "é".repeat(4096)).into()), format!("x{}…", "é".repeat(4095)));
    }
}
