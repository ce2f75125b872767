//! Which certificates may stand for an authority, and which certificates such a one has issued.

use gatehouse_pki::ca::{CaCertificate, CaRefusal, NotIssued};
use gatehouse_pki::certificate::{Certificate, CertificateRefusal};
use gatehouse_pki::signature::SignatureRefusal;

use crate::{NOW, authority, blocks, data};

const CODE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn ca(name: &str) -> CaCertificate {
    CaCertificate::from_certificate(authority(name), NOW).unwrap()
}

fn refusal(name: &str) -> CaRefusal {
    CaCertificate::from_certificate(authority(name), NOW).unwrap_err()
}

#[test]
fn an_authority_says_that_it_is_one() {
    for name in ["ca", "ca-renewed", "ca-namesake", "ca-constraints-not-critical", "ca-length-0", "ca-of-another"] {
        assert_eq!(ca(name).id(), authority(name).id(), "{name}");
    }
    for name in ["ca-false", "ca-version-1", "ca-without-constraints", "ca-unreadable-constraints", "leaf"] {
        assert_eq!(refusal(name), CaRefusal::NotCa, "{name}");
    }
    assert_eq!(
        CaRefusal::NotCa.to_string(),
        "CA certificate is not valid. The CA certificate does not have the basicConstraints extension as true"
    );
}

#[test]
fn a_key_that_may_not_sign_certificates_is_no_authoritys() {
    assert_eq!(refusal("ca-without-cert-sign"), CaRefusal::KeyUsage);
}

#[test]
fn an_authority_is_registered_within_its_validity() {
    let expired = authority("ca-expired").not_after();
    assert_eq!(refusal("ca-expired"), CaRefusal::Certificate(CertificateRefusal::Expired(expired)));
    let future = authority("ca-future").not_before();
    assert_eq!(refusal("ca-future"), CaRefusal::Certificate(CertificateRefusal::NotYetValid(future)));
    // Once registered, it can still be read.
    assert!(CaCertificate::from_registered(&authority("ca-expired").to_pem()).is_ok());
    assert!(CaCertificate::from_registered(&authority("ca-false").to_pem()).is_err());
}

#[test]
fn what_must_not_be_ignored_is_refused() {
    let critical = |oid: &str| CertificateRefusal::CriticalExtension(oid.to_owned());
    assert_eq!(refusal("ca-unknown-critical"), CaRefusal::Certificate(critical("1.2.3.4")));
    assert_eq!(refusal("ca-name-constraints"), CaRefusal::Certificate(critical("2.5.29.30")));
    assert_eq!(authority("leaf-unknown-critical").check_registrable(NOW), Err(critical("1.2.3.4")));
    assert_eq!(authority("leaf-unreadable-critical").check_registrable(NOW), Err(critical("2.5.29.17")));
    assert_eq!(authority("leaf-unknown").check_registrable(NOW), Ok(()));
}

#[test]
fn an_extension_that_stands_twice_is_refused() {
    for (name, oid) in [("ca-duplicate-constraints", "2.5.29.19"), ("leaf-duplicate", "2.5.29.17")] {
        let refusal = CertificateRefusal::DuplicateExtension(oid.to_owned());
        assert_eq!(Certificate::from_pem(&data(&format!("authority/{name}"))), Err(refusal), "{name}");
    }
}

#[test]
fn an_authority_has_issued_what_bears_its_name_and_signature() {
    for name in ["leaf", "leaf-version-1", "leaf-expired", "leaf-future", "leaf-unknown", "leaf-server-eku"] {
        assert_eq!(ca("ca").has_issued(&authority(name)), Ok(()), "{name}");
    }
    let wrong = Err(NotIssued::Signature(SignatureRefusal::Wrong));
    assert_eq!(ca("ca").has_issued(&authority("leaf-forged")), wrong);
    assert_eq!(ca("ca-namesake").has_issued(&authority("leaf")), wrong);
    assert_eq!(ca("ca-namesake").has_issued(&authority("leaf-forged")), Ok(()));
    assert_eq!(ca("path-root").has_issued(&authority("leaf")), Err(NotIssued::Name));
}

#[test]
fn a_renewed_authority_with_the_same_key_has_issued_the_same() {
    assert_ne!(ca("ca").id(), ca("ca-renewed").id());
    assert_eq!(ca("ca").subject_sha256(), ca("ca-renewed").subject_sha256());
    assert_eq!(ca("ca-renewed").has_issued(&authority("leaf")), Ok(()));
    assert_eq!(authority("leaf").issuer_sha256(), ca("ca").subject_sha256());
}

#[test]
fn names_are_compared_octet_by_octet() {
    for name in ["reordered", "multi-valued", "bmp", "case", "nul", "empty"] {
        let leaf = authority(&format!("leaf-issuer-{name}"));
        assert_eq!(ca("ca").has_issued(&leaf), Err(NotIssued::Name), "{name}");
    }
    // The signature is good: it is the name that differs, and an authority with that name has issued it.
    assert_eq!(ca("ca-bmp-name").has_issued(&authority("leaf-issuer-bmp")), Ok(()));
    assert_eq!(ca("ca-nul-name").has_issued(&authority("leaf-issuer-nul")), Ok(()));
}

