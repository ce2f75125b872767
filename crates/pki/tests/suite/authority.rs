use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::time::Timestamp;
use gatehouse_pki::authority::{Authority, AuthorityError, AuthoritySettings, IssuingKey, ServerKey};
use gatehouse_pki::certificate::Certificate;
use gatehouse_pki::key_folder::KeyFolderError;
use gatehouse_pki::public_key::{Curve, PublicKey};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use zeroize::Zeroizing;

use crate::NOW;

const FILES: [&str; 5] = ["root-p256.pem", "root-rsa2048.pem", "issuing-p256.pem", "server-rsa2048.pem", "root-ca.pem"];

fn settings(passphrase: Option<&str>) -> AuthoritySettings {
    let passphrase = passphrase.map(|text| Zeroizing::new(text.to_owned()));
    AuthoritySettings { issuing_key: IssuingKey::P256, passphrase }
}

fn open(dir: &Path) -> Result<Authority, AuthorityError> {
    Authority::open(dir, &settings(None), NOW)
}

fn roots(authority: &Authority) -> Vec<Certificate> {
    let end = "-----END CERTIFICATE-----\n";
    authority.root_pem().split_inclusive(end).map(|block| Certificate::from_pem(block).unwrap()).collect()
}

fn names() -> Vec<String> {
    ["localhost", "*.iot.us-east-1.localhost", "*.credentials.iot.us-east-1.localhost"].map(str::to_owned).to_vec()
}

#[test]
fn the_first_start_makes_everything_and_the_second_finds_it() {
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("keys");
    let first = open(&keys).unwrap();
    let second = open(&keys).unwrap();
    assert_eq!(first.root_pem(), second.root_pem());
    assert_eq!(first.issuer_pem(), second.issuer_pem());
    assert_eq!(fs::read_to_string(keys.join("root-ca.pem")).unwrap(), first.root_pem());
    let [p256, rsa] = roots(&first).try_into().unwrap();
    assert!(matches!(p256.public_key(), Ok(PublicKey::Ec(Curve::P256, _))));
    assert!(matches!(rsa.public_key(), Ok(PublicKey::Rsa(key)) if key.bits() == 2048));
    assert!(p256.is_ca() && rsa.is_ca());
}

#[test]
fn only_the_owner_can_read_the_keys() {
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("deep").join("keys");
    open(&keys).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&keys), 0o700);
    for entry in fs::read_dir(&keys).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o755)).unwrap();
    open(&keys).unwrap();
    assert_eq!(mode(&keys), 0o700);
}

#[test]
fn a_first_start_that_was_cut_off_is_completed() {
    let dir = tempfile::tempdir().unwrap();
    let complete = open(dir.path()).unwrap();
    // As if power had failed after the first root, and while the second was being written.
    for name in &FILES[1..] {
        fs::remove_file(dir.path().join(name)).unwrap();
    }
    fs::write(dir.path().join("root-rsa2048.pem.tmp"), "-----BEGIN PRIV").unwrap();
    let resumed = open(dir.path()).unwrap();
    assert_eq!(roots(&resumed)[0], roots(&complete)[0]);
    assert_ne!(roots(&resumed)[1], roots(&complete)[1]);
    assert!(!dir.path().join("root-rsa2048.pem.tmp").exists());
    for name in FILES {
        assert!(dir.path().join(name).exists(), "{name}");
    }
}

#[test]
fn a_root_that_is_gone_is_not_silently_replaced() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap();
    let path = dir.path().join("root-rsa2048.pem");
    fs::remove_file(&path).unwrap();
    let Err(AuthorityError::Folder(error)) = open(dir.path()) else { panic!("opened") };
    assert!(matches!(&error, KeyFolderError::Missing(missing) if *missing == path), "{error}");
    assert!(error.to_string().contains("restore it from a backup"), "{error}");
}

