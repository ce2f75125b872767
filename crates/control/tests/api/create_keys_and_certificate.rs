//! CreateKeysAndCertificate.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehouse_pki::certificate::Certificate;
use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;

on_both_engines!(keys_and_certificate_fit_together, an_unreadable_wish_is_refused);

async fn keys_and_certificate_fit_together(api: Api) {
    let first = api.post("/keys-and-certificate").ok().await;
    let second = api.post("/keys-and-certificate?setAsActive=true").ok().await;
    assert_ne!(first["keyPair"]["PublicKey"], second["keyPair"]["PublicKey"]);
    for (made, status) in [(&first, "INACTIVE"), (&second, "ACTIVE")] {
        let certificate = Certificate::from_pem(made["certificatePem"].as_str().unwrap()).unwrap();
        assert_eq!(made["certificateId"], certificate.id().to_string());
        let (_, public) = pem_rfc7468_of(made["keyPair"]["PublicKey"].as_str().unwrap());
        assert_eq!(certificate.spki_der(), public);
        let (label, private) = pem_rfc7468_of(made["keyPair"]["PrivateKey"].as_str().unwrap());
        assert_eq!(label, "RSA PRIVATE KEY");
        let pair = RsaKeyPair::from_der(&private).unwrap();
        assert_eq!(pair.public_modulus_len(), 256);
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        assert_eq!(public.as_ref(), certificate.spki_der());
        let described = api.get(format!("/certificates/{}", certificate.id())).ok().await;
        assert_eq!(described["certificateDescription"]["status"], status);
        // Nobody gets the private key a second time.
        assert!(!described.to_string().contains("PRIVATE"));
    }
    api.snapshot("create_keys_and_certificate");
}

async fn an_unreadable_wish_is_refused(api: Api) {
    api.post("/keys-and-certificate?setAsActive=1").invalid().await;
    api.post("/keys-and-certificate").json(json!({ "setAsActive": true })).invalid().await;
    assert_eq!(api.get("/certificates").ok().await["certificates"], json!([]));
    api.snapshot("create_keys_and_certificate_refused");
}

/// The label and content of a PEM block.
fn pem_rfc7468_of(text: &str) -> (String, Vec<u8>) {
    let mut lines = text.lines();
    let label = lines.next().unwrap().trim_start_matches("-----BEGIN ").trim_end_matches('-').to_owned();
    assert_eq!(lines.next_back().unwrap(), format!("-----END {label}-----"));
    (label, STANDARD.decode(lines.collect::<String>()).unwrap())
}
