use std::cell::Cell;
use std::convert::Infallible;

use gatehouse_domain::time::Timestamp;
use gatehouse_pki::authority::{Authority, AuthoritySettings, IssuingKey};
use gatehouse_pki::certificate::Certificate;
use gatehouse_pki::csr::VerifiedCsr;
use gatehouse_pki::issue::{Applicant, IssuanceLog, IssueError, Issuer, ToBeSigned};
use gatehouse_pki::key_pair::KeyPair;
use parking_lot::Mutex;
use proptest::prelude::*;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::{NOW, data, run};

const SERIAL: [u8; 20] = [0xA5; 20];

type Entry = ([u8; 20], Vec<u8>, [u8; 32]);

/// Remembers what was recorded.
#[derive(Default)]
struct Log(Mutex<Vec<Entry>>);

impl IssuanceLog for Log {
    type Error = Infallible;

    async fn record(&self, certificate: &ToBeSigned) -> Result<(), Infallible> {
        let entry = (*certificate.serial(), certificate.subject_der().to_vec(), certificate.tbs_sha256());
        self.0.lock().push(entry);
        Ok(())
    }
}

struct Refusing;

impl IssuanceLog for Refusing {
    type Error = &'static str;

    async fn record(&self, _: &ToBeSigned) -> Result<(), &'static str> {
        Err("the store is away")
    }
}

fn authority(issuing_key: IssuingKey) -> Authority {
    let dir = tempfile::tempdir().unwrap();
    Authority::open(dir.path(), &AuthoritySettings { issuing_key, passphrase: None }, NOW).unwrap()
}

fn issue(issuer: &Issuer, applicant: Applicant<'_>, serial: [u8; 20], now: Timestamp) -> Certificate {
    let prepared = issuer.prepare(applicant, serial, now).unwrap();
    let Ok(recorded) = run(prepared.record_in(&Log::default()));
    issuer.sign(recorded).unwrap()
}

fn csr(name: &str) -> VerifiedCsr {
    VerifiedCsr::from_pem(&data(&format!("csr/{name}"))).unwrap()
}

/// Reads one value: its tag, its content, and what follows.
fn value(der: &[u8]) -> (u8, &[u8], &[u8]) {
    let (header, length) = match der[1] {
        short @ 0..=0x7F => (2, usize::from(short)),
        long => {
            let octets = usize::from(long & 0x7F);
            (2 + octets, der[2..2 + octets].iter().fold(0, |length, octet| length << 8 | usize::from(*octet)))
        }
    };
    (der[0], &der[header..header + length], &der[header + length..])
}

fn values(mut der: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !der.is_empty() {
        let rest = value(der).2;
        found.push(&der[..der.len() - rest.len()]);
        der = rest;
    }
    found
}

/// The profile of AWS's issuer, octet for octet.
#[test]
fn an_issued_certificate_has_exactly_the_profile() {
    let authority = authority(IssuingKey::P256);
    let csr = csr("p-256-sha256");
    let certificate = issue(authority.issuer(), (&csr).into(), SERIAL, NOW);
    let (0x30, outer, []) = value(certificate.der()) else { panic!() };
    let [tbs, algorithm, signature] = values(outer)[..] else { panic!() };
    let ecdsa_with_sha256 = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
    assert_eq!(algorithm, ecdsa_with_sha256);
    assert_eq!(signature[0], 3);

    let [version, serial, inner_algorithm, issuer, validity, subject, spki, extensions] = values(value(tbs).1)[..]
    else {
        panic!()
    };
    assert_eq!(version, b"\xa0\x03\x02\x01\x02");
    // The highest bit of the serial number is set, so that a zero octet stands before it.
    assert_eq!(serial, [&[0x02, 21, 0], SERIAL.as_slice()].concat());
    assert_eq!(inner_algorithm, ecdsa_with_sha256);
    let unit = b"Amazon Web Services O=Amazon.com Inc. L=Seattle ST=Washington C=US";
    assert_eq!(issuer, [b"\x30\x4d\x31\x4b\x30\x49\x06\x03\x55\x04\x0b\x0c\x42", unit.as_slice()].concat());
    assert_eq!(validity, b"\x30\x1e\x17\x0d270115075800Z\x17\x0d491231235959Z");
    assert_eq!(subject, csr.subject_der());
    assert_eq!(spki, csr.spki_der());

    let key_id = |spki: &[u8]| {
        let bits = values(value(spki).1)[1];
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &value(bits).1[1..]);
        digest.as_ref().to_vec()
    };
    let issuer_key_id = key_id(Certificate::from_pem(authority.issuer_pem()).unwrap().spki_der());
    let expected = [
        [b"\x30\x1f\x06\x03\x55\x1d\x23\x04\x18\x30\x16\x80\x14".as_slice(), &issuer_key_id].concat(),
        [b"\x30\x1d\x06\x03\x55\x1d\x0e\x04\x16\x04\x14".as_slice(), &key_id(spki)].concat(),
        b"\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00".to_vec(),
        b"\x30\x0e\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02\x07\x80".to_vec(),
    ];
    assert_eq!(extensions[0], 0xA3);
    assert_eq!(values(value(value(extensions).1).1), expected);

    assert_eq!(certificate.not_before(), NOW.plus_millis(-120_000));
    assert_eq!(certificate.not_after(), Timestamp::from_secs(2_524_607_999));
    assert_eq!(certificate.check_registrable(NOW), Ok(()));
}

