//! The ten algorithms as they stand on certificates: each verifies, and breaks with any bit. Files of `algorithm/` hold
//! a device's certificate and, behind it, the authority that signed it; openssl agreed to each.

use gatehouse_domain::key_quality::KeyRefusal;
use gatehouse_pki::ca::{CaCertificate, CaRefusal, NotIssued};
use gatehouse_pki::certificate::{Certificate, CertificateRefusal};
use gatehouse_pki::public_key::PublicKeyRefusal;
use gatehouse_pki::signature::{SignatureAlgorithm, SignatureRefusal, verify_certificate_signature};
use proptest::prelude::*;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::{NOW, blocks, data};

const ACCEPTED: [(&str, &str); 23] = [
    ("rsa-sha256", "SHA256WITHRSA"),
    ("rsa-sha384", "SHA384WITHRSA"),
    ("rsa-sha512", "SHA512WITHRSA"),
    ("pss-sha256", "SHA256WITHRSAANDMGF1"),
    ("pss-sha384", "SHA384WITHRSAANDMGF1"),
    ("pss-sha512", "SHA512WITHRSAANDMGF1"),
    ("pss-sha256-salt0", "SHA256WITHRSAANDMGF1"),
    ("pss-sha256-salt20", "SHA256WITHRSAANDMGF1"),
    ("pss-sha256-salt222", "SHA256WITHRSAANDMGF1"),
    ("pss-sha384-salt20", "SHA384WITHRSAANDMGF1"),
    ("pss-sha512-salt20", "SHA512WITHRSAANDMGF1"),
    ("dsa-2048-224", "DSA_WITH_SHA256"),
    ("dsa-2048-256", "DSA_WITH_SHA256"),
    ("dsa-3072-256", "DSA_WITH_SHA256"),
    ("p256-sha256", "ECDSA-WITH-SHA256"),
    ("p256-sha384", "ECDSA-WITH-SHA384"),
    ("p256-sha512", "ECDSA-WITH-SHA512"),
    ("p384-sha256", "ECDSA-WITH-SHA256"),
    ("p384-sha384", "ECDSA-WITH-SHA384"),
    ("p384-sha512", "ECDSA-WITH-SHA512"),
    ("p521-sha256", "ECDSA-WITH-SHA256"),
    ("p521-sha384", "ECDSA-WITH-SHA384"),
    ("p521-sha512", "ECDSA-WITH-SHA512"),
];

fn pair(name: &str) -> (Certificate, Certificate) {
    let text = data(&format!("algorithm/{name}"));
    let [leaf, ca] = blocks(&text).try_into().unwrap();
    (Certificate::from_der(&leaf).unwrap(), Certificate::from_der(&ca).unwrap())
}

#[test]
fn an_authority_vouches_with_each_of_the_ten_algorithms() {
    for (name, algorithm) in ACCEPTED {
        let (leaf, ca) = pair(name);
        assert_eq!(leaf.signature_algorithm().to_string(), algorithm, "{name}");
        assert_eq!(leaf.check_registrable(NOW), Ok(()), "{name}");
        let ca = CaCertificate::from_certificate(ca, NOW).unwrap();
        assert_eq!(ca.has_issued(&leaf), Ok(()), "{name}");
        // Each of these authorities signed itself.
        assert_eq!(ca.has_issued(ca.certificate()), Ok(()), "{name}");
    }
}

#[test]
fn one_bit_flipped_in_the_signature_or_in_what_is_signed_breaks_it() {
    for (name, _) in ACCEPTED {
        let (leaf, ca) = pair(name);
        let (_, parsed) = X509Certificate::from_der(leaf.der()).unwrap();
        let (tbs, signature) = (parsed.tbs_certificate.as_ref().to_vec(), parsed.signature_value.data.to_vec());
        let verify = |tbs: &[u8], signature: &[u8]| {
            verify_certificate_signature(ca.spki_der(), leaf.signature_algorithm(), tbs, signature)
        };
        assert_eq!(verify(&tbs, &signature), Ok(()), "{name}");
        for (at, bit) in [(0, 0), (signature.len() / 2, 3), (signature.len() - 1, 0), (signature.len() - 1, 7)] {
            let mut broken = signature.clone();
            broken[at] ^= 1 << bit;
            assert_eq!(verify(&tbs, &broken), Err(SignatureRefusal::Wrong), "{name} {at} {bit}");
        }
        for at in [0, tbs.len() / 2, tbs.len() - 1] {
            let mut broken = tbs.clone();
            broken[at] ^= 1;
            assert_eq!(verify(&broken, &signature), Err(SignatureRefusal::Wrong), "{name} {at}");
        }
        for odd in [&[][..], &signature[1..], &signature[..signature.len() - 1], &[0; 64], &[0xFF; 4096]] {
            assert_eq!(verify(&tbs, odd), Err(SignatureRefusal::Wrong), "{name}");
        }
        let longer = [&signature[..], &[0]].concat();
        assert_eq!(verify(&tbs, &longer), Err(SignatureRefusal::Wrong), "{name}");
    }
}

#[test]
fn the_salt_has_the_length_that_is_declared() {
    let (leaf, ca) = pair("pss-sha256-salt20");
    let (_, parsed) = X509Certificate::from_der(leaf.der()).unwrap();
    let (tbs, signature) = (parsed.tbs_certificate.as_ref(), &parsed.signature_value.data);
    let SignatureAlgorithm::RsaPss { hash, .. } = *leaf.signature_algorithm() else { panic!() };
    for salt_bytes in [0, 19, 21, 32, 222, 223, 1000, u32::MAX] {
        let declared = SignatureAlgorithm::RsaPss { hash, salt_bytes };
        let outcome = verify_certificate_signature(ca.spki_der(), &declared, tbs, signature);
        assert_eq!(outcome, Err(SignatureRefusal::Wrong), "{salt_bytes}");
    }
}