#[test]
fn damaged_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap();
    let path = dir.path().join("root-p256.pem");
    let good = fs::read_to_string(&path).unwrap();
    let other = fs::read_to_string(dir.path().join("issuing-p256.pem")).unwrap();
    let certificate = |text: &str| text[text.find("-----BEGIN CERTIFICATE").unwrap()..].to_owned();
    let key = |text: &str| text[..text.find("-----BEGIN CERTIFICATE").unwrap()].to_owned();
    let cases = [
        (String::new(), "it holds no key"),
        (key(&good), "it holds no certificate"),
        (certificate(&good), "it holds no key"),
        (key(&good) + &certificate(&other), "its certificate belongs to another key"),
        (good.replace("\nM", "\nA"), "its key cannot be read"),
    ];
    for (text, what) in cases {
        fs::write(&path, text).unwrap();
        let Err(AuthorityError::Folder(error)) = open(dir.path()) else { panic!("opened: {what}") };
        assert!(error.to_string().contains(what), "{error}");
        assert!(error.to_string().contains("root-p256.pem"), "{error}");
    }
}

#[test]
fn a_passphrase_encrypts_every_key() {
    let dir = tempfile::tempdir().unwrap();
    let first = Authority::open(dir.path(), &settings(Some("correct horse")), NOW).unwrap();
    for name in FILES.iter().filter(|name| **name != "root-ca.pem") {
        let text = fs::read_to_string(dir.path().join(name)).unwrap();
        assert!(text.starts_with("-----BEGIN GATEHOUSE ENCRYPTED KEY-----\n"), "{name}");
        assert!(!text.contains("PRIVATE KEY"), "{name}");
    }
    let again = Authority::open(dir.path(), &settings(Some("correct horse")), NOW).unwrap();
    assert_eq!(again.root_pem(), first.root_pem());

    let Err(AuthorityError::Folder(error)) = Authority::open(dir.path(), &settings(Some("wrong")), NOW) else {
        panic!()
    };
    assert!(matches!(error, KeyFolderError::PassphraseWrong(_)), "{error}");
    let Err(AuthorityError::Folder(error)) = open(dir.path()) else { panic!() };
    assert!(matches!(error, KeyFolderError::PassphraseMissing(_)), "{error}");

    // A file under another's name does not open, so that nobody can swap keys without the passphrase.
    fs::copy(dir.path().join("issuing-p256.pem"), dir.path().join("root-p256.pem")).unwrap();
    assert!(Authority::open(dir.path(), &settings(Some("correct horse")), NOW).is_err());
}

#[test]
fn a_passphrase_configured_later_encrypts_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let plain = open(dir.path()).unwrap();
    let encrypted = Authority::open(dir.path(), &settings(Some("later")), NOW).unwrap();
    assert_eq!(plain.root_pem(), encrypted.root_pem());
    for name in FILES {
        assert!(!fs::read_to_string(dir.path().join(name)).unwrap().contains("PRIVATE KEY"), "{name}");
    }
    Authority::open(dir.path(), &settings(Some("later")), NOW).unwrap();
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = open(&file.join("keys")).err().unwrap().to_string();
    assert!(error.contains("file/keys cannot be used"), "{error}");
}

#[test]
fn the_issuing_key_can_be_changed_later() {
    let dir = tempfile::tempdir().unwrap();
    let p256 = open(dir.path()).unwrap();
    let settings = AuthoritySettings { issuing_key: IssuingKey::Rsa2048, passphrase: None };
    let rsa = Authority::open(dir.path(), &settings, NOW).unwrap();
    assert_eq!(p256.root_pem(), rsa.root_pem());
    assert_ne!(p256.issuer_pem(), rsa.issuer_pem());
    let issuers = [p256.issuer_pem(), rsa.issuer_pem()].map(|pem| Certificate::from_pem(pem).unwrap());
    assert_eq!(issuers[0].subject_der(), issuers[1].subject_der());
    assert_eq!(open(dir.path()).unwrap().issuer_pem(), p256.issuer_pem());
}