#[test]
fn another_reader_understands_the_certificate() {
    for issuing_key in [IssuingKey::P256, IssuingKey::Rsa2048] {
        let authority = authority(issuing_key);
        let certificate = issue(authority.issuer(), (&csr("p-521-sha512")).into(), SERIAL, NOW);
        let issuer = Certificate::from_pem(authority.issuer_pem()).unwrap();
        let (rest, parsed) = X509Certificate::from_der(certificate.der()).unwrap();
        let (_, parsed_issuer) = X509Certificate::from_der(issuer.der()).unwrap();
        assert!(rest.is_empty());
        assert_eq!(certificate.issuer_der(), issuer.subject_der());
        assert!(issuer.is_ca() && !certificate.is_ca());
        let oids: Vec<String> = parsed.extensions().iter().map(|extension| extension.oid.to_string()).collect();
        assert_eq!(oids, ["2.5.29.35", "2.5.29.14", "2.5.29.19", "2.5.29.15"]);
        let usage = parsed.key_usage().unwrap().unwrap();
        assert!(usage.critical && usage.value.flags == 1);
        assert!(parsed_issuer.key_usage().unwrap().unwrap().value.key_cert_sign());
        gatehouse_pki::signature::verify_signature(
            issuer.spki_der(),
            certificate.signature_algorithm(),
            parsed.tbs_certificate.as_ref(),
            &parsed.signature_value.data,
        )
        .unwrap();
    }
}

fn claim(issuer: &Issuer, pair: &KeyPair, now: Timestamp) -> Certificate {
    let Ok(recorded) = run(issuer.prepare_claim(pair, SERIAL, &[0x0B; 32], now).unwrap().record_in(&Log::default()));
    issuer.sign(recorded).unwrap()
}

/// AWS's profile of provisioning claims, but for the issuer, which is ours.
#[test]
fn a_claim_has_exactly_its_profile() {
    let pair = KeyPair::generate().unwrap();
    for issuing_key in [IssuingKey::P256, IssuingKey::Rsa2048] {
        let authority = authority(issuing_key);
        let claim = claim(authority.issuer(), &pair, NOW);
        let [_, serial, _, issuer, validity, subject, spki, extensions] =
            values(value(values(value(claim.der()).1)[0]).1)[..]
        else {
            panic!()
        };
        assert_eq!(serial, [&[0x02, 21, 0], SERIAL.as_slice()].concat());
        let ca = Certificate::from_pem(authority.issuer_pem()).unwrap();
        assert_eq!(issuer, ca.subject_der());
        assert_eq!(validity, b"\x30\x1e\x17\x0d270115075800Z\x17\x0d270115080500Z");
        let name = "0b".repeat(32);
        assert_eq!(subject, [b"\x30\x4b\x31\x49\x30\x47\x06\x03\x55\x04\x03\x0c\x40", name.as_bytes()].concat());
        assert_eq!(spki, pair.spki_der());
        let expected = [
            b"\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00".as_slice(),
            b"\x30\x0e\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02\x07\x80",
        ];
        assert_eq!(values(value(value(extensions).1).1), expected);
        assert_eq!(claim.not_before(), NOW.plus_millis(-120_000));
        assert_eq!(claim.not_after(), NOW.plus_millis(300_000));
        assert!(!claim.is_ca());

        let (_, parsed) = X509Certificate::from_der(claim.der()).unwrap();
        gatehouse_pki::signature::verify_signature(
            ca.spki_der(),
            claim.signature_algorithm(),
            parsed.tbs_certificate.as_ref(),
            &parsed.signature_value.data,
        )
        .unwrap();
    }
}

#[test]
fn claims_are_recorded_before_they_are_signed_and_need_a_generator_and_a_clock() {
    let authority = authority(IssuingKey::P256);
    let pair = KeyPair::generate().unwrap();
    let prepare = |serial, now| authority.issuer().prepare_claim(&pair, serial, &[0x0B; 32], now);
    let log = Log::default();
    let Ok(recorded) = run(prepare(SERIAL, NOW).unwrap().record_in(&log));
    let claim = authority.issuer().sign(recorded).unwrap();
    let tbs = values(value(claim.der()).1)[0];
    let digest: [u8; 32] = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, tbs).as_ref().try_into().unwrap();
    assert_eq!(*log.0.lock(), [(SERIAL, claim.subject_der().to_vec(), digest)]);
    assert_eq!(run(prepare(SERIAL, NOW).unwrap().record_in(&Refusing)).unwrap_err(), "the store is away");
    assert_eq!(prepare([0; 20], NOW).map(drop), Err(IssueError::SerialZero));
    let before_1950 = Timestamp::from_secs(-1_000_000_000);
    assert_eq!(prepare(SERIAL, before_1950).map(drop), Err(IssueError::Clock(before_1950)));
    // A claim that reaches into 2050 is written with four digits of the year.
    let last = Timestamp::from_secs(2_524_607_999);
    let claim = self::claim(authority.issuer(), &pair, last);
    assert_eq!(claim.not_after(), last.plus_millis(300_000));
}

