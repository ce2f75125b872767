//! Certificates in and out; the only crate that touches private keys.
//!
//! In: [`certificate`] reads what devices present and owners register, [`csr`] what they want certified, and
//! [`answer`] what foreign issuers make of that; [`public_key`] and [`signature`] judge the keys and signatures in them, [`ca`] the authorities that owners register,
//! and [`chain`] finds the one that signed what a device presents. Out: [`authority`] keeps the roots and the
//! issuing key, [`issue`] makes device certificates, each recorded before it is signed. [`key_pair`] makes key pairs
//! for those who have none, and [`seal`] encrypts the secrets that the store must hold.
//!
//! [`server_bundles`] keeps the certificates and keys that operators bring for domains of their own.
//!
//! Private keys lie in one folder (`key_folder`), those that operators bring where they say, and leave this crate in two ways only: a device's pair, to the one
//! who asked for it, and the server's, to the TLS stack.

pub mod answer;
pub mod authority;
pub mod ca;
pub mod certificate;
pub mod chain;
pub mod csr;
mod dsa_key;
mod encoding;
mod extensions;
pub mod issue;
pub mod key_folder;
pub mod key_pair;
mod names;
mod pem;
pub mod public_key;
pub mod random;
pub mod seal;
pub mod server_bundle;
pub mod server_bundles;
mod server_certificate;
pub mod server_key;
pub mod signature;
mod signing_key;
