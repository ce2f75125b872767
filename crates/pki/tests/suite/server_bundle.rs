//! Server certificates that operators bring: what is served, what is refused, and what happens when files change.

use std::collections::BTreeMap;
use std::path::Path;

use aws_lc_rs::encoding::AsDer as _;
use gatehouse_domain::host_name::HostName;
use gatehouse_domain::time::Timestamp;
use gatehouse_pki::key_pair::KeyPair as DeviceKeyPair;
use gatehouse_pki::server_bundle::{ServerBundle, ServerBundleRefusal};
use gatehouse_pki::server_bundles::{BundleFiles, NotServed, Reloaded, ServerBundles};
use gatehouse_pki::server_key::ServerKeyRefusal;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, date_time_ymd,
};

use crate::{NOW, data, pem};

const ARN: &str = "arn:aws:acm:us-east-1:123456789012:certificate/a";

fn params(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2030, 1, 1);
    params
}

fn self_signed(params: &CertificateParams) -> (String, KeyPair) {
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key)
}

/// An authority, and how it signs.
fn ca(name: &str) -> (Certificate, Issuer<'static, KeyPair>) {
    let mut params = params(&[]);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate, Issuer::new(params, key))
}

fn refusal(chain: &str, key: &str) -> ServerBundleRefusal {
    ServerBundle::read(chain, key).unwrap_err()
}

fn covers(bundle: &ServerBundle, host: &str) -> bool {
    bundle.covers(&host.parse::<HostName>().unwrap())
}

#[test]
fn keys_of_every_usual_form_are_taken() {
    let (chain, key) = self_signed(&params(&["mqtt.example.com"]));
    let bundle = ServerBundle::read(&chain, &key.serialize_pem()).unwrap();
    assert_eq!(bundle.served().key.as_slice(), key.serialize_der());
    // SEC 1.
    let pair = aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(
        &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING,
        &key.serialize_der(),
    )
    .unwrap();
    let sec1: aws_lc_rs::encoding::EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().unwrap();
    let bundle = ServerBundle::read(&chain, &pem("EC PRIVATE KEY", sec1.as_ref())).unwrap();
    assert!(rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&pkcs8(&bundle)).is_ok());
    // PKCS #1.
    let pkcs1 = DeviceKeyPair::generate().unwrap();
    let rsa = KeyPair::from_pem(pkcs1.private_pem()).unwrap();
    let chain = params(&["mqtt.example.com"]).self_signed(&rsa).unwrap().pem();
    let bundle = ServerBundle::read(&chain, pkcs1.private_pem()).unwrap();
    assert!(rustls::crypto::aws_lc_rs::sign::any_supported_type(&pkcs8(&bundle)).is_ok());
    // A longer curve.
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let chain = params(&["mqtt.example.com"]).self_signed(&p384).unwrap().pem();
    ServerBundle::read(&chain, &p384.serialize_pem()).unwrap();
}

fn pkcs8(bundle: &ServerBundle) -> rustls::pki_types::PrivateKeyDer<'_> {
    rustls::pki_types::PrivatePkcs8KeyDer::from(bundle.served().key.as_slice()).into()
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused() {
    let (chain, key) = self_signed(&params(&["mqtt.example.com"]));
    let own = key.serialize_pem();
    let other = KeyPair::generate().unwrap().serialize_pem();
    let rsa = DeviceKeyPair::generate().unwrap();
    let encrypted = own.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let key = |refusal| ServerBundleRefusal::Key(refusal);
    assert_eq!(refusal(&chain, &other), key(ServerKeyRefusal::Mismatch));
    assert_eq!(refusal(&chain, rsa.private_pem()), key(ServerKeyRefusal::Unreadable));
    assert_eq!(refusal(&chain, &encrypted), key(ServerKeyRefusal::Encrypted));
    assert!(matches!(refusal(&chain, &chain), ServerBundleRefusal::Key(ServerKeyRefusal::Pem(_))));
    // Bad keys are refused by their certificates, whatever the file says.
    for weak in ["rsa1024", "secp256k1", "ed25519"] {
        let refused = refusal(&data(&format!("certificate/{weak}")), &own);
        assert!(!matches!(refused, ServerBundleRefusal::Key(ServerKeyRefusal::Mismatch)), "{weak}: {refused}");
    }
}

