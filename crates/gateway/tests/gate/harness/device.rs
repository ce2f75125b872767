//! Certificates and keys of devices.

use std::sync::Arc;

use aws_lc_rs::digest;
use gatehouse_domain::certificate::CertificateId;
use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_RSA_SHA256,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A kind of key that a device may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    P256,
    P384,
    P521,
    Rsa2048,
}

/// A certificate with its key.
#[derive(Clone)]
pub(crate) struct Device {
    /// What it presents, its own certificate first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: Arc<PrivateKeyDer<'static>>,
    pub(crate) id: CertificateId,
}

impl Device {
    /// A device with a certificate that it signed itself: the gate does not ask who signed.
    pub(crate) fn with_key(kind: Key) -> Self {
        let algorithm = match kind {
            Key::P256 => &PKCS_ECDSA_P256_SHA256,
            Key::P384 => &PKCS_ECDSA_P384_SHA384,
            Key::P521 => &PKCS_ECDSA_P521_SHA512,
            Key::Rsa2048 => &PKCS_RSA_SHA256,
        };
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        Self::new(certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()).into())
    }

    /// The X.509 version 1 certificate of `data/v1.pem`, made by
    /// `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 | openssl x509 -req -signkey`.
    pub(crate) fn version_1() -> Self {
        let pem = include_bytes!("../data/v1.pem");
        Self::new(CertificateDer::from_pem_slice(pem).unwrap(), PrivateKeyDer::from_pem_slice(pem).unwrap())
    }

    pub(super) fn new(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Self {
        let mut id = [0; 32];
        id.copy_from_slice(digest::digest(&digest::SHA256, &certificate).as_ref());
        Self { chain: vec![certificate], key: Arc::new(key), id: CertificateId::from_bytes(id) }
    }
}
