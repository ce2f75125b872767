//! The keys that the authority signs with.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use der::asn1::ObjectIdentifier;
use zeroize::Zeroizing;

use crate::encoding::{oid, sequence};

/// The kinds of keys the authority uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    P256,
    Rsa2048,
}

/// The cryptography library refused to make, read or use a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cryptography library refuses the key")]
pub struct KeyFailure;

/// A private key that signs with SHA-256.
pub(crate) enum SigningKey {
    P256(EcdsaKeyPair),
    Rsa2048(RsaKeyPair),
}

impl SigningKey {
    /// Makes a key, and its PKCS #8 form.
    pub(crate) fn generate(kind: KeyKind) -> Result<(Self, Zeroizing<Vec<u8>>), KeyFailure> {
        let pkcs8 = match kind {
            KeyKind::P256 => {
                let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
                    .map_err(|_| KeyFailure)?;
                Zeroizing::new(document.as_ref().to_vec())
            }
            KeyKind::Rsa2048 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyFailure)?;
                let document: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyFailure)?;
                Zeroizing::new(document.as_ref().to_vec())
            }
        };
        Ok((Self::from_pkcs8(kind, &pkcs8)?, pkcs8))
    }

    pub(crate) fn from_pkcs8(kind: KeyKind, pkcs8: &[u8]) -> Result<Self, KeyFailure> {
        match kind {
            KeyKind::P256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8).map(Self::P256).map_err(|_| KeyFailure)
            }
            KeyKind::Rsa2048 => RsaKeyPair::from_pkcs8(pkcs8).map(Self::Rsa2048).map_err(|_| KeyFailure),
        }
    }

    /// The public key's SubjectPublicKeyInfo, as DER.
    pub(crate) fn spki_der(&self) -> Result<Vec<u8>, KeyFailure> {
        let der = match self {
            Self::P256(key) => key.public_key().as_der(),
            Self::Rsa2048(key) => key.public_key().as_der(),
        };
        der.map(|der| der.as_ref().to_vec()).map_err(|_| KeyFailure)
    }

    /// The AlgorithmIdentifier of its signatures: ecdsa-with-SHA256 or sha256WithRSAEncryption.
    pub(crate) fn signature_algorithm_der(&self) -> Vec<u8> {
        const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
        const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
        match self {
            Self::P256(_) => sequence(&[&oid(ECDSA_WITH_SHA256)]),
            // RFC 4055, 5: the parameters are NULL.
            Self::Rsa2048(_) => sequence(&[&oid(SHA256_WITH_RSA), &[5, 0]]),
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyFailure> {
        match self {
            Self::P256(key) => {
                let signature = key.sign(&SystemRandom::new(), message).map_err(|_| KeyFailure)?;
                Ok(signature.as_ref().to_vec())
            }
            Self::Rsa2048(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(|_| KeyFailure)?;
                Ok(signature)
            }
        }
    }
}