#[test]
fn a_request_that_names_nobody_gets_the_default_subject() {
    let issuer = authority(IssuingKey::P256);
    let default = b"\x30\x1e\x31\x1c\x30\x1a\x06\x03\x55\x04\x03\x0c\x13AWS IoT Certificate";
    assert_eq!(issue(issuer.issuer(), (&csr("empty-subject")).into(), SERIAL, NOW).subject_der(), default);
    let pair = KeyPair::generate().unwrap();
    let certificate = issue(issuer.issuer(), (&pair).into(), SERIAL, NOW);
    assert_eq!(certificate.subject_der(), default);
    assert_eq!(certificate.spki_der(), pair.spki_der());
}

#[test]
fn a_subject_is_kept_as_the_request_has_it() {
    let csr = csr("many-names");
    let certificate = issue(authority(IssuingKey::P256).issuer(), (&csr).into(), SERIAL, NOW);
    assert_eq!(certificate.subject_der(), csr.subject_der());
    let units: Vec<String> = certificate
        .names()
        .subject
        .values(gatehouse_domain::policy::NameAttribute::OrganizationalUnit)
        .map(str::to_owned)
        .collect();
    assert_eq!(units, ["a", "b"]);
}

#[test]
fn extensions_that_a_request_asks_for_are_not_given() {
    let certificate = issue(authority(IssuingKey::P256).issuer(), (&csr("extension-request")).into(), SERIAL, NOW);
    let (_, parsed) = X509Certificate::from_der(certificate.der()).unwrap();
    assert_eq!(parsed.extensions().len(), 4);
    assert!(!certificate.is_ca());
}

#[test]
fn what_is_recorded_is_what_is_signed() {
    let authority = authority(IssuingKey::P256);
    let log = Log::default();
    let csr = csr("p-256-sha256");
    let prepared = authority.issuer().prepare((&csr).into(), SERIAL, NOW).unwrap();
    let Ok(recorded) = run(prepared.record_in(&log));
    let certificate = authority.issuer().sign(recorded).unwrap();
    let tbs = values(value(certificate.der()).1)[0];
    let digest: [u8; 32] = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, tbs).as_ref().try_into().unwrap();
    assert_eq!(*log.0.lock(), [(SERIAL, csr.subject_der().to_vec(), digest)]);
}

#[test]
fn nothing_is_signed_that_could_not_be_recorded() {
    let authority = authority(IssuingKey::P256);
    let csr = csr("p-256-sha256");
    let prepared = authority.issuer().prepare((&csr).into(), SERIAL, NOW).unwrap();
    // No `Recorded` comes out, and `sign` takes nothing else.
    assert_eq!(run(prepared.record_in(&Refusing)).unwrap_err(), "the store is away");
}

#[test]
fn a_broken_generator_or_clock_stops_issuing() {
    let authority = authority(IssuingKey::P256);
    let csr = csr("p-256-sha256");
    let prepare = |serial, now| authority.issuer().prepare((&csr).into(), serial, now).map(drop);
    assert_eq!(prepare([0; 20], NOW), Err(IssueError::SerialZero));
    for now in
        [Timestamp::from_secs(2_524_608_000), Timestamp::from_secs(-1_000_000_000), Timestamp::from_millis(i64::MIN)]
    {
        assert_eq!(prepare(SERIAL, now), Err(IssueError::Clock(now)));
    }
    assert_eq!(prepare(SERIAL, Timestamp::from_secs(2_524_607_999)), Ok(()));
}

thread_local!(static ISSUER: Cell<Option<&'static Authority>> = const { Cell::new(None) });

proptest! {
    #[test]
    fn serial_numbers_are_positive_and_minimal(mut serial in any::<[u8; 20]>(), zeros in 0..20_usize) {
        serial[..zeros].fill(0);
        prop_assume!(serial != [0; 20]);
        let shared = ISSUER.get().unwrap_or_else(|| Box::leak(Box::new(authority(IssuingKey::P256))));
        ISSUER.set(Some(shared));
        let certificate = issue(shared.issuer(), (&csr("p-256-sha256")).into(), serial, NOW);
        let (_, parsed) = X509Certificate::from_der(certificate.der()).unwrap();
        let content = parsed.raw_serial();
        prop_assert!(content[0] < 0x80);
        prop_assert!(content.len() == 1 || content[0] != 0 || content[1] >= 0x80);
        let significant = |octets: &[u8]| octets.iter().copied().skip_while(|octet| *octet == 0).collect::<Vec<_>>();
        prop_assert_eq!(significant(content), significant(&serial));
    }
}
