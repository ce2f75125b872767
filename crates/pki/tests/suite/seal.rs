use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use gatehouse_pki::authority::{Authority, AuthoritySettings};
use gatehouse_pki::key_folder::KeyFolderError;
use gatehouse_pki::seal::{SealError, Sealer};
use proptest::prelude::*;

use crate::NOW;

#[test]
fn what_is_sealed_opens_after_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let first = Sealer::open_or_make(dir.path(), None).unwrap();
    let sealed = first.seal(b"for", b"secret").unwrap();
    let second = Sealer::open_or_make(dir.path(), None).unwrap();
    assert_eq!(second.open(b"for", &sealed).unwrap().as_slice(), b"secret");
    assert_eq!(first.derive("markers").unwrap(), second.derive("markers").unwrap());
    let mode = fs::metadata(dir.path().join("sealing.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn it_opens_for_nothing_else_and_with_no_other_key() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sealer = Sealer::open_or_make(ours.path(), None).unwrap();
    let sealed = sealer.seal(b"access-key/A", b"secret").unwrap();
    assert_eq!(sealer.open(b"access-key/B", &sealed), Err(SealError::NotOurs));
    let other = Sealer::open_or_make(theirs.path(), None).unwrap();
    assert_eq!(other.open(b"access-key/A", &sealed), Err(SealError::NotOurs));
    assert_ne!(sealer.seal(b"", b"secret").unwrap(), sealer.seal(b"", b"secret").unwrap());
}

#[test]
fn derived_keys_differ_by_label_and_installation() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sealer = Sealer::open_or_make(ours.path(), None).unwrap();
    let other = Sealer::open_or_make(theirs.path(), None).unwrap();
    assert_ne!(sealer.derive("a").unwrap(), sealer.derive("b").unwrap());
    assert_ne!(sealer.derive("a").unwrap(), other.derive("a").unwrap());
}

#[test]
fn the_sealing_key_lies_beside_the_authoritys_under_the_same_passphrase() {
    let dir = tempfile::tempdir().unwrap();
    let sealer = Sealer::open_or_make(dir.path(), Some("correct")).unwrap();
    let settings = AuthoritySettings { passphrase: Some("correct".to_owned().into()), ..AuthoritySettings::default() };
    Authority::open(dir.path(), &settings, NOW).unwrap();
    let sealed = sealer.seal(b"", b"secret").unwrap();
    let again = Sealer::open_or_make(dir.path(), Some("correct")).unwrap();
    assert_eq!(again.open(b"", &sealed).unwrap().as_slice(), b"secret");
    let wrong = Sealer::open_or_make(dir.path(), Some("wrong")).err().unwrap();
    assert!(matches!(wrong, KeyFolderError::PassphraseWrong(_)), "{wrong}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_octet_anywhere_is_noticed(
        plain in proptest::collection::vec(any::<u8>(), 0..60),
        at in any::<prop::sample::Index>(),
        change in 1..=255_u8,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let sealer = Sealer::open_or_make(dir.path(), None).unwrap();
        let mut sealed = sealer.seal(b"aad", &plain).unwrap();
        let opened = sealer.open(b"aad", &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), &plain);
        let at = at.index(sealed.len());
        sealed[at] ^= change;
        prop_assert_eq!(sealer.open(b"aad", &sealed), Err(SealError::NotOurs));
        prop_assert_eq!(sealer.open(b"aad", &sealed[..at]), Err(SealError::NotOurs));
    }
}
