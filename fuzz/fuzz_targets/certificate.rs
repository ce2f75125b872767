//! A certificate, a chain of them, or a certification request, as DER or PEM. Whatever is read can be asked everything,
//! survives the way through PEM, and a request that is accepted stays so. Who signed a chain's first certificate is
//! said with reason.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehouse_domain::limits;
use gatehouse_domain::time::Timestamp;
use gatehouse_pki::ca::CaCertificate;
use gatehouse_pki::certificate::Certificate;
use gatehouse_pki::chain::{self, PresentedChain};
use gatehouse_pki::csr::VerifiedCsr;
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp::from_secs(1_795_429_230);

fuzz_target!(|data: &[u8]| {
    if let Ok(certificate) = Certificate::from_der(data) {
        assert_eq!(certificate.der(), data);
        ask(&certificate);
        // A text may be longer than is taken; a shorter one is read back as it was.
        if let Ok(again) = Certificate::from_pem(&certificate.to_pem()) {
            assert_eq!(again, certificate);
        } else {
            assert!(certificate.to_pem().len() > limits::CERTIFICATE_PEM_CHARACTERS);
        }
    }
    present(data);
    let text = format!("-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n", wrapped(data));
    if let Ok(csr) = VerifiedCsr::from_pem(&text) {
        assert!(holds(data, csr.subject_der()) && holds(data, csr.spki_der()));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(certificate) = Certificate::from_pem(text) {
        ask(&certificate);
        assert_eq!(Certificate::from_der(certificate.der()), Ok(certificate));
    }
    if let Ok(csr) = VerifiedCsr::from_pem(text) {
        assert_eq!(VerifiedCsr::from_pem(text), Ok(csr));
    }
});

fn ask(certificate: &Certificate) {
    let der = certificate.der();
    assert!(holds(der, certificate.subject_der()) && holds(der, certificate.issuer_der()));
    assert!(holds(der, certificate.spki_der()));
    let _ = certificate.id();
    let _ = certificate.names();
    let _ = certificate.public_key().map(|key| key.check());
    if certificate.check_registrable(NOW).is_ok() {
        assert!(certificate.not_before() <= NOW && NOW <= certificate.not_after().plus_millis(999));
    }
}

/// A chain as TLS sends it: each certificate behind its length in three octets (RFC 5246, 7.4.2). Those that may be an
/// authority's are registered.
fn present(data: &[u8]) {
    let mut certificates = Vec::new();
    let mut rest = data;
    while let Some(([a, b, c], behind)) = rest.split_first_chunk() {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let Some((certificate, behind)) = behind.split_at_checked(length) else { break };
        certificates.push(certificate);
        rest = behind;
    }
    let Ok(presented) = PresentedChain::from_der(certificates.iter().copied()) else { return };
    let device = presented.device();
    assert_eq!(device.der(), certificates[0]);
    assert!(presented.issuers().len() < limits::CHAIN_CERTIFICATES);
    ask(device);
    let read = certificates.iter().filter_map(|der| Certificate::from_der(der).ok());
    let registered: Vec<_> = read.filter_map(|read| CaCertificate::from_certificate(read, NOW).ok()).collect();
    for ca in &registered {
        assert!(ca.certificate().is_ca() && ca.certificate().signature_algorithm().is_accepted());
    }
    let signers = chain::signers(device, &registered).unwrap_or_default();
    for ca in &signers {
        assert_eq!(ca.certificate().subject_der(), device.issuer_der());
        assert_eq!(ca.has_issued(device), Ok(()));
    }
    if let Ok(ca) = presented.signer(&registered, NOW) {
        assert!(signers.contains(&ca));
        assert_eq!(device.check_registrable(NOW), Ok(()));
    }
}

/// Whether `part` is a piece of `whole`.
fn holds(whole: &[u8], part: &[u8]) -> bool {
    part.is_empty() || whole.windows(part.len()).any(|piece| piece == part)
}

/// Base64 in lines of 64 characters (RFC 7468, 2).
fn wrapped(data: &[u8]) -> String {
    let text = STANDARD.encode(data);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    lines.join("\n")
}
