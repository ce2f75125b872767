//! What a device presents, and who among the registered authorities signed it.

use std::time::Instant;

use gatehouse_domain::limits;
use gatehouse_pki::ca::{CaCertificate, NotIssued};
use gatehouse_pki::certificate::{Certificate, CertificateRefusal};
use gatehouse_pki::chain::{ChainRefusal, PresentedChain, signers};
use gatehouse_pki::signature::SignatureRefusal;
use proptest::prelude::*;

use crate::{NOW, authority, blocks, data};

fn registered(names: &[&str]) -> Vec<CaCertificate> {
    names.iter().map(|name| CaCertificate::from_registered(&authority(name).to_pem()).unwrap()).collect()
}

fn presented(names: &[&str]) -> PresentedChain {
    let certificates: Vec<Certificate> = names.iter().map(|name| authority(name)).collect();
    PresentedChain::from_der(certificates.iter().map(Certificate::der)).unwrap()
}

fn signer(chain: &[&str], cas: &[&str]) -> Result<Certificate, ChainRefusal> {
    presented(chain).signer(&registered(cas), NOW).map(|ca| ca.certificate().clone())
}

#[test]
fn the_signer_is_found_with_and_without_the_authority_in_the_chain() {
    let cas = ["path-root", "ca-namesake", "ca"];
    assert_eq!(signer(&["leaf"], &cas), Ok(authority("ca")));
    assert_eq!(signer(&["leaf", "ca"], &cas), Ok(authority("ca")));
    assert_eq!(signer(&["leaf", "path-sub", "ca-namesake", "ca"], &cas), Ok(authority("ca")));
    assert_eq!(
        presented(&["leaf", "path-sub", "ca-namesake", "ca"]).issuers(),
        [authority("ca-namesake").id(), authority("ca").id()]
    );
}

#[test]
fn a_name_without_a_signature_is_not_enough() {
    let wrong = ChainRefusal::NotIssued(NotIssued::Signature(SignatureRefusal::Wrong));
    assert_eq!(signer(&["leaf-forged"], &["ca"]), Err(wrong.clone()));
    // Nor does the authority's certificate behind it help.
    assert_eq!(signer(&["leaf-forged", "ca"], &["ca"]), Err(wrong));
    assert_eq!(signer(&["leaf"], &[]), Err(ChainRefusal::UnknownIssuer));
    assert_eq!(signer(&["leaf"], &["path-root"]), Err(ChainRefusal::UnknownIssuer));
}

#[test]
fn a_presented_authority_that_is_not_registered_counts_for_nothing() {
    assert_eq!(signer(&["leaf", "ca"], &["path-root"]), Err(ChainRefusal::UnknownIssuer));
    // The root is registered, the sub-authority between is not.
    assert_eq!(signer(&["path-leaf", "path-sub", "path-root"], &["path-root"]), Err(ChainRefusal::UnknownIssuer));
    assert_eq!(signer(&["path-leaf", "path-sub", "path-root"], &["path-sub"]), Ok(authority("path-sub")));
}

#[test]
fn only_the_first_certificate_is_the_devices() {
    let chain = presented(&["leaf-forged", "leaf", "ca"]);
    assert_eq!(chain.device(), &authority("leaf-forged"));
    // The victim's certificate behind it is well signed, and is not looked at.
    assert!(chain.signer(&registered(&["ca"]), NOW).is_err());
    assert_eq!(presented(&["leaf", "leaf-version-1"]).device(), &authority("leaf"));
}

#[test]
fn of_authorities_renewed_with_one_key_the_presented_one_is_meant() {
    let cas = ["ca", "ca-renewed"];
    assert_eq!(signer(&["leaf"], &cas), Ok(authority("ca")));
    assert_eq!(signer(&["leaf", "ca-renewed"], &cas), Ok(authority("ca-renewed")));
    assert_eq!(signer(&["leaf", "ca-renewed"], &["ca"]), Ok(authority("ca")));
    let cas = registered(&["ca-namesake", "ca", "ca-renewed"]);
    let found: Vec<_> = signers(&authority("leaf"), &cas).unwrap().iter().map(|ca| ca.id()).collect();
    assert_eq!(found, [authority("ca").id(), authority("ca-renewed").id()]);
}

#[test]
fn device_and_authority_are_valid_now() {
    let expired = CertificateRefusal::Expired(authority("leaf-expired").not_after());
    assert_eq!(signer(&["leaf-expired"], &["ca"]), Err(ChainRefusal::Certificate(expired)));
    let future = CertificateRefusal::NotYetValid(authority("leaf-future").not_before());
    assert_eq!(signer(&["leaf-future"], &["ca"]), Err(ChainRefusal::Certificate(future)));
    let expired = CertificateRefusal::Expired(authority("ca-expired").not_after());
    assert_eq!(signer(&["leaf"], &["ca-expired"]), Err(ChainRefusal::Ca(expired)));
    let future = CertificateRefusal::NotYetValid(authority("ca-future").not_before());
    assert_eq!(signer(&["leaf"], &["ca-future"]), Err(ChainRefusal::Ca(future)));
    // A renewed one takes over, whichever is presented.
    assert_eq!(signer(&["leaf", "ca-expired"], &["ca-expired", "ca"]), Ok(authority("ca")));
}

