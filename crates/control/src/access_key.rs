//! Access keys: how they are made, and how their secrets lie in the store (sealed; SigV4 needs them back).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehouse_domain::scope::AccountId;
use gatehouse_domain::time::Timestamp;
use gatehouse_pki::seal::Sealer;
use gatehouse_store::AccessKeyRecord;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::random::random;

/// A key just made: the only moment its secrets are seen in the clear.
pub struct NewAccessKey {
    /// What is stored.
    pub record: AccessKeyRecord,
    /// The secret access key: 40 characters.
    pub secret: Zeroizing<String>,
    /// The session token of a temporary key.
    pub session_token: Option<Zeroizing<String>>,
}

/// What a key is made with.
pub struct AccessKeyWish {
    /// Whose key.
    pub account: AccountId,
    /// What it may do; everything in the account when absent. Checked by the caller.
    pub policy: Option<String>,
    /// When it ends; a key that ends carries a session token.
    pub expires_at: Option<Timestamp>,
}

/// Makes an access key.
///
/// # Errors
/// When the system has no randomness to give, or sealing fails.
pub fn make(sealer: &Sealer, wish: AccessKeyWish, now: Timestamp) -> Result<NewAccessKey, Error> {
    const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let prefix = if wish.expires_at.is_some() { "ASIA" } else { "AKIA" };
    let letters = random::<16>()?.map(|byte| char::from(BASE32.get(usize::from(byte % 32)).copied().unwrap_or(b'A')));
    let access_key_id: String = prefix.chars().chain(letters).collect();
    let secret = Zeroizing::new(STANDARD.encode(Zeroizing::new(random::<30>()?).as_slice()));
    let session_token = match wish.expires_at {
        Some(_) => Some(Zeroizing::new(STANDARD.encode(random::<48>()?))),
        None => None,
    };
    let sealed_secret = sealer
        .seal(aad(&access_key_id).as_bytes(), secret.as_bytes())
        .map_err(|error| Error::Internal(error.to_string()))?;
    let session_token_sha256 = session_token.as_ref().map(|token| {
        let mut digest = [0; 32];
        digest.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes()).as_ref());
        digest
    });
    let record = AccessKeyRecord {
        access_key_id,
        account: wish.account,
        sealed_secret,
        session_token_sha256,
        policy: wish.policy,
        created_at: now,
        expires_at: wish.expires_at,
        device: None,
    };
    Ok(NewAccessKey { record, secret, session_token })
}

/// Opens the secret of a stored key.
pub(crate) fn open_secret(sealer: &Sealer, record: &AccessKeyRecord) -> Result<Zeroizing<Vec<u8>>, Error> {
    sealer.open(aad(&record.access_key_id).as_bytes(), &record.sealed_secret).map_err(|error| {
        Error::Internal(format!("the secret of access key {} cannot be opened: {error}", record.access_key_id))
    })
}

/// Binds a sealed secret to its key, so that swapping rows in the store gives nobody another's rights.
fn aad(access_key_id: &str) -> String {
    format!("access-key/{access_key_id}")
}
