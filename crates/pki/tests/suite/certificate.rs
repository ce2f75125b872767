use gatehouse_domain::key_quality::KeyRefusal;
use gatehouse_domain::limits;
use gatehouse_domain::policy::{AlternativeNameKind, NameAttribute};
use gatehouse_domain::time::Timestamp;
use gatehouse_pki::certificate::{Certificate, CertificateRefusal};
use gatehouse_pki::public_key::{Curve, PublicKey, PublicKeyRefusal};
use gatehouse_pki::signature::verify_signature;
use proptest::prelude::*;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Version;

use crate::{NOW, data, der, pem};

fn read(name: &str) -> Certificate {
    Certificate::from_pem(&data(&format!("certificate/{name}"))).unwrap()
}

#[test]
fn the_ten_signature_algorithms_are_accepted() {
    let cases = [
        ("rsa2048", "SHA256WITHRSA"),
        ("rsa-sha384", "SHA384WITHRSA"),
        ("rsa-sha512", "SHA512WITHRSA"),
        ("pss-sha256", "SHA256WITHRSAANDMGF1"),
        ("pss-sha384", "SHA384WITHRSAANDMGF1"),
        ("pss-sha512", "SHA512WITHRSAANDMGF1"),
        ("pss-salt20", "SHA256WITHRSAANDMGF1"),
        ("dsa-signed", "DSA_WITH_SHA256"),
        ("p256", "ECDSA-WITH-SHA256"),
        ("p384-sha384", "ECDSA-WITH-SHA384"),
        ("p521-sha512", "ECDSA-WITH-SHA512"),
    ];
    for (name, algorithm) in cases {
        let certificate = read(name);
        assert_eq!(certificate.signature_algorithm().to_string(), algorithm, "{name}");
        assert_eq!(certificate.check_registrable(NOW), Ok(()), "{name}");
    }
}

#[test]
fn keys_on_every_accepted_curve_register() {
    for (name, curve) in [("p256", Curve::P256), ("p384", Curve::P384), ("p521", Curve::P521)] {
        let certificate = read(name);
        assert!(matches!(certificate.public_key(), Ok(PublicKey::Ec(found, _)) if found == curve), "{name}");
        assert_eq!(certificate.check_registrable(NOW), Ok(()), "{name}");
    }
}

#[test]
fn other_algorithms_are_refused_by_name() {
    for (name, algorithm) in [
        ("sha1", "SHA-1 with RSA"),
        ("md5", "MD5 with RSA"),
        ("sha224", "SHA-224 with RSA"),
        ("ecdsa-sha1", "SHA-1 with ECDSA"),
        ("ed25519", "Ed25519"),
    ] {
        let refusal = CertificateRefusal::SignatureAlgorithm(algorithm.to_owned());
        assert_eq!(read(name).check_registrable(NOW), Err(refusal), "{name}");
    }
}

#[test]
fn other_keys_are_refused_with_the_reason() {
    let kind = |name: &str| PublicKeyRefusal::Kind(name.to_owned());
    for (name, refusal) in [
        ("rsa1024", PublicKeyRefusal::Rsa(KeyRefusal::TooShort { bits: 1024 })),
        ("dsa-key", kind("DSA")),
        ("rsa-pss-key", kind("RSASSA-PSS")),
        ("secp256k1", kind("secp256k1")),
        ("p224", kind("P-224")),
    ] {
        assert_eq!(read(name).check_registrable(NOW), Err(CertificateRefusal::Key(refusal)), "{name}");
    }
    let mut off_curve = der(&data("certificate/p256"));
    let point = off_curve.windows(4).position(|octets| octets == [3, 0x42, 0, 4]).unwrap() + 4;
    off_curve[point + 63] ^= 1;
    let refusal = CertificateRefusal::Key(PublicKeyRefusal::OffCurve(Curve::P256));
    assert_eq!(Certificate::from_der(&off_curve).unwrap().check_registrable(NOW), Err(refusal));
}

#[test]
fn validity_counts_to_its_last_second() {
    let certificate = read("p256");
    let (first, last) = (certificate.not_before(), certificate.not_after());
    let check = |at: Timestamp| certificate.check_registrable(at);
    assert_eq!(check(first.plus_millis(-1)), Err(CertificateRefusal::NotYetValid(first)));
    assert_eq!(check(first), Ok(()));
    assert_eq!(check(last.plus_millis(999)), Ok(()));
    assert_eq!(check(last.plus_millis(1000)), Err(CertificateRefusal::Expired(last)));
}

#[test]
fn version_1_certificates_are_read() {
    let certificate = read("v1");
    let (_, parsed) = X509Certificate::from_der(certificate.der()).unwrap();
    assert_eq!(parsed.version(), X509Version::V1);
    assert_eq!(certificate.check_registrable(NOW), Ok(()));
    assert!(!certificate.is_ca());
    let names = certificate.names();
    assert_eq!(names.subject.values(NameAttribute::CommonName).collect::<Vec<_>>(), ["device"]);
    assert_eq!(names.issuer.values(NameAttribute::CommonName).collect::<Vec<_>>(), ["authority"]);
}

#[test]
fn the_id_is_the_digest_of_the_der_whatever_surrounds_it() {
    let text = data("certificate/p256");
    let id = Certificate::from_pem(&text).unwrap().id();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der(&text));
    assert_eq!(id.as_bytes(), digest.as_ref());
    let other = data("certificate/p384");
    for form in [text.replace('\n', "\r\n"), format!("Subject: x\n{text}{other}"), text.trim_end().to_owned()] {
        assert_eq!(Certificate::from_pem(&form).unwrap().id(), id);
    }
    assert_eq!(Certificate::from_pem(&Certificate::from_pem(&text).unwrap().to_pem()).unwrap().id(), id);
}

