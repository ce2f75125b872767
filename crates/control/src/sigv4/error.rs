//! Why a signature was not accepted: a closed list, each with AWS's name for it and a sentence for the caller. No
//! sentence repeats a key, a token, or the signature that would have been right.

use std::fmt;

use gatehouse_domain::time::Timestamp;
use http::HeaderName;

/// Why a request's signature was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigV4Error {
    /// No `Authorization` header.
    #[error("the request has no Authorization header: sign it with AWS Signature Version 4")]
    NotSigned,
    /// A part of the authorization is missing or cannot be read.
    #[error("{part} {fault}")]
    Incomplete {
        /// Which part.
        part: Part,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The credential is for another service.
    #[error("the credential is scoped to another service: scope it to '{expected}'")]
    WrongService {
        /// The service to sign for.
        expected: &'static str,
    },
    /// The credential is for a Region that is not served. Made by the door, which knows the Regions.
    #[error("the credential is scoped to a Region that is not served here")]
    WrongRegion,
    /// The day in the credential is not the day of the request's date.
    #[error("the date in the credential is not the UTC day of the request's date")]
    WrongDay,
    /// The request's date lies too far in the past.
    #[error("signature expired: it was made at {signed}, which is more than {} before the server's {now}", span(*.life_secs))]
    Expired {
        /// When the request says it was signed.
        signed: Timestamp,
        /// The present.
        now: Timestamp,
        /// How long it was good, in seconds.
        life_secs: i64,
    },
    /// The request's date lies too far in the future.
    #[error(
        "signature not yet current: it was made at {signed}, which is more than 15 minutes after the server's {now}"
    )]
    NotYetCurrent {
        /// When the request says it was signed.
        signed: Timestamp,
        /// The present.
        now: Timestamp,
    },
    /// A header that must be signed is not in `SignedHeaders`.
    #[error("the header '{0}' is not signed: add it to SignedHeaders")]
    HeaderNotSigned(HeaderName),
    /// `SignedHeaders` names a header that did not arrive.
    #[error("the header '{0}' is in SignedHeaders and did not arrive with the request")]
    SignedHeaderAbsent(HeaderName),
    /// `x-amz-content-sha256` is not the hash of the body.
    #[error("the header 'x-amz-content-sha256' is not the lower-case hex SHA-256 of the body that arrived")]
    PayloadHash,
    /// The signature is not the one that this key makes for this request.
    #[error(
        "the signature does not match the request: check the secret access key, and that nothing between client and \
         server changes method, path, query, signed headers or body"
    )]
    Mismatch,
    /// The access key does not exist, has expired, or came with a wrong session token.
    #[error("The security token included in the request is invalid.")]
    UnrecognizedClient,
}

impl SigV4Error {
    /// AWS's name for the error.
    #[must_use]
    pub const fn aws_name(&self) -> &'static str {
        match self {
            Self::NotSigned => "MissingAuthenticationTokenException",
            Self::Incomplete { .. } => "IncompleteSignatureException",
            Self::WrongService { .. }
            | Self::WrongRegion
            | Self::WrongDay
            | Self::Expired { .. }
            | Self::NotYetCurrent { .. }
            | Self::HeaderNotSigned(_)
            | Self::SignedHeaderAbsent(_)
            | Self::PayloadHash
            | Self::Mismatch => "InvalidSignatureException",
            Self::UnrecognizedClient => "UnrecognizedClientException",
        }
    }

    pub(super) const fn incomplete(part: Part, fault: Fault) -> Self {
        Self::Incomplete { part, fault }
    }
}

fn span(secs: i64) -> String {
    if secs % 60 == 0 { format!("{} minutes", secs / 60) } else { format!("{secs} seconds") }
}

/// A part of what a signed request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The `Authorization` header as a whole.
    Authorization,
    /// `X-Amz-Algorithm` in the query.
    Algorithm,
    /// `X-Amz-Expires` in the query.
    Expires,
    /// `Credential` in the `Authorization` header, or `X-Amz-Credential` in the query.
    Credential,
    /// `SignedHeaders` in the `Authorization` header, or its like in the query.
    SignedHeaders,
    /// `Signature` in the `Authorization` header, or its like in the query.
    Signature,
    /// The header `X-Amz-Date`.
    AmzDate,
    /// The header `Date`, which counts when there is no `X-Amz-Date`.
    Date,
    /// The header `X-Amz-Security-Token`.
    SecurityToken,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authorization => "the Authorization header",
            Self::Algorithm => "X-Amz-Algorithm in the query",
            Self::Expires => "X-Amz-Expires in the query",
            Self::Credential => "the signature's Credential",
            Self::SignedHeaders => "the signature's SignedHeaders",
            Self::Signature => "the signature itself",
            Self::AmzDate => "X-Amz-Date",
            Self::Date => "the header Date",
            Self::SecurityToken => "X-Amz-Security-Token",
        })
    }
}

/// What is wrong with a [`Part`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Absent.
    Missing,
    /// There more than once.
    Repeated,
    /// Larger than is taken.
    TooLong,
    /// Not of the form described.
    Malformed(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Repeated => f.write_str("is given more than once"),
            Self::TooLong => f.write_str("is too long"),
            Self::Malformed(form) => write!(f, "must be {form}"),
        }
    }
}