#[test]
fn a_chain_is_ordered_short_and_signed() {
    let (root, root_issuer) = ca("root");
    let (stranger, _) = ca("stranger");
    // Another authority of the same name, which has not signed.
    let (impostor, _) = ca("root");
    let key = KeyPair::generate().unwrap();
    let leaf = params(&["mqtt.example.com"]).signed_by(&key, &root_issuer).unwrap().pem();
    let key = key.serialize_pem();
    let bundle = ServerBundle::read(&format!("a comment\n{leaf}\n{}", root.pem()), &key).unwrap();
    assert_eq!(bundle.served().chain.len(), 2);
    ServerBundle::read(&leaf, &key).unwrap();

    assert_eq!(refusal(&format!("{leaf}{}", stranger.pem()), &key), ServerBundleRefusal::Order(1));
    assert!(matches!(refusal(&format!("{leaf}{}", impostor.pem()), &key), ServerBundleRefusal::Signature(1, _)));
    assert_eq!(refusal(&format!("{}{leaf}", root.pem()), &key), ServerBundleRefusal::Order(1));
    assert_eq!(refusal(&format!("{leaf}{}", root.pem().repeat(5)), &key), ServerBundleRefusal::TooMany);
    assert!(matches!(refusal("", &key), ServerBundleRefusal::Certificate(1, _)));
    assert!(matches!(
        refusal(&format!("{leaf}-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n"), &key),
        ServerBundleRefusal::Certificate(2, _)
    ));
    let cut = leaf.replace("-----END CERTIFICATE-----", "");
    assert!(matches!(refusal(&cut, &key), ServerBundleRefusal::Certificate(1, _)));
}

