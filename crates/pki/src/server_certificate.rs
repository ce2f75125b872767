//! The certificates that the house shows to devices, signed by the published roots.

use std::net::IpAddr;

use der::asn1::ObjectIdentifier;
use gatehouse_domain::time::Timestamp;

use crate::encoding::{extension, oid, rdn, sequence, value};
use crate::issue::{
    BACKDATED_MS, COMMON_NAME, Constraint, DIGITAL_SIGNATURE, KEY_ENCIPHERMENT, Layout, authority_key_identifier,
    basic_constraints, key_id, key_usage, sign, subject_key_identifier,
};
use crate::signing_key::{KeyFailure, KeyKind, SigningKey};

const SUBJECT_ALTERNATIVE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
/// Strict clients take no server certificate that is valid for more than 398 days.
const VALIDITY_MS: i64 = 397 * 24 * 60 * 60 * 1000;
/// The longest common name (RFC 5280, A.1, ub-common-name).
const COMMON_NAME_CHARACTERS: usize = 64;

/// Who signs: a root's key and name.
pub(crate) struct Signer<'a> {
    pub(crate) key: &'a SigningKey,
    pub(crate) name: &'a [u8],
    pub(crate) not_after: Timestamp,
}

/// Makes the certificate of the server whose public key is in `spki`; `None` when the clock is out of bounds.
pub(crate) fn make(
    signer: &Signer<'_>,
    (kind, spki): (KeyKind, &[u8]),
    serial: &[u8],
    (names, addresses): (&[String], &[IpAddr]),
    now: Timestamp,
) -> Result<Option<Vec<u8>>, KeyFailure> {
    let usage = match kind {
        KeyKind::P256 => DIGITAL_SIGNATURE,
        KeyKind::Rsa2048 => DIGITAL_SIGNATURE | KEY_ENCIPHERMENT,
    };
    let not_before = now.plus_millis(-BACKDATED_MS);
    let tbs = Layout {
        serial,
        signature_algorithm: &signer.key.signature_algorithm_der(),
        issuer: signer.name,
        not_before,
        not_after: not_before.plus_millis(VALIDITY_MS).min(signer.not_after),
        subject: &subject(names),
        spki,
        extensions: &[
            &authority_key_identifier(&key_id(&signer.key.spki_der()?)?),
            &subject_key_identifier(&key_id(spki)?),
            &basic_constraints(Constraint::EndEntity),
            &key_usage(usage),
            &extension(EXTENDED_KEY_USAGE, false, &sequence(&[&oid(SERVER_AUTH)])),
            &extension(SUBJECT_ALTERNATIVE_NAME, false, &alternative_names(names, addresses)),
        ],
    }
    .to_der();
    tbs.map(|tbs| sign(signer.key, &tbs)).transpose()
}

/// The first name, for people; clients look at the alternative names.
fn subject(names: &[String]) -> Vec<u8> {
    let name = names.first().map(String::as_str).filter(|name| name.len() <= COMMON_NAME_CHARACTERS);
    sequence(&[&rdn(COMMON_NAME, name.unwrap_or("gatehouse"))])
}

fn alternative_names(names: &[String], addresses: &[IpAddr]) -> Vec<u8> {
    let names = names.iter().map(|name| value(0x82, name.as_bytes()));
    let addresses = addresses.iter().map(|address| match address {
        IpAddr::V4(address) => value(0x87, &address.octets()),
        IpAddr::V6(address) => value(0x87, &address.octets()),
    });
    let all: Vec<u8> = names.chain(addresses).flatten().collect();
    sequence(&[&all])
}