/// Verifies the chain as a client does that has loaded `root-ca.pem`.
fn verify(authority: &Authority, chain: &[Vec<u8>], host: &str, at: Timestamp) -> Result<(), rustls::Error> {
    let mut trusted = RootCertStore::empty();
    for root in roots(authority) {
        trusted.add(root.der().to_vec().into()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(trusted), provider).build().unwrap();
    let leaf = CertificateDer::from(chain[0].as_slice());
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.as_secs()).unwrap()));
    verifier.verify_server_cert(&leaf, &[], &ServerName::try_from(host).unwrap(), &[], at).map(drop)
}

#[test]
fn server_chains_verify_for_every_name_and_for_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let authority = open(dir.path()).unwrap();
    let addresses = [[127, 0, 0, 1].into(), [0, 0, 0, 0, 0, 0, 0, 1_u16].into()];
    for kind in [ServerKey::P256, ServerKey::Rsa2048] {
        let made = authority.server_chain(kind, &names(), &addresses, NOW).unwrap();
        for host in [
            "localhost",
            "abc-ats.iot.us-east-1.localhost",
            "x.credentials.iot.us-east-1.localhost",
            "127.0.0.1",
            "::1",
        ] {
            assert_eq!(verify(&authority, &made.chain, host, NOW), Ok(()), "{kind:?} {host}");
        }
        for host in ["iot.us-east-1.localhost", "a.b.iot.us-east-1.localhost", "x.iot.eu-west-1.localhost", "127.0.0.2"]
        {
            assert!(verify(&authority, &made.chain, host, NOW).is_err(), "{kind:?} {host}");
        }
        let certificate = Certificate::from_der(&made.chain[0]).unwrap();
        assert!(certificate.not_after().millis_since(certificate.not_before()) < 398 * 86_400_000);
        assert!(verify(&authority, &made.chain, "localhost", NOW.plus_millis(398 * 86_400_000)).is_err());
        let [p256, rsa] = roots(&authority).try_into().unwrap();
        let root = if kind == ServerKey::P256 { p256 } else { rsa };
        assert_eq!(certificate.issuer_der(), root.subject_der());
        assert_eq!(certificate.signature_algorithm(), root.signature_algorithm());
    }
}

#[test]
fn the_rsa_server_key_stays_and_the_p256_key_changes() {
    let dir = tempfile::tempdir().unwrap();
    let make = |kind| open(dir.path()).unwrap().server_chain(kind, &names(), &[], NOW).unwrap();
    assert_eq!(make(ServerKey::Rsa2048).key, make(ServerKey::Rsa2048).key);
    assert_ne!(make(ServerKey::P256).key, make(ServerKey::P256).key);
}

#[test]
fn another_authority_does_not_vouch_for_the_server() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = open(ours.path()).unwrap().server_chain(ServerKey::P256, &names(), &[], NOW).unwrap();
    assert!(verify(&open(theirs.path()).unwrap(), &made.chain, "localhost", NOW).is_err());
}

#[test]
fn names_that_are_no_host_names_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let authority = open(dir.path()).unwrap();
    for name in
        ["", "a..b", "-a", "a-", "a b", "größe.example", "*", "a.*.b", "**.a", &"a".repeat(64), &"a.".repeat(130)]
    {
        let made = authority.server_chain(ServerKey::P256, &[name.to_owned()], &[], NOW);
        assert!(matches!(made, Err(AuthorityError::HostName(refused)) if refused == name), "{name}");
    }
}

#[test]
fn a_clock_beyond_the_roots_validity_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let late = Timestamp::from_secs(2_600_000_000);
    assert!(matches!(Authority::open(dir.path(), &settings(None), late), Err(AuthorityError::Clock(at)) if at == late));
    let authority = open(dir.path()).unwrap();
    assert!(matches!(authority.server_chain(ServerKey::P256, &names(), &[], late), Err(AuthorityError::Clock(_))));
}
