//! Private keys of servers as operators' files have them, in any of the usual forms, brought to the one that TLS takes.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair as _, RsaKeyPair,
};
use zeroize::Zeroizing;

use crate::pem::{self, PemRefusal};
use crate::public_key::{Curve, PublicKey, PublicKeyRefusal};

const PKCS8: &str = "PRIVATE KEY";
const PKCS1: &str = "RSA PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// Why a private key does not serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerKeyRefusal {
    /// No PEM block with a key.
    #[error(transparent)]
    Pem(#[from] PemRefusal),
    /// It is encrypted.
    #[error("it is encrypted: give it in the clear, in a file that only the server can read")]
    Encrypted,
    /// It cannot be read as a key of the certificate's kind.
    #[error("it is not a key of the kind that the certificate names")]
    Unreadable,
    /// It is another certificate's.
    #[error("it does not belong to the certificate: the two must be made for each other")]
    Mismatch,
    /// The certificate's key is not good enough.
    #[error(transparent)]
    Public(#[from] PublicKeyRefusal),
}

/// The private key in a PEM text, as PKCS #8, if it belongs to the public key in `spki`.
pub(crate) fn read(text: &str, spki: &[u8]) -> Result<Zeroizing<Vec<u8>>, ServerKeyRefusal> {
    if text.contains(&format!("-----BEGIN {ENCRYPTED}-----")) || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(ServerKeyRefusal::Encrypted);
    }
    let public = PublicKey::from_spki_der(spki)?;
    public.check()?;
    let der = pem::decode(text, &[PKCS8, PKCS1, SEC1])?;
    let (own_spki, pkcs8) = match public {
        PublicKey::Rsa(_) => rsa(&der),
        PublicKey::Ec(curve, _) => ec(curve, &der),
        PublicKey::Other(_) => None,
    }
    .ok_or(ServerKeyRefusal::Unreadable)?;
    if own_spki == spki { Ok(pkcs8) } else { Err(ServerKeyRefusal::Mismatch) }
}

/// The public half and PKCS #8 of an RSA key in PKCS #8 or PKCS #1.
fn rsa(der: &[u8]) -> Option<(Vec<u8>, Zeroizing<Vec<u8>>)> {
    let pair = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)).ok()?;
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().ok()?;
    let spki = pair.public_key().as_der().ok()?.as_ref().to_vec();
    Some((spki, Zeroizing::new(pkcs8.as_ref().to_vec())))
}

/// The same of an EC key in PKCS #8 or SEC 1.
fn ec(curve: Curve, der: &[u8]) -> Option<(Vec<u8>, Zeroizing<Vec<u8>>)> {
    let algorithm: &'static EcdsaSigningAlgorithm = match curve {
        Curve::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
        Curve::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
        Curve::P521 => &ECDSA_P521_SHA512_ASN1_SIGNING,
    };
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, der)
        .or_else(|_| EcdsaKeyPair::from_private_key_der(algorithm, der))
        .ok()?;
    let pkcs8 = Zeroizing::new(pair.to_pkcs8v1().ok()?.as_ref().to_vec());
    let spki = pair.public_key().as_der().ok()?.as_ref().to_vec();
    Some((spki, pkcs8))
}