#[test]
fn an_issuer_that_is_no_authority_is_refused() {
    let mut params_of_issuer = params(&["issuer.example.com"]);
    params_of_issuer.distinguished_name.push(DnType::CommonName, "no authority");
    let issuer_key = KeyPair::generate().unwrap();
    let issuer = params_of_issuer.self_signed(&issuer_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = params(&["mqtt.example.com"]).signed_by(&key, &Issuer::new(params_of_issuer, issuer_key)).unwrap();
    let chain = format!("{}{}", leaf.pem(), issuer.pem());
    assert_eq!(refusal(&chain, &key.serialize_pem()), ServerBundleRefusal::NotCa(2));
}

#[test]
fn a_long_chain_is_refused() {
    let names: Vec<String> = (0..900).map(|number| format!("host-{number:04}.example.com")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (chain, key) = self_signed(&params(&names));
    assert_eq!(refusal(&chain, &key.serialize_pem()), ServerBundleRefusal::TooLong);
}

#[test]
fn the_usage_must_be_a_servers_where_it_is_said() {
    for (usages, is_taken) in [
        (vec![], true),
        (vec![ExtendedKeyUsagePurpose::ServerAuth], true),
        (vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth], true),
        (vec![ExtendedKeyUsagePurpose::Any], true),
        (vec![ExtendedKeyUsagePurpose::ClientAuth], false),
    ] {
        let mut params = params(&["mqtt.example.com"]);
        params.extended_key_usages = usages;
        let (chain, key) = self_signed(&params);
        assert_eq!(
            ServerBundle::read(&chain, &key.serialize_pem()).is_ok(),
            is_taken,
            "{:?}",
            params.extended_key_usages
        );
    }
}

#[test]
fn the_common_name_counts_where_there_is_no_other() {
    let mut named = params(&[]);
    named.distinguished_name.push(DnType::CommonName, "mqtt.example.com");
    let (chain, key) = self_signed(&named);
    assert!(covers(&ServerBundle::read(&chain, &key.serialize_pem()).unwrap(), "mqtt.example.com"));

    let mut both = params(&["*.example.net"]);
    both.distinguished_name.push(DnType::CommonName, "mqtt.example.com");
    let (chain, key) = self_signed(&both);
    let bundle = ServerBundle::read(&chain, &key.serialize_pem()).unwrap();
    assert!(covers(&bundle, "mqtt.example.net") && !covers(&bundle, "mqtt.example.com"));

    let mut nameless = params(&[]);
    nameless.distinguished_name = rcgen::DistinguishedName::new();
    let (chain, key) = self_signed(&nameless);
    assert_eq!(refusal(&chain, &key.serialize_pem()), ServerBundleRefusal::NoName);
}

fn write(folder: &Path, chain: &str, key: &str) {
    std::fs::write(folder.join("chain.pem"), chain).unwrap();
    std::fs::write(folder.join("key.pem"), key).unwrap();
}

fn open(folder: &Path) -> Result<ServerBundles, String> {
    let files = BundleFiles { certificate: folder.join("chain.pem"), key: folder.join("key.pem") };
    ServerBundles::open(BTreeMap::from([(ARN.parse().unwrap(), files)])).map_err(|unusable| unusable.to_string())
}

#[test]
fn a_replacement_is_served_when_it_serves() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let arn = ARN.parse().unwrap();
    assert!(open(folder).err().unwrap().contains("chain.pem"), "no files");
    let (first, first_key) = self_signed(&params(&["mqtt.example.com"]));
    write(folder, &first, &first_key.serialize_pem());
    let bundles = open(folder).unwrap();
    let served = || bundles.bundle(&arn).unwrap().served().chain.clone();
    let before = served();
    assert!(bundles.reload(NOW).is_empty());

    // The chain comes first, its key a moment later: the pair is served when it is one.
    let (second, second_key) = self_signed(&params(&["mqtt.example.com"]));
    std::fs::write(folder.join("chain.pem"), &second).unwrap();
    assert!(matches!(bundles.reload(NOW).as_slice(), [Reloaded::Refused(..)]));
    assert!(bundles.reload(NOW).is_empty(), "said once");
    assert_eq!(served(), before);
    assert!(bundles.problem(&arn).unwrap().contains("chain.pem"));
    std::fs::write(folder.join("key.pem"), second_key.serialize_pem()).unwrap();
    assert!(matches!(bundles.reload(NOW).as_slice(), [Reloaded::Replaced(..)]));
    assert_ne!(served(), before);
    assert!(bundles.problem(&arn).is_none());

    let second = served();
    std::fs::remove_file(folder.join("key.pem")).unwrap();
    assert!(matches!(bundles.reload(NOW).as_slice(), [Reloaded::Refused(..)]));
    std::fs::write(folder.join("key.pem"), "x".repeat(70_000)).unwrap();
    assert!(matches!(bundles.reload(NOW).as_slice(), [Reloaded::Refused(..)]));
    let mut over = params(&["mqtt.example.com"]);
    over.not_after = date_time_ymd(2026, 6, 1);
    let (chain, key) = self_signed(&over);
    write(folder, &chain, &key.serialize_pem());
    assert!(matches!(bundles.reload(NOW).as_slice(), [Reloaded::Refused(..)]));
    assert_eq!(served(), second);

    // One whose time is still to come is served when it has come, though nobody touches the files.
    let mut early = params(&["mqtt.example.com"]);
    early.not_before = date_time_ymd(2027, 6, 1);
    let (chain, key) = self_signed(&early);
    write(folder, &chain, &key.serialize_pem());
    assert!(matches!(bundles.reload(NOW).as_slice(), [Reloaded::Refused(..)]));
    assert!(bundles.reload(NOW).is_empty(), "said once");
    let in_time = NOW.plus_millis(300 * 24 * 3_600_000);
    assert!(matches!(bundles.reload(in_time).as_slice(), [Reloaded::Replaced(..)]));
    assert_ne!(served(), second);
}

#[test]
fn whether_a_host_is_served_is_asked_now() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = self_signed(&params(&["mqtt.example.com"]));
    write(folder.path(), &chain, &key.serialize_pem());
    let bundles = open(folder.path()).unwrap();
    let arn = ARN.parse().unwrap();
    let host = |text: &str| text.parse().unwrap();
    assert_eq!(bundles.check(&arn, &host("mqtt.example.com"), NOW), Ok(()));
    let other = host("mqtt.example.net");
    assert_eq!(bundles.check(&arn, &other, NOW), Err(NotServed::OtherHost(other.clone())));
    for at in [Timestamp::from_secs(1_900_000_000), Timestamp::from_secs(1_700_000_000)] {
        let refused = bundles.check(&arn, &host("mqtt.example.com"), at);
        assert!(matches!(refused, Err(NotServed::NotValid(_))), "{at}");
    }
    let unknown = format!("{ARN}b").parse().unwrap();
    assert_eq!(bundles.check(&unknown, &host("mqtt.example.com"), NOW), Err(NotServed::Unknown));
}