#[test]
fn every_name_that_policies_know_is_read() {
    let certificate = read("names");
    assert!(certificate.is_ca());
    let names = certificate.names();
    let subject: Vec<(NameAttribute, Vec<&str>)> = NameAttribute::ALL
        .into_iter()
        .map(|attribute| (attribute, names.subject.values(attribute).collect()))
        .collect();
    assert_eq!(
        subject,
        [
            (NameAttribute::DistinguishedNameQualifier, vec!["q"]),
            (NameAttribute::Country, vec!["DE"]),
            (NameAttribute::Organization, vec!["first", "second"]),
            (NameAttribute::OrganizationalUnit, vec!["unit"]),
            (NameAttribute::State, vec!["Berlin"]),
            (NameAttribute::CommonName, vec!["Größe"]),
            (NameAttribute::SerialNumber, vec!["7"]),
            (NameAttribute::Title, vec!["Dr"]),
            (NameAttribute::Surname, vec!["Doe"]),
            (NameAttribute::GivenName, vec!["Jo"]),
            (NameAttribute::Initials, vec!["JD"]),
            (NameAttribute::Pseudonym, vec!["jo"]),
            (NameAttribute::GenerationQualifier, vec!["III"]),
        ]
    );
    assert_eq!(names.subject, names.issuer);
    assert_eq!(names.serial_number, "ab0c");
    let alternative = |kind| names.subject_alternative.values(kind).collect::<Vec<_>>();
    assert_eq!(alternative(AlternativeNameKind::DnsName), ["a.example", "b.example"]);
    assert_eq!(alternative(AlternativeNameKind::Rfc822Name), ["m@example.org"]);
    assert_eq!(alternative(AlternativeNameKind::UniformResourceIdentifier), ["urn:x:1"]);
    assert_eq!(alternative(AlternativeNameKind::IpAddress), ["192.0.2.1", "2001:db8::1"]);
    assert_eq!(alternative(AlternativeNameKind::DirectoryName), ["CN=inner, O=inside"]);
    let issuer: Vec<&str> = names.issuer_alternative.values(AlternativeNameKind::DnsName).collect();
    assert_eq!(issuer, ["issuer.example"]);
}

#[test]
fn what_follows_a_certificate_is_refused() {
    let octets = [der(&data("certificate/p256")), vec![0]].concat();
    assert_eq!(Certificate::from_der(&octets), Err(CertificateRefusal::TrailingData));
}

#[test]
fn what_is_no_certificate_is_refused() {
    for octets in [&b""[..], b"\x30\x00", &[0xFF; 64], &der(&data("csr/p-256-sha256"))] {
        assert_eq!(Certificate::from_der(octets), Err(CertificateRefusal::Malformed));
    }
    for text in ["", "hello", &data("csr/p-256-sha256")] {
        assert!(matches!(Certificate::from_pem(text), Err(CertificateRefusal::Pem(_))));
    }
    let long = format!("{}{}", data("certificate/p256"), " ".repeat(limits::CERTIFICATE_PEM_CHARACTERS));
    assert_eq!(Certificate::from_pem(&long), Err(CertificateRefusal::TooLong));
}

#[test]
fn two_different_algorithm_identifiers_are_refused() {
    let mut octets = der(&data("certificate/p256"));
    // ecdsa-with-SHA256, of which the second stands outside what is signed.
    let oid = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];
    let last = octets.windows(oid.len()).rposition(|window| window == oid).unwrap();
    octets[last + oid.len() - 1] = 0x03;
    assert_eq!(Certificate::from_der(&octets), Err(CertificateRefusal::Malformed));
}

#[test]
fn self_signed_certificates_verify_with_their_own_key() {
    for name in
        ["rsa2048", "rsa-sha384", "rsa-sha512", "pss-sha256", "pss-sha384", "pss-sha512", "p256", "p384", "p521"]
    {
        let certificate = read(name);
        let (tbs, signature) = split(certificate.der());
        let verify = |tbs: &[u8], signature: &[u8]| {
            verify_signature(certificate.spki_der(), certificate.signature_algorithm(), tbs, signature)
        };
        assert_eq!(verify(&tbs, &signature), Ok(()), "{name}");
        assert!(verify(&tbs[1..], &signature).is_err(), "{name}");
        assert!(verify(&tbs, &signature[1..]).is_err(), "{name}");
        assert!(verify(&tbs, &[]).is_err(), "{name}");
    }
}

/// What is signed, and the signature.
fn split(certificate: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (_, parsed) = X509Certificate::from_der(certificate).unwrap();
    (parsed.tbs_certificate.as_ref().to_vec(), parsed.signature_value.data.to_vec())
}

proptest! {
    #[test]
    fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Certificate::from_der(&octets).is_err());
        let _ = Certificate::from_pem(&pem("CERTIFICATE", &octets));
    }

    #[test]
    fn no_changed_octets_make_it_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        name in prop::sample::select(vec!["names", "v1", "p521", "pss-sha256", "dsa-key", "rsa2048"]),
    ) {
        let mut octets = der(&data(&format!("certificate/{name}")));
        for (at, octet) in changes {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        if let Ok(certificate) = Certificate::from_der(&octets) {
            let _ = certificate.names();
            let _ = certificate.check_registrable(NOW);
            let _ = certificate.public_key();
        }
    }
}
