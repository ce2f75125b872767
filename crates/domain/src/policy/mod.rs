//! What an admitted caller may do: policy documents, compiled once, asked per request.
//!
//! One engine serves AWS IoT policies (devices) and IAM-style policies (access keys): the grammar is the same, only the
//! service prefix of the actions differs. [`PolicyDocument::parse`] refuses what it does not understand; [`evaluate`]
//! answers a [`Request`] from a set of documents; [`explain`] says what one document contributes and which names it
//! could not look up. Values come from a [`Context`].
//!
//! Invariant: doubt never opens the gate. A variable without value, a value that cannot be read as the operator's type,
//! an ARN pattern with two readings: an Allow takes the narrow side, a Deny the wide one.
//!
//! Invariant: the value of a variable is literal. Patterns are matched token by token and never built from values, so
//! that `*` in a client id is an asterisk.

mod arn_pattern;
mod certificate_names;
mod condition;
mod context;
mod document;
mod evaluate;
#[cfg(test)]
mod examples;
mod key;
mod operand;
mod operator;
mod pattern;
#[cfg(test)]
mod properties;
mod statement;

pub use certificate_names::{
    AlternativeNameKind, AlternativeNames, CertificateNames, DistinguishedName, NameAttribute,
};
pub use context::{
    CallContext, ConnectAttributes, ConnectionContext, ConnectionFacts, Context, ContextValue, CredentialDevice,
    NoContext, ThingFacts,
};
pub use document::{InvalidPolicy, PolicyDocument};
pub use evaluate::{Decision, Explanation, Request, Verdict, evaluate, explain};
pub use key::{CertificateField, InvalidKey, Key, Party, Selection};
