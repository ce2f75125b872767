//! Signature algorithms: which are accepted, what the others are called, and their verification.

use std::fmt;

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use der::asn1::{AnyRef, ContextSpecific, ObjectIdentifier};
use der::{Decode as _, Reader as _, SliceReader, TagNumber};
use gatehouse_domain::key_quality::RsaKey;
use rsa::BoxedUint;
use rsa::sha2::{Sha256, Sha384, Sha512, digest::Digest, digest::FixedOutputReset};
use rsa::signature::Verifier as _;
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use crate::dsa_key::DsaKey;
use crate::public_key::{Curve, PublicKey, PublicKeyRefusal};

/// The digests accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    const fn bits(self) -> u32 {
        match self {
            Self::Sha256 => 256,
            Self::Sha384 => 384,
            Self::Sha512 => 512,
        }
    }

    const fn bytes(self) -> u32 {
        self.bits() / 8
    }
}

/// The algorithm that a certificate or a request is signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5.
    RsaPkcs1(Hash),
    /// RSASSA-PSS; MGF1 uses the same digest.
    RsaPss {
        /// The digest.
        hash: Hash,
        /// Length of the salt, in bytes.
        salt_bytes: u32,
    },
    /// DSA with SHA-256.
    DsaSha256,
    /// ECDSA.
    Ecdsa(Hash),
    /// Any other, by its usual name.
    Other(String),
}

