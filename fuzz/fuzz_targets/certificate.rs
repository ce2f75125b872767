//! A certificate or certification request, as DER or PEM. Whatever is read can be asked everything, survives the way
//! through PEM, and a request that is accepted stays so.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehouse_domain::time::Timestamp;
use gatehouse_pki::certificate::Certificate;
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
            assert!(certificate.to_pem().len() > 65_536);
        }
    }
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