#[test]
fn a_registered_authority_stands_for_what_it_signed_itself_and_for_nothing_below() {
    let (root, sub) = (ca("path-root"), ca("path-sub"));
    let leaf = authority("path-leaf");
    // The root allows no authority below it, which breaks the path from root to device. There is none to take.
    assert_eq!(root.has_issued(&leaf), Err(NotIssued::Name));
    assert_eq!(root.has_issued(sub.certificate()), Ok(()));
    // Registered itself, the sub-authority is an anchor: nobody above it is asked.
    assert_eq!(sub.has_issued(&leaf), Ok(()));
    // The last certificate of a path is not counted (RFC 5280, 4.2.1.9), whatever it says of itself.
    assert_eq!(ca("ca-length-0").has_issued(&authority("leaf-ca")), Ok(()));
}

#[test]
fn a_verification_certificate_proves_that_the_key_is_held() {
    let verification = authority("verification");
    assert_eq!(ca("ca").has_issued(&verification), Ok(()));
    assert_eq!(verification.common_names(), [CODE]);
    assert_eq!(verification.check_validity(NOW), Ok(()));
    let wrong = Err(NotIssued::Signature(SignatureRefusal::Wrong));
    assert_eq!(ca("ca").has_issued(&authority("verification-of-namesake")), wrong);
    for name in ["verification-expired", "verification-future"] {
        assert!(authority(name).check_validity(NOW).is_err(), "{name}");
    }
}

#[test]
fn the_common_names_of_a_verification_certificate_are_read_to_their_end() {
    assert_eq!(authority("verification-two-names").common_names(), ["other", CODE]);
    assert_eq!(authority("verification-nul").common_names(), [format!("{CODE}\0")]);
    assert_eq!(authority("verification-bmp").common_names(), [CODE]);
    assert_eq!(authority("leaf-subject-nul").common_names(), ["device\0.admin"]);
    assert_eq!(authority("leaf-subject-bmp").common_names(), ["Gerät"]);
    assert_eq!(authority("leaf-subject-bmp-odd").common_names(), Vec::<String>::new());
    assert_eq!(authority("leaf-subject-multi-valued").common_names(), ["a", "b", "c"]);
    assert_eq!(authority("leaf-subject-wild").common_names(), ["+", "a/#", "$aws/*", "${iot:ClientId}"]);
}

#[test]
fn the_recipe_of_the_developer_guide_works() {
    let [verification, ca] = blocks(&data("authority/guide")).try_into().unwrap();
    let ca = CaCertificate::from_certificate(Certificate::from_der(&ca).unwrap(), NOW).unwrap();
    let verification = Certificate::from_der(&verification).unwrap();
    assert_eq!(ca.has_issued(&verification), Ok(()));
    assert_eq!(verification.common_names(), [CODE]);
    assert_eq!(verification.check_validity(NOW), Ok(()));
}

#[test]
fn odd_serial_numbers_and_usages_do_not_matter() {
    for name in [
        "serial-negative",
        "serial-21",
        "serial-200",
        "serial-zero",
        "empty-eku",
        "empty-critical-eku",
        "server-eku",
        "urls",
    ] {
        let leaf = authority(&format!("leaf-{name}"));
        assert_eq!(leaf.check_registrable(NOW), Ok(()), "{name}");
        assert_eq!(ca("ca").has_issued(&leaf), Ok(()), "{name}");
        let _ = leaf.names();
    }
    let serial = |name: &str| authority(&format!("leaf-serial-{name}")).names().serial_number;
    assert_eq!(serial("negative"), "80");
    assert_eq!(serial("21"), "7f".repeat(21));
    let empty = Certificate::from_pem(&data("authority/leaf-serial-empty"));
    assert!(matches!(empty, Err(CertificateRefusal::Malformed)), "{empty:?}");
}

#[test]
fn a_certificate_has_one_encoding_and_so_one_id() {
    // What stands around the signed part could be written otherwise, and the signature would still verify.
    let leaf = authority("leaf").der().to_vec();
    assert_eq!(leaf[..2], [0x30, 0x82]);
    let long_form = [&[0x30, 0x83, 0x00], &leaf[2..]].concat();
    assert_eq!(Certificate::from_der(&long_form), Err(CertificateRefusal::Malformed));
    let indefinite = [&[0x30, 0x80], &leaf[4..], &[0, 0]].concat();
    assert_eq!(Certificate::from_der(&indefinite), Err(CertificateRefusal::Malformed));
    // An explicit NULL behind ecdsa-with-SHA256, outside what is signed.
    let oid = [0x30, 0x0A, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];
    let at = leaf.windows(oid.len()).rposition(|window| window == oid).unwrap();
    let mut padded = leaf.clone();
    padded.splice(at + oid.len()..at + oid.len(), [0x05, 0x00]);
    padded[at + 1] += 2;
    let length = u16::from_be_bytes([leaf[2], leaf[3]]) + 2;
    padded[2..4].copy_from_slice(&length.to_be_bytes());
    assert_eq!(Certificate::from_der(&padded), Err(CertificateRefusal::Malformed));
    // A bit string that declares unused bits.
    let mut bits = leaf;
    let at = bits.windows(3).rposition(|window| window[0] == 3 && window[2] == 0).unwrap();
    bits[at + 2] = 1;
    assert_eq!(Certificate::from_der(&bits), Err(CertificateRefusal::Malformed));
}

#[test]
fn nothing_that_a_certificate_points_to_is_fetched() {
    // There is no code that could: the crate opens no connection and resolves no name.
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let mut files = 0;
    for entry in std::fs::read_dir(source).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for word in ["TcpStream", "UdpSocket", "ToSocketAddrs", "UnixStream", "hyper", "Command::"] {
            assert!(!text.contains(word), "{word}");
        }
        files += 1;
    }
    assert!(files > 10);
    assert_eq!(ca("ca").has_issued(&authority("leaf-urls")), Ok(()));
}
