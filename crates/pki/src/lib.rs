//! Certificates in and out; the only crate that touches private keys