#[test]
fn other_algorithms_are_refused_by_name_on_devices_and_on_authorities() {
    for (name, algorithm) in [
        ("rsa-sha1", "SHA-1 with RSA"),
        ("rsa-md5", "MD5 with RSA"),
        ("pss-sha1", "RSASSA-PSS with SHA-1 or an unknown digest"),
        ("ecdsa-sha1", "SHA-1 with ECDSA"),
        ("dsa-sha1", "SHA-1 with DSA"),
    ] {
        let (leaf, ca) = pair(name);
        let ca = CaCertificate::from_certificate(ca, NOW).unwrap();
        let refusal = SignatureRefusal::Algorithm(algorithm.to_owned());
        assert_eq!(ca.has_issued(&leaf), Err(NotIssued::Signature(refusal)), "{name}");
        let refusal = CertificateRefusal::SignatureAlgorithm(algorithm.to_owned());
        assert_eq!(leaf.check_registrable(NOW), Err(refusal.clone()), "{name}");
        assert!(refusal.to_string().contains(algorithm));
    }
    let (leaf, ca) = pair("ed25519");
    let refusal = CertificateRefusal::SignatureAlgorithm("Ed25519".to_owned());
    assert_eq!(CaCertificate::from_certificate(ca, NOW), Err(CaRefusal::Certificate(refusal)));
    let (_, other) = pair("p256-sha256");
    let refusal = NotIssued::Signature(SignatureRefusal::Algorithm("Ed25519".to_owned()));
    assert_eq!(CaCertificate::from_certificate(other, NOW).unwrap().has_issued(&leaf), Err(refusal));
}

#[test]
fn an_algorithm_of_another_kind_of_key_is_refused() {
    let kinds = [
        ("rsa-sha256", &["rsa-sha256", "pss-sha256", "pss-sha256-salt20"][..]),
        ("p256-sha256", &["p256-sha256"]),
        ("dsa-2048-256", &["dsa-2048-256"]),
    ];
    for (key, fitting) in kinds {
        let ca = CaCertificate::from_certificate(pair(key).1, NOW).unwrap();
        for algorithm in kinds.iter().flat_map(|(_, algorithms)| *algorithms) {
            let (leaf, _) = pair(algorithm);
            let outcome = ca.has_issued(&leaf);
            if fitting.contains(algorithm) {
                assert_eq!(outcome, Ok(()), "{key} {algorithm}");
            } else {
                let refusal = SignatureRefusal::Mismatch(leaf.signature_algorithm().to_string());
                assert_eq!(outcome, Err(NotIssued::Signature(refusal)), "{key} {algorithm}");
            }
        }
    }
    // A key on another curve is of the same kind, and the signature is not its.
    let ca = CaCertificate::from_certificate(pair("p384-sha256").1, NOW).unwrap();
    let wrong = NotIssued::Signature(SignatureRefusal::Wrong);
    assert_eq!(ca.has_issued(&pair("p256-sha256").0), Err(wrong));
}

#[test]
fn sizes_that_would_take_long_are_refused_before_arithmetic() {
    let (leaf, ca) = pair("rsa9216");
    let refusal = PublicKeyRefusal::Rsa(KeyRefusal::TooLong { bits: 9216 });
    let (salted, _) = pair("pss-sha256-salt20");
    for algorithm in [leaf.signature_algorithm(), salted.signature_algorithm()] {
        let outcome = verify_certificate_signature(ca.spki_der(), algorithm, b"message", &[1; 1152]);
        assert_eq!(outcome, Err(SignatureRefusal::Key(refusal.clone())));
    }
    let refusal = CaRefusal::Certificate(CertificateRefusal::Key(refusal));
    assert_eq!(CaCertificate::from_certificate(ca, NOW), Err(refusal));
}

#[test]
fn a_short_dsa_key_is_refused() {
    let (leaf, ca) = pair("dsa-1024-160");
    let refusal = PublicKeyRefusal::DsaSize { p: 1024, q: 160 };
    let outcome = verify_certificate_signature(ca.spki_der(), leaf.signature_algorithm(), b"message", &[1; 46]);
    assert_eq!(outcome, Err(SignatureRefusal::Key(refusal.clone())));
    let refusal = CaRefusal::Certificate(CertificateRefusal::Key(refusal));
    assert_eq!(CaCertificate::from_certificate(ca, NOW), Err(refusal));
}

#[test]
fn a_device_has_no_dsa_key() {
    let (_, ca) = pair("dsa-2048-256");
    let refusal = CertificateRefusal::Key(PublicKeyRefusal::Kind("DSA".to_owned()));
    assert_eq!(ca.check_registrable(NOW), Err(refusal));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_changed_key_or_signature_makes_it_panic_or_verify(
        name in prop::sample::select(ACCEPTED.map(|(name, _)| name).to_vec()),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        in_key in any::<bool>(),
    ) {
        let (leaf, ca) = pair(name);
        let (_, parsed) = X509Certificate::from_der(leaf.der()).unwrap();
        let (mut spki, mut signature) = (ca.spki_der().to_vec(), parsed.signature_value.data.to_vec());
        let (key_before, signature_before) = (spki.clone(), signature.clone());
        let target = if in_key { &mut spki } else { &mut signature };
        for (at, octet) in changes {
            let at = at.index(target.len());
            target[at] = octet;
        }
        let tbs = parsed.tbs_certificate.as_ref();
        let outcome = verify_certificate_signature(&spki, leaf.signature_algorithm(), tbs, &signature);
        prop_assert_eq!(outcome.is_ok(), spki == key_before && signature == signature_before);
    }
}