#[test]
fn a_device_with_a_critical_extension_that_nobody_understands_is_refused() {
    let refusal = CertificateRefusal::CriticalExtension("1.2.3.4".to_owned());
    assert_eq!(signer(&["leaf-unknown-critical"], &["ca"]), Err(ChainRefusal::Certificate(refusal)));
}

#[test]
fn of_a_hundred_certificates_ten_are_looked_at() {
    let (leaf, other) = (authority("leaf"), authority("ca"));
    let chain = std::iter::once(leaf.der()).chain(std::iter::repeat_n(other.der(), 99));
    let chain = PresentedChain::from_der(chain).unwrap();
    assert_eq!(chain.issuers().len(), limits::CHAIN_CERTIFICATES - 1);
    assert_eq!(chain.signer(&registered(&["ca"]), NOW).unwrap().id(), other.id());
}

#[test]
fn what_cannot_be_read_behind_the_device_is_passed_over() {
    let (leaf, ca) = (authority("leaf"), authority("ca"));
    let long = [0x30; limits::CHAIN_CERTIFICATE_BYTES + 1];
    let chain = PresentedChain::from_der([leaf.der(), b"", b"\x30\x00", &long, ca.der()]).unwrap();
    assert_eq!(chain.issuers(), [ca.id()]);
    assert_eq!(PresentedChain::from_der([&long[..], ca.der()]), Err(ChainRefusal::TooLong));
    let malformed = Err(ChainRefusal::Certificate(CertificateRefusal::Malformed));
    assert_eq!(PresentedChain::from_der([b"\x30\x00".as_slice(), ca.der()]), malformed);
    assert_eq!(PresentedChain::from_der([]), Err(ChainRefusal::Empty));
}

#[test]
fn authorities_with_one_name_and_key_cost_one_computation() {
    // A DSA key, whose computation takes long: a hundred of them would take seconds.
    let [leaf, ca] = blocks(&data("algorithm/dsa-3072-256")).try_into().unwrap();
    let mut leaf = leaf;
    let ca = CaCertificate::from_certificate(Certificate::from_der(&ca).unwrap(), NOW).unwrap();
    let took = |cas: &[CaCertificate], leaf: &[u8]| {
        let leaf = Certificate::from_der(leaf).unwrap();
        let begin = Instant::now();
        let found = signers(&leaf, cas).map(|found| found.len());
        (found, begin.elapsed())
    };
    let (found, one) = took(std::slice::from_ref(&ca), &leaf);
    assert_eq!(found, Ok(1));
    let many = vec![ca.clone(); 100];
    let (found, hundred) = took(&many, &leaf);
    assert_eq!(found, Ok(limits::CA_CERTIFICATES_PER_SUBJECT));
    assert!(hundred < one * 30, "one took {one:?}, a hundred {hundred:?}");
    // A wrong signature is found out once as well.
    let last = leaf.len() - 1;
    leaf[last] ^= 1;
    let (found, wrong) = took(&many, &leaf);
    assert_eq!(found, Err(ChainRefusal::NotIssued(NotIssued::Signature(SignatureRefusal::Wrong))));
    assert!(wrong < one * 30, "one took {one:?}, a hundred wrong ones {wrong:?}");
}

#[test]
fn a_text_full_of_blocks_or_of_nothing_is_read_in_bounded_time() {
    let text = authority("leaf").to_pem();
    let id = authority("leaf").id();
    let blocks = "-----BEGIN X-----\nAAAA\n-----END X-----\n".repeat(1000);
    assert_eq!(Certificate::from_pem(&format!("{blocks}{text}")).unwrap().id(), id);
    assert_eq!(Certificate::from_pem(&text.repeat(1000)), Err(CertificateRefusal::TooLong));
    assert_eq!(Certificate::from_pem(&"-".repeat(1 << 20)), Err(CertificateRefusal::TooLong));
    assert_eq!(Certificate::from_pem(&format!("{text}{}", " ".repeat(1 << 20))), Err(CertificateRefusal::TooLong));
    let windows = format!("Subject: device\r\n\r\n{}", text.replace('\n', "\r\n"));
    assert_eq!(Certificate::from_pem(&windows).unwrap().id(), id);
    for label in ["TRUSTED CERTIFICATE", "X509 CERTIFICATE", "certificate", "PUBLIC KEY", "PKCS7"] {
        let text = text.replace("CERTIFICATE", label);
        assert!(matches!(Certificate::from_pem(&text), Err(CertificateRefusal::Pem(_))), "{label}");
    }
}

proptest! {
    #[test]
    fn no_changed_chain_makes_it_panic_or_finds_a_signer_for_a_changed_device(
        names in proptest::collection::vec(prop::sample::select(vec![
            "leaf", "leaf-forged", "leaf-urls", "leaf-empty-eku", "leaf-serial-200", "path-leaf", "ca", "ca-bmp-name",
        ]), 1..4),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let before: Vec<Vec<u8>> = names.iter().map(|name| authority(name).der().to_vec()).collect();
        let mut chain = before.clone();
        for (which, at, octet) in changes {
            let which = which.index(chain.len());
            let at = at.index(chain[which].len());
            chain[which][at] = octet;
        }
        let cas = registered(&["ca", "ca-renewed", "ca-namesake", "path-sub"]);
        if let Ok(read) = PresentedChain::from_der(chain.iter().map(Vec::as_slice)) {
            let found = read.signer(&cas, NOW);
            prop_assert!(found.is_err() || chain[0] == before[0]);
        }
    }
}
