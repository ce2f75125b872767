//! Public keys as certificates and requests carry them (SubjectPublicKeyInfo), and which of them are good enough.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ParsedPublicKey, VerificationAlgorithm,
};
use der::asn1::{ObjectIdentifier, UintRef};
use der::{Decode as _, Reader as _, SliceReader};
use gatehouse_domain::key_quality::{KeyRefusal, RsaKey};
use spki::SubjectPublicKeyInfoRef;

pub(crate) const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// The curves whose keys are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
}

impl Curve {
    const fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
        const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
        const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
        match oid {
            P256 => Some(Self::P256),
            P384 => Some(Self::P384),
            P521 => Some(Self::P521),
            _ => None,
        }
    }

    /// Octets of an uncompressed point.
    const fn point_bytes(self) -> usize {
        match self {
            Self::P256 => 65,
            Self::P384 => 97,
            Self::P521 => 133,
        }
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        })
    }
}

/// A public key, read but not yet judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey<'a> {
    /// An RSA key (rsaEncryption).
    Rsa(RsaKey<'a>),
    /// A key on one of the accepted curves, with its encoded point.
    Ec(Curve, &'a [u8]),
    /// Any other kind, by its usual name.
    Other(String),
}

/// Why a public key is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyRefusal {
    /// Not one of the kinds accepted.
    #[error("the key is of the kind {0}: use RSA or an elliptic curve key on P-256, P-384 or P-521")]
    Kind(String),
    /// An RSA key that is not good enough.
    #[error(transparent)]
    Rsa(#[from] KeyRefusal),
    /// The point is written compressed.
    #[error("the point of the {0} key is not written in the uncompressed form: write it so")]
    NotUncompressed(Curve),
    /// The point does not lie on the curve.
    #[error("the point of the {0} key does not lie on the curve: make a new key")]
    OffCurve(Curve),
    /// A DSA key of a size that FIPS 186-4 does not have, or that is too short.
    #[error("the DSA key has {p} and {q} bits: use 2048 and 224, 2048 and 256, or 3072 and 256")]
    DsaSize {
        /// Bits of the modulus.
        p: usize,
        /// Bits of the order.
        q: usize,
    },
    /// The numbers of a DSA key do not fit each other.
    #[error("the numbers of the DSA key do not fit each other: make a new key")]
    DsaNumbers,
    /// Not the structure that the kind of key asks for.
    #[error("the public key is malformed")]
    Malformed,
}

impl<'a> PublicKey<'a> {
    /// Reads a DER-encoded SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`PublicKeyRefusal::Malformed`].
    pub fn from_spki_der(spki: &'a [u8]) -> Result<Self, PublicKeyRefusal> {
        let info = SubjectPublicKeyInfoRef::from_der(spki).map_err(|_| PublicKeyRefusal::Malformed)?;
        let key = info.subject_public_key.as_bytes().ok_or(PublicKeyRefusal::Malformed)?;
        match info.algorithm.oid {
            RSA_ENCRYPTION => {
                // RFC 3279, 2.3.1: the parameters are NULL. Verifiers compare the whole identifier.
                if !info.algorithm.parameters.is_some_and(der::AnyRef::is_null) {
                    return Err(PublicKeyRefusal::Malformed);
                }
                read_rsa(key).map(Self::Rsa).map_err(|_| PublicKeyRefusal::Malformed)
            }
            EC_PUBLIC_KEY => {
                let parameters = info.algorithm.parameters.ok_or(PublicKeyRefusal::Malformed)?;
                let Ok(curve) = parameters.decode_as::<ObjectIdentifier>() else {
                    return Ok(Self::Other("elliptic curve with explicit parameters".to_owned()));
                };
                Ok(Curve::from_oid(curve)
                    .map_or_else(|| Self::Other(name_of_kind(curve)), |curve| Self::Ec(curve, key)))
            }
            other => Ok(Self::Other(name_of_kind(other))),
        }
    }

    /// Checks that the key is of an accepted kind and good enough. Sizes are looked at before numbers.
    ///
    /// # Errors
    /// The first rule that the key breaks.
    pub fn check(&self) -> Result<(), PublicKeyRefusal> {
        match self {
            Self::Rsa(key) => Ok(key.check()?),
            Self::Ec(curve, point) => check_point(*curve, point),
            Self::Other(kind) => Err(PublicKeyRefusal::Kind(kind.clone())),
        }
    }
}

/// RSAPublicKey (RFC 8017, A.1.1).
fn read_rsa(key: &[u8]) -> der::Result<RsaKey<'_>> {
    let mut reader = SliceReader::new(key)?;
    let (modulus, exponent) =
        reader.sequence(|reader| Ok::<_, der::Error>((UintRef::decode(reader)?, UintRef::decode(reader)?)))?;
    reader.finish()?;
    Ok(RsaKey { modulus: modulus.as_bytes(), exponent: exponent.as_bytes() })
}

fn check_point(curve: Curve, point: &[u8]) -> Result<(), PublicKeyRefusal> {
    if point.first() != Some(&4) || point.len() != curve.point_bytes() {
        return Err(PublicKeyRefusal::NotUncompressed(curve));
    }
    let algorithm: &'static dyn VerificationAlgorithm = match curve {
        Curve::P256 => &ECDSA_P256_SHA256_ASN1,
        Curve::P384 => &ECDSA_P384_SHA384_ASN1,
        Curve::P521 => &ECDSA_P521_SHA512_ASN1,
    };
    ParsedPublicKey::new(algorithm, point).map(drop).map_err(|_| PublicKeyRefusal::OffCurve(curve))
}

fn name_of_kind(oid: ObjectIdentifier) -> String {
    let oid = oid.to_string();
    let name = match oid.as_str() {
        "1.2.840.113549.1.1.10" => "RSASSA-PSS",
        "1.2.840.10040.4.1" => "DSA",
        "1.3.101.110" => "X25519",
        "1.3.101.111" => "X448",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        "1.2.840.10045.3.1.1" => "P-192",
        "1.3.132.0.33" => "P-224",
        "1.3.132.0.10" => "secp256k1",
        "1.3.36.3.3.2.8.1.1.7" => "brainpoolP256r1",
        "1.3.36.3.3.2.8.1.1.11" => "brainpoolP384r1",
        "1.3.36.3.3.2.8.1.1.13" => "brainpoolP512r1",
        "2.16.840.1.101.3.4.3.17" => "ML-DSA-44",
        "2.16.840.1.101.3.4.3.18" => "ML-DSA-65",
        "2.16.840.1.101.3.4.3.19" => "ML-DSA-87",
        _ => return oid,
    };
    name.to_owned()
}
