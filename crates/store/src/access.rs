//! Accounts and their access keys.

use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::policy::CredentialDevice;
use gatehouse_domain::scope::AccountId;
use gatehouse_domain::time::Timestamp;

use crate::engine::{Columns, Row, params};
use crate::{Batch, Error, Store};

/// Keys removed in one commit, so that pruning never holds up others for long.
const PRUNED_AT_ONCE: i64 = 2_000;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRecord {
    /// Its number.
    pub account: AccountId,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An access key. The secret is sealed by whoever stores it; this crate never sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKeyRecord {
    /// The public half.
    pub access_key_id: String,
    /// Whose it is.
    pub account: AccountId,
    /// The secret half, encrypted.
    pub sealed_secret: Vec<u8>,
    /// SHA-256 of the session token that must accompany a temporary key.
    pub session_token_sha256: Option<[u8; 32]>,
    /// An IAM-style policy that narrows what the key may do.
    pub policy: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops to be accepted.
    pub expires_at: Option<Timestamp>,
    /// The device that it was given to.
    pub device: Option<CredentialDevice>,
}

impl std::fmt::Debug for AccessKeyRecord {
    /// Leaves the sealed secret out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKeyRecord")
            .field("access_key_id", &self.access_key_id)
            .field("account", &self.account)
            .field("created_at", &self.created_at)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

macro_rules! select_keys {
    ($rest:literal) => {
        concat!(
            "SELECT access_key_id, account, sealed_secret, session_token_sha256, policy, created_at, expires_at, ",
            "device_certificate_id, device_thing_name, device_thing_type_name FROM access_keys ",
            $rest
        )
    };
}

fn read_account(row: Row) -> Result<AccountRecord, Error> {
    let mut columns = row.of("accounts");
    Ok(AccountRecord { account: columns.parsed("account")?, created_at: columns.time("created_at")? })
}

fn read_key(row: Row) -> Result<AccessKeyRecord, Error> {
    let mut columns = row.of("access_keys");
    Ok(AccessKeyRecord {
        access_key_id: columns.text("access_key_id")?,
        account: columns.parsed("account")?,
        sealed_secret: columns.blob("sealed_secret")?,
        session_token_sha256: columns.optional_digest("session_token_sha256")?,
        policy: columns.optional_text("policy")?,
        created_at: columns.time("created_at")?,
        expires_at: columns.optional_time("expires_at")?,
        device: read_device(&mut columns)?,
    })
}

fn read_device(columns: &mut Columns) -> Result<Option<CredentialDevice>, Error> {
    let certificate_id = columns.optional_digest("device_certificate_id")?.map(CertificateId::from_bytes);
    let thing_name = columns.optional_parsed("device_thing_name")?;
    let thing_type_name = columns.optional_parsed("device_thing_type_name")?;
    Ok(certificate_id.map(|certificate_id| CredentialDevice { certificate_id, thing_name, thing_type_name }))
}

impl Store {
    /// An account.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn account(&self, account: AccountId) -> Result<Option<AccountRecord>, Error> {
        let sql = "SELECT account, created_at FROM accounts WHERE account = $1";
        self.row(sql, &params![account]).await?.map(read_account).transpose()
    }

    /// All accounts, by number.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn accounts(&self) -> Result<Vec<AccountRecord>, Error> {
        self.list("SELECT account, created_at FROM accounts ORDER BY account", &[], read_account).await
    }

    /// The access key with this id.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn access_key(&self, access_key_id: &str) -> Result<Option<AccessKeyRecord>, Error> {
        // Ids come from strangers, and PostgreSQL's text cannot hold this character: no such key exists.
        if access_key_id.contains('\0') {
            return Ok(None);
        }
        self.row(select_keys!("WHERE access_key_id = $1"), &params![access_key_id]).await?.map(read_key).transpose()
    }

    /// The access keys of an account, by id; without those that devices were given.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn access_keys(&self, account: AccountId) -> Result<Vec<AccessKeyRecord>, Error> {
        self.list(
            select_keys!("WHERE account = $1 AND device_certificate_id IS NULL ORDER BY access_key_id"),
            &params![account],
            read_key,
        )
        .await
    }

    /// Removes access keys that ended before `before`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database cannot be written; what was removed until then is gone.
    pub async fn prune_access_keys(&self, before: Timestamp) -> Result<(), Error> {
        let probe = "SELECT access_key_id FROM access_keys WHERE expires_at < $1 LIMIT 1";
        while self.row(probe, &params![before]).await?.is_some() {
            let mut batch = Batch::new();
            batch.write_any(
                "DELETE FROM access_keys WHERE access_key_id IN (SELECT access_key_id FROM access_keys \
                 WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
                params![before, PRUNED_AT_ONCE],
            );
            self.commit(batch, before).await?;
        }
        Ok(())
    }
}

impl Batch {
    /// Adds an account. Conflict when it exists.
    pub fn insert_account(&mut self, record: &AccountRecord) {
        let sql = "INSERT INTO accounts (account, created_at) VALUES ($1, $2)";
        self.write(1, sql, params![record.account, record.created_at]);
    }

    /// Adds an access key. Conflict when its id exists.
    pub fn insert_access_key(&mut self, record: &AccessKeyRecord) {
        let device = record.device.as_ref();
        self.write(
            1,
            "INSERT INTO access_keys (access_key_id, account, sealed_secret, session_token_sha256, policy, created_at, \
             expires_at, device_certificate_id, device_thing_name, device_thing_type_name) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            params![
                &record.access_key_id,
                record.account,
                record.sealed_secret.as_slice(),
                record.session_token_sha256.as_ref(),
                record.policy.as_deref(),
                record.created_at,
                record.expires_at,
                device.map(|device| device.certificate_id),
                device.and_then(|device| device.thing_name.as_ref()),
                device.and_then(|device| device.thing_type_name.as_ref()),
            ],
        );
    }

    /// Removes an access key. Conflict when it is gone.
    pub fn delete_access_key(&mut self, record: &AccessKeyRecord) {
        let sql = "DELETE FROM access_keys WHERE access_key_id = $1 AND account = $2";
        self.write(1, sql, params![&record.access_key_id, record.account]);
    }
}
