//! What foreign issuers make of requests.

use gatehouse_domain::limits;
use gatehouse_pki::answer::AnswerRefusal;
use gatehouse_pki::certificate::CertificateRefusal;
use gatehouse_pki::csr::VerifiedCsr;
use rcgen::string::{BmpString, PrintableString};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, DnValue, IsCa,
    Issuer, KeyPair,
};

use crate::{NOW, data};

/// A foreign issuer.
fn issuer() -> Issuer<'static, KeyPair> {
    let mut params = named(&[(DnType::CommonName, "their authority".into())]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Issuer::new(params, KeyPair::generate().unwrap())
}

/// A subject, valid from 1975 to 4096.
fn named(names: &[(DnType, DnValue)]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in names {
        params.distinguished_name.push(kind.clone(), value.clone());
    }
    params
}

fn printable(text: &str) -> DnValue {
    DnValue::PrintableString(PrintableString::try_from(text).unwrap())
}

/// A request for `names` and what the issuer makes of `answered` for the same key.
fn asked_and_answered(names: &[(DnType, DnValue)], answered: &CertificateParams) -> Result<(), AnswerRefusal> {
    let key = KeyPair::generate().unwrap();
    let csr = VerifiedCsr::from_pem(&named(names).serialize_request(&key).unwrap().pem().unwrap()).unwrap();
    csr.answered_by(&answered.signed_by(&key, &issuer()).unwrap().pem(), NOW).map(drop)
}

#[test]
fn the_certificate_for_the_request_is_taken() {
    let issuer = issuer();
    for name in ["p-256-sha256", "p-384-sha384", "rsa2048"] {
        let text = data(&format!("csr/{name}"));
        let csr = VerifiedCsr::from_pem(&text).unwrap();
        let answer = CertificateSigningRequestParams::from_pem(&text).unwrap().signed_by(&issuer).unwrap().pem();
        let certificate = csr.answered_by(&answer, NOW).unwrap();
        assert_eq!(certificate.spki_der(), csr.spki_der(), "{name}");
        csr.answered_by(&format!("subject=…\n{answer}\n"), NOW).unwrap();
    }
}

#[test]
fn other_keys_and_texts_are_refused() {
    let text = data("csr/p-256-sha256");
    let csr = VerifiedCsr::from_pem(&text).unwrap();
    let request = CertificateSigningRequestParams::from_pem(&text).unwrap();
    let answer = request.signed_by(&issuer()).unwrap().pem();
    let other_key = request.params.signed_by(&KeyPair::generate().unwrap(), &issuer()).unwrap().pem();
    assert_eq!(csr.answered_by(&other_key, NOW), Err(AnswerRefusal::Key));
    for several in [format!("{answer}{other_key}"), format!("{answer}{answer}"), format!("{text}{answer}")] {
        assert_eq!(csr.answered_by(&several, NOW), Err(AnswerRefusal::Several));
    }
    for bad in [String::new(), "no PEM".to_owned(), text.clone(), answer.replace("END", "KEND")] {
        assert!(
            matches!(csr.answered_by(&bad, NOW), Err(AnswerRefusal::Certificate(CertificateRefusal::Pem(_)))),
            "{bad}"
        );
    }
    let padded = |length: usize| format!("{answer}{}", " ".repeat(length - answer.len()));
    csr.answered_by(&padded(limits::CERTIFICATE_PEM_CHARACTERS), NOW).unwrap();
    let long = csr.answered_by(&padded(limits::CERTIFICATE_PEM_CHARACTERS + 1), NOW);
    assert_eq!(long, Err(AnswerRefusal::Certificate(CertificateRefusal::TooLong)));
}

#[test]
fn the_subject_is_the_same_whatever_string_types_it_is_written_in() {
    let (name, org) = (DnType::CommonName, DnType::OrganizationName);
    let asked = [(name.clone(), printable("meter 7")), (org.clone(), "Ümläut".into())];
    let bmp = DnValue::BmpString(BmpString::try_from("Ümläut").unwrap());
    let refused = Err(AnswerRefusal::Subject);
    for (answered, expected) in [
        (vec![(name.clone(), printable("meter 7")), (org.clone(), "Ümläut".into())], Ok(())),
        (vec![(name.clone(), "meter 7".into()), (org.clone(), bmp)], Ok(())),
        (vec![(name.clone(), "meter 8".into()), (org.clone(), "Ümläut".into())], refused.clone()),
        (vec![(name.clone(), "Meter 7".into()), (org.clone(), "Ümläut".into())], refused.clone()),
        (vec![(name.clone(), "meter 7 ".into()), (org.clone(), "Ümläut".into())], refused.clone()),
        (vec![(org.clone(), "Ümläut".into()), (name.clone(), "meter 7".into())], refused.clone()),
        (vec![(org.clone(), "meter 7".into()), (name.clone(), "Ümläut".into())], refused.clone()),
        (vec![(name.clone(), "meter 7".into())], refused.clone()),
        (
            vec![(name.clone(), "meter 7".into()), (org, "Ümläut".into()), (DnType::CountryName, printable("DE"))],
            refused.clone(),
        ),
        (vec![], refused.clone()),
    ] {
        assert_eq!(asked_and_answered(&asked, &named(&answered)), expected, "{answered:?}");
    }
    assert_eq!(asked_and_answered(&[], &named(&[])), Ok(()));
    assert_eq!(asked_and_answered(&[], &named(&[(name, "AWS IoT Certificate".into())])), refused);
}

#[test]
fn the_certificate_is_valid_now_or_by_a_clock_that_is_a_little_ahead() {
    let at = |millis: i64| {
        let at = time::OffsetDateTime::from_unix_timestamp(NOW.plus_millis(millis).as_secs());
        at.unwrap()
    };
    let hour = 3_600_000;
    let skew = limits::PROVIDER_CLOCK_SKEW_MS;
    let not_yet = |millis| Err(CertificateRefusal::NotYetValid(NOW.plus_millis(millis)));
    for (from, to, expected) in [
        (-hour, hour, Ok(())),
        (0, 0, Ok(())),
        (skew, hour, Ok(())),
        (skew + 1_000, hour, not_yet(skew + 1_000)),
        (-hour, -1_000, Err(CertificateRefusal::Expired(NOW.plus_millis(-1_000)))),
        (2_000, 1_000, Err(CertificateRefusal::Expired(NOW.plus_millis(1_000)))),
    ] {
        let mut params = named(&[]);
        (params.not_before, params.not_after) = (at(from), at(to));
        assert_eq!(asked_and_answered(&[], &params), expected.map_err(AnswerRefusal::Certificate), "{from} {to}");
    }
}
