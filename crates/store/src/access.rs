//! Accounts and their access keys.

use gatehouse_domain::scope::AccountId;
use gatehouse_domain::time::Timestamp;

use crate::engine::{Row, params};
use crate::{Batch, Error, Store};

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
            "SELECT access_key_id, account, sealed_secret, session_token_sha256, policy, created_at, expires_at ",
            "FROM access_keys ",
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
    })
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

    /// The access keys of an account, by id.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn access_keys(&self, account: AccountId) -> Result<Vec<AccessKeyRecord>, Error> {
        self.list(select_keys!("WHERE account = $1 ORDER BY access_key_id"), &params![account], read_key).await
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
        self.write(
            1,
            "INSERT INTO access_keys (access_key_id, account, sealed_secret, session_token_sha256, policy, created_at, \
             expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                &record.access_key_id,
                record.account,
                record.sealed_secret.as_slice(),
                record.session_token_sha256.as_ref(),
                record.policy.as_deref(),
                record.created_at,
                record.expires_at,
            ],
        );
    }

    /// Removes an access key. Conflict when it is gone.
    pub fn delete_access_key(&mut self, record: &AccessKeyRecord) {
        let sql = "DELETE FROM access_keys WHERE access_key_id = $1 AND account = $2";
        self.write(1, sql, params![&record.access_key_id, record.account]);
    }
}
