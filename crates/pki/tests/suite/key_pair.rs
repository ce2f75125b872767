use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use gatehouse_pki::key_pair::{KeyPair, KeyPairPool};
use gatehouse_pki::public_key::PublicKey;
use gatehouse_pki::signature::{Hash, SignatureAlgorithm, verify_signature};

use crate::der;

#[test]
fn the_two_halves_of_a_pair_belong_together() {
    let pair = KeyPair::generate().unwrap();
    assert!(pair.private_pem().starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
    assert!(pair.private_pem().ends_with("-----END RSA PRIVATE KEY-----\n"));
    assert!(pair.public_pem().starts_with("-----BEGIN PUBLIC KEY-----\n"));
    assert!(pair.public_pem().ends_with("-----END PUBLIC KEY-----\n"));
    assert_eq!(der(pair.public_pem()), pair.spki_der());
    assert!(matches!(PublicKey::from_spki_der(pair.spki_der()), Ok(PublicKey::Rsa(key)) if key.bits() == 2048));
    assert_eq!(PublicKey::from_spki_der(pair.spki_der()).unwrap().check(), Ok(()));

    let private = RsaKeyPair::from_der(&der(pair.private_pem())).unwrap();
    let mut signature = vec![0; private.public_modulus_len()];
    private.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), b"message", &mut signature).unwrap();
    let algorithm = SignatureAlgorithm::RsaPkcs1(Hash::Sha256);
    assert_eq!(verify_signature(pair.spki_der(), &algorithm, b"message", &signature), Ok(()));
}

#[test]
fn a_pair_does_not_show_its_private_key() {
    let shown = format!("{:?}", KeyPair::generate().unwrap());
    assert!(shown.contains("BEGIN PUBLIC KEY") && !shown.contains("RSA PRIVATE"), "{shown}");
}

#[test]
fn no_pair_is_given_out_twice() {
    let pool = KeyPairPool::new(2);
    let pairs: Vec<KeyPair> = (0..4).map(|_| pool.take_blocking().unwrap()).collect();
    for (i, pair) in pairs.iter().enumerate() {
        assert!(pairs.iter().skip(i + 1).all(|other| other.spki_der() != pair.spki_der()));
    }
}

#[test]
fn an_empty_pool_still_gives_pairs() {
    let pool = KeyPairPool::new(0);
    assert!(pool.try_take().is_none());
    assert!(pool.take_blocking().is_ok());
    assert_eq!(pool.ready(), 0);
}