impl SignatureAlgorithm {
    /// Whether it is one of the ten that AWS IoT takes on registered certificates (developer guide, "X.509 client
    /// certificates").
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        !matches!(self, Self::Other(_))
    }

    pub(crate) fn from_identifier(identifier: &AlgorithmIdentifierRef<'_>) -> Self {
        Self::from_parts(identifier.oid.as_bytes(), identifier.parameters.map(AnyRef::value))
    }

    /// From the contents of the object identifier and of the parameters.
    pub(crate) fn from_parts(oid: &[u8], parameters: Option<&[u8]>) -> Self {
        let Ok(oid) = ObjectIdentifier::from_bytes(oid) else { return Self::Other("an unreadable one".to_owned()) };
        match oid.to_string().as_str() {
            "1.2.840.113549.1.1.11" => Self::RsaPkcs1(Hash::Sha256),
            "1.2.840.113549.1.1.12" => Self::RsaPkcs1(Hash::Sha384),
            "1.2.840.113549.1.1.13" => Self::RsaPkcs1(Hash::Sha512),
            "1.2.840.113549.1.1.10" => read_pss(parameters.unwrap_or_default())
                .unwrap_or_else(|_| Self::Other("RSASSA-PSS with unreadable parameters".to_owned())),
            "1.2.840.10045.4.3.2" => Self::Ecdsa(Hash::Sha256),
            "1.2.840.10045.4.3.3" => Self::Ecdsa(Hash::Sha384),
            "1.2.840.10045.4.3.4" => Self::Ecdsa(Hash::Sha512),
            "2.16.840.1.101.3.4.3.2" => Self::DsaSha256,
            other => Self::Other(name_of(other)),
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    /// The name that AWS's documentation uses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RsaPkcs1(hash) => write!(f, "SHA{}WITHRSA", hash.bits()),
            Self::RsaPss { hash, .. } => write!(f, "SHA{}WITHRSAANDMGF1", hash.bits()),
            Self::DsaSha256 => f.write_str("DSA_WITH_SHA256"),
            Self::Ecdsa(hash) => write!(f, "ECDSA-WITH-SHA{}", hash.bits()),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureRefusal {
    /// The algorithm is none that is verified here.
    #[error("it is signed with {0}, which is not accepted: use {ACCEPTED}")]
    Algorithm(String),
    /// A salt that is not as long as the digest.
    #[error("the RSASSA-PSS salt has {0} bytes: use a salt as long as the digest")]
    Salt(u32),
    /// An RSA algorithm with an EC key, or the like.
    #[error("it is signed with {0}, which does not fit the key")]
    Mismatch(String),
    /// The key is one that nothing is computed with.
    #[error(transparent)]
    Key(#[from] PublicKeyRefusal),
    /// The signature is wrong.
    #[error("the signature does not verify with the key")]
    Wrong,
}

const ACCEPTED: &str = "RSA (PKCS #1 v1.5 or PSS) or ECDSA with SHA-256, SHA-384 or SHA-512";

/// Verifies the signature on a certificate, made with any of the ten algorithms, with the key in `spki`, a DER-encoded
/// SubjectPublicKeyInfo. Of the key, only the size is looked at. DSA takes tens of milliseconds: verify it where
/// nobody waits.
///
/// # Errors
/// Why the signature does not count.
pub fn verify_certificate_signature(
    spki: &[u8],
    algorithm: &SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureRefusal> {
    match algorithm {
        SignatureAlgorithm::DsaSha256 => match DsaKey::from_spki_der(spki)? {
            Some(key) => key.verify_sha256(message, signature),
            None => Err(SignatureRefusal::Mismatch(algorithm.to_string())),
        },
        SignatureAlgorithm::RsaPss { hash, salt_bytes } if *salt_bytes != hash.bytes() => {
            let PublicKey::Rsa(key) = PublicKey::from_spki_der(spki)? else {
                return Err(SignatureRefusal::Mismatch(algorithm.to_string()));
            };
            match hash {
                Hash::Sha256 => verify_pss::<Sha256>(&key, *salt_bytes, message, signature),
                Hash::Sha384 => verify_pss::<Sha384>(&key, *salt_bytes, message, signature),
                Hash::Sha512 => verify_pss::<Sha512>(&key, *salt_bytes, message, signature),
            }
        }
        _ => verify_signature(spki, algorithm, message, signature),
    }
}

/// RSASSA-PSS with any salt (RFC 8017, 8.1.2).
fn verify_pss<D: Digest + FixedOutputReset>(
    key: &RsaKey<'_>,
    salt_bytes: u32,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureRefusal> {
    key.check_bounds().map_err(PublicKeyRefusal::from)?;
    let modulus = BoxedUint::from_be_slice_vartime(key.modulus);
    let exponent = BoxedUint::from_be_slice_vartime(key.exponent);
    let key = rsa::PublicKey::new(modulus, exponent).map_err(|_| SignatureRefusal::Wrong)?;
    let salt_bytes = usize::try_from(salt_bytes).map_err(|_| SignatureRefusal::Wrong)?;
    let signature = rsa::pss::Signature::try_from(signature).map_err(|_| SignatureRefusal::Wrong)?;
    rsa::pss::VerifyingKey::<D>::new_with_salt_len(key, salt_bytes)
        .verify(message, &signature)
        .map_err(|_| SignatureRefusal::Wrong)
}

/// Verifies `signature` over `message` with the key in `spki`, a DER-encoded SubjectPublicKeyInfo. Of the key, only
/// the size is looked at. DSA, and PSS with other salts than the digest's length, are refused.
///
/// # Errors
/// Why the signature does not count.
pub fn verify_signature(
    spki: &[u8],
    algorithm: &SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureRefusal> {
    let info = SubjectPublicKeyInfoRef::from_der(spki).map_err(|_| SignatureRefusal::Wrong)?;
    let key = info.subject_public_key.as_bytes().ok_or(SignatureRefusal::Wrong)?;
    let public_key = PublicKey::from_spki_der(spki).map_err(|_| SignatureRefusal::Wrong)?;
    if let PublicKey::Rsa(key) = &public_key {
        key.check_bounds().map_err(PublicKeyRefusal::from)?;
    }
    let verifier: &'static dyn VerificationAlgorithm = match (&public_key, algorithm) {
        (_, SignatureAlgorithm::Other(name)) => return Err(SignatureRefusal::Algorithm(name.clone())),
        (_, SignatureAlgorithm::DsaSha256) => return Err(SignatureRefusal::Algorithm(algorithm.to_string())),
        (PublicKey::Rsa(_), SignatureAlgorithm::RsaPkcs1(hash)) => match hash {
            Hash::Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Hash::Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Hash::Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        },
        (PublicKey::Rsa(_), SignatureAlgorithm::RsaPss { hash, salt_bytes }) => {
            if *salt_bytes != hash.bytes() {
                return Err(SignatureRefusal::Salt(*salt_bytes));
            }
            match hash {
                Hash::Sha256 => &signature::RSA_PSS_2048_8192_SHA256,
                Hash::Sha384 => &signature::RSA_PSS_2048_8192_SHA384,
                Hash::Sha512 => &signature::RSA_PSS_2048_8192_SHA512,
            }
        }
        (PublicKey::Ec(curve, _), SignatureAlgorithm::Ecdsa(hash)) => ecdsa(*curve, *hash),
        (PublicKey::Rsa(_) | PublicKey::Ec(..) | PublicKey::Other(_), _) => {
            return Err(SignatureRefusal::Mismatch(algorithm.to_string()));
        }
    };
    UnparsedPublicKey::new(verifier, key).verify(message, signature).map_err(|_| SignatureRefusal::Wrong)
}

fn ecdsa(curve: Curve, hash: Hash) -> &'static dyn VerificationAlgorithm {
    match (curve, hash) {
        (Curve::P256, Hash::Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
        (Curve::P256, Hash::Sha384) => &signature::ECDSA_P256_SHA384_ASN1,
        (Curve::P256, Hash::Sha512) => &signature::ECDSA_P256_SHA512_ASN1,
        (Curve::P384, Hash::Sha256) => &signature::ECDSA_P384_SHA256_ASN1,
        (Curve::P384, Hash::Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
        (Curve::P384, Hash::Sha512) => &signature::ECDSA_P384_SHA512_ASN1,
        (Curve::P521, Hash::Sha256) => &signature::ECDSA_P521_SHA256_ASN1,
        (Curve::P521, Hash::Sha384) => &signature::ECDSA_P521_SHA384_ASN1,
        (Curve::P521, Hash::Sha512) => &signature::ECDSA_P521_SHA512_ASN1,
    }
}

/// RSASSA-PSS-params (RFC 4055, 3.1). What is absent means SHA-1 and a salt of 20 bytes.
fn read_pss(content: &[u8]) -> der::Result<SignatureAlgorithm> {
    let mut reader = SliceReader::new(content)?;
    let hash: Option<AlgorithmIdentifierRef<'_>> = explicit(&mut reader, 0)?;
    let mask: Option<AlgorithmIdentifierRef<'_>> = explicit(&mut reader, 1)?;
    let salt_bytes: Option<u32> = explicit(&mut reader, 2)?;
    let trailer: Option<u32> = explicit(&mut reader, 3)?;
    reader.finish()?;
    let mask_hash = match &mask {
        Some(mask) if mask.oid.to_string() == "1.2.840.113549.1.1.8" => {
            mask.parameters.map(|parameters| parameters.decode_as::<AlgorithmIdentifierRef<'_>>()).transpose()?
        }
        Some(_) | None => None,
    };
    let hash = hash.and_then(|hash| digest(hash.oid));
    let mask_hash = mask_hash.and_then(|hash| digest(hash.oid));
    Ok(match (hash, mask_hash, trailer) {
        (Some(hash), Some(mask_hash), None | Some(1)) if hash == mask_hash => {
            SignatureAlgorithm::RsaPss { hash, salt_bytes: salt_bytes.unwrap_or(20) }
        }
        (None, ..) => SignatureAlgorithm::Other("RSASSA-PSS with SHA-1 or an unknown digest".to_owned()),
        (Some(_), ..) => SignatureAlgorithm::Other("RSASSA-PSS with two digests or an unknown mask".to_owned()),
    })
}

fn explicit<'a, T>(reader: &mut SliceReader<'a>, number: u32) -> der::Result<Option<T>>
where
    T: der::Decode<'a, Error = der::Error> + der::Tagged,
{
    Ok(ContextSpecific::<T>::decode_explicit(reader, TagNumber(number))?.map(|field| field.value))
}

fn digest(oid: ObjectIdentifier) -> Option<Hash> {
    match oid.to_string().as_str() {
        "2.16.840.1.101.3.4.2.1" => Some(Hash::Sha256),
        "2.16.840.1.101.3.4.2.2" => Some(Hash::Sha384),
        "2.16.840.1.101.3.4.2.3" => Some(Hash::Sha512),
        _ => None,
    }
}

fn name_of(oid: &str) -> String {
    let name = match oid {
        "1.2.840.113549.1.1.2" => "MD2 with RSA",
        "1.2.840.113549.1.1.4" => "MD5 with RSA",
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => "SHA-1 with RSA",
        "1.2.840.113549.1.1.14" => "SHA-224 with RSA",
        "1.2.840.10040.4.3" => "SHA-1 with DSA",
        "2.16.840.1.101.3.4.3.1" => "SHA-224 with DSA",
        "1.2.840.10045.4.1" => "SHA-1 with ECDSA",
        "1.2.840.10045.4.3.1" => "SHA-224 with ECDSA",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        "2.16.840.1.101.3.4.3.17" => "ML-DSA-44",
        "2.16.840.1.101.3.4.3.18" => "ML-DSA-65",
        "2.16.840.1.101.3.4.3.19" => "ML-DSA-87",
        _ => oid,
    };
    name.to_owned()
}
