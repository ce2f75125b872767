use gatehouse_domain::key_quality::KeyRefusal;
use gatehouse_pki::csr::{CsrRefusal, VerifiedCsr};
use gatehouse_pki::public_key::{Curve, PublicKeyRefusal};
use gatehouse_pki::signature::SignatureRefusal;
use proptest::prelude::*;

use crate::{data, der, pem};

const LABEL: &str = "CERTIFICATE REQUEST";

fn read(name: &str) -> Result<VerifiedCsr, CsrRefusal> {
    VerifiedCsr::from_pem(&data(&format!("csr/{name}")))
}

#[test]
fn requests_of_every_accepted_key_and_algorithm_pass() {
    for name in [
        "rsa2048",
        "rsa3072",
        "rsa4096",
        "rsa-e3",
        "rsa-sha256",
        "rsa-sha384",
        "rsa-sha512",
        "pss-sha256",
        "pss-sha384",
        "pss-sha512",
        "p-256-sha256",
        "p-256-sha384",
        "p-256-sha512",
        "p-384-sha256",
        "p-384-sha384",
        "p-384-sha512",
        "p-521-sha256",
        "p-521-sha384",
        "p-521-sha512",
        "newhdr",
        "many-names",
        "extension-request",
        "no-attributes",
    ] {
        let csr = read(name);
        assert!(csr.is_ok(), "{name}: {csr:?}");
    }
}

#[test]
fn a_request_may_name_nobody() {
    assert_eq!(read("empty-subject").unwrap().subject_der(), [0x30, 0]);
}

#[test]
fn keys_that_are_not_accepted_are_refused_with_the_reason() {
    let kind = |name: &str| PublicKeyRefusal::Kind(name.to_owned());
    let cases = [
        ("rsa1024", KeyRefusal::TooShort { bits: 1024 }.into()),
        ("rsa9216", KeyRefusal::TooLong { bits: 9216 }.into()),
        ("exponent-1", KeyRefusal::ExponentTooSmall.into()),
        ("exponent-even", KeyRefusal::ExponentEven.into()),
        ("exponent-long", KeyRefusal::ExponentTooLong.into()),
        ("modulus-even", KeyRefusal::SmallFactor(2).into()),
        ("small-factor", KeyRefusal::SmallFactor(751).into()),
        ("roca", KeyRefusal::Roca.into()),
        ("close-primes", KeyRefusal::ClosePrimes.into()),
        ("close-primes-rounds", KeyRefusal::ClosePrimes.into()),
        ("prime192v1", kind("P-192")),
        ("secp224r1", kind("P-224")),
        ("secp256k1", kind("secp256k1")),
        ("brainpoolP256r1", kind("brainpoolP256r1")),
        ("ed25519", kind("Ed25519")),
        ("dsa", kind("DSA")),
        ("rsa-pss", kind("RSASSA-PSS")),
        ("explicit", kind("elliptic curve with explicit parameters")),
        ("compressed", PublicKeyRefusal::NotUncompressed(Curve::P256)),
        ("infinity", PublicKeyRefusal::NotUncompressed(Curve::P256)),
        ("off-curve", PublicKeyRefusal::OffCurve(Curve::P256)),
        ("rsa-without-null", PublicKeyRefusal::Malformed),
    ];
    for (name, refusal) in cases {
        assert_eq!(read(name), Err(CsrRefusal::Key(refusal)), "{name}");
    }
}

#[test]
fn signatures_that_do_not_count_are_refused_with_the_reason() {
    let algorithm = |name: &str| SignatureRefusal::Algorithm(name.to_owned());
    let cases = [
        ("broken-signature", SignatureRefusal::Wrong),
        ("changed-subject", SignatureRefusal::Wrong),
        ("signed-by-another-key", SignatureRefusal::Wrong),
        ("algorithm-of-another-key", SignatureRefusal::Mismatch("ECDSA-WITH-SHA256".to_owned())),
        ("pss-salt20", SignatureRefusal::Salt(20)),
        ("pss-mgf1-sha1", algorithm("RSASSA-PSS with two digests or an unknown mask")),
        ("sha1", algorithm("SHA-1 with RSA")),
        ("md5", algorithm("MD5 with RSA")),
        ("ecdsa-sha1", algorithm("SHA-1 with ECDSA")),
    ];
    for (name, refusal) in cases {
        assert_eq!(read(name), Err(CsrRefusal::Signature(refusal)), "{name}");
    }
}

#[test]
fn what_is_not_exactly_a_request_is_refused() {
    for name in ["trailing-octet", "indefinite-length", "attributes-of-another-tag", "subject-not-a-name"] {
        assert_eq!(read(name), Err(CsrRefusal::Malformed), "{name}");
    }
    assert_eq!(read("version-1"), Err(CsrRefusal::Version));
    for garbage in [&b""[..], b"\x30\x00", b"\x30\x03\x02\x01\x00", b"garbage", &[0xFF; 64]] {
        assert_eq!(VerifiedCsr::from_pem(&pem(LABEL, garbage)), Err(CsrRefusal::Malformed));
    }
    for text in ["", "hello", &data("certificate/p256"), "-----BEGIN CERTIFICATE REQUEST-----\n"] {
        assert!(matches!(VerifiedCsr::from_pem(text), Err(CsrRefusal::Pem(_))), "{text}");
    }
}

#[test]
fn a_request_has_at_most_4096_characters() {
    let request = data("csr/p-256-sha256");
    let fill = |characters: usize| format!("{}{request}", "ß".repeat(characters - request.chars().count()));
    assert!(VerifiedCsr::from_pem(&fill(4096)).is_ok());
    assert_eq!(VerifiedCsr::from_pem(&fill(4097)), Err(CsrRefusal::TooLong));
}

#[test]
fn refusals_are_sentences_that_say_what_to_do() {
    let texts: Vec<String> =
        ["rsa1024", "secp256k1", "off-curve", "exponent-1", "broken-signature", "sha1", "trailing-octet"]
            .into_iter()
            .map(|name| read(name).unwrap_err().to_string())
            .collect();
    assert_eq!(
        texts,
        [
            "the RSA key has 1024 bits: use 2048 or more",
            "the key is of the kind secp256k1: use RSA or an elliptic curve key on P-256, P-384 or P-521",
            "the point of the P-256 key does not lie on the curve: make a new key",
            "the RSA public exponent is below 3: use 65537",
            "the signature does not verify with the key",
            "it is signed with SHA-1 with RSA, which is not accepted: use RSA (PKCS #1 v1.5 or PSS) or ECDSA with SHA-256, SHA-384 or SHA-512",
            "it is not a DER-encoded PKCS #10 certification request",
        ]
    );
}

proptest! {
    #[test]
    fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(VerifiedCsr::from_pem(&pem(LABEL, &octets)).is_err());
    }

    /// Everything but the outermost length is under the signature or is the signature, and ECDSA has no slack in it.
    #[test]
    fn a_request_with_a_changed_octet_is_refused(at in any::<prop::sample::Index>(), change in 1..=255_u8) {
        let mut octets = der(&data("csr/p-256-sha256"));
        let at = at.index(octets.len());
        octets[at] ^= change;
        prop_assert!(VerifiedCsr::from_pem(&pem(LABEL, &octets)).is_err());
    }

    #[test]
    fn a_request_cut_short_is_refused(length in any::<prop::sample::Index>()) {
        let octets = der(&data("csr/rsa2048"));
        prop_assert!(VerifiedCsr::from_pem(&pem(LABEL, &octets[..length.index(octets.len())])).is_err());
    }
}
