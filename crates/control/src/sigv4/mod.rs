//! AWS Signature Version 4, the verifying side, as pure functions over the parts of a request (AWS: "Signature Version 4
//! signing process"; the rules of services other than S3).
//!
//! A door first reads the [`Authorization`], which gives access key and Region; then finds the secret and derives the
//! [`SigningKey`] (or takes it from the [`SigningKeyCache`]); then calls [`verify`]. What was signed is the path as
//! [`normalised_path`] returns it: a door that finds its operation by any other form of the path can be led astray.

mod authorization;
mod canonical;
mod error;
mod key;
mod presigned;
mod sign;
mod stamp;
mod verify;

pub use authorization::{Authorization, CredentialScope};
pub use canonical::normalised_path;
pub use error::{Fault, Part, SigV4Error};
pub use key::{SigningKey, SigningKeyCache};
pub use presigned::is_signature_parameter;
pub use sign::{Signer, s3_path};
pub use stamp::Day;
pub use verify::{SignedRequest, verify};

#[cfg(test)]
mod tests;
