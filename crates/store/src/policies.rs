//! Policies and their versions.

use gatehouse_domain::limits;
use gatehouse_domain::name::PolicyName;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;

use crate::engine::{Row, Value, params};
use crate::{Batch, Error, Page, Store};

/// A policy, without its documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRecord {
    /// Whose it is.
    pub scope: Scope,
    /// Its name.
    pub name: PolicyName,
    /// The version in force.
    pub default_version: i64,
    /// The number of the next version; numbers are never used again.
    pub next_version: i64,
    /// Versions there are.
    pub version_count: u32,
    /// Certificates it is attached to.
    pub attachment_count: u32,
    /// Grows by one with every change of the policy or its versions; attachments do not count.
    pub row_version: i64,
    /// Changes when the policy is made again or another version is put in force.
    pub generation_id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub last_modified_at: Timestamp,
}

impl PolicyRecord {
    /// The record of a policy that is made at `now`, with its first version in force and attached to nothing.
    #[must_use]
    pub const fn new(scope: Scope, name: PolicyName, generation_id: String, now: Timestamp) -> Self {
        Self {
            scope,
            name,
            default_version: 1,
            next_version: 2,
            version_count: 1,
            attachment_count: 0,
            row_version: 1,
            generation_id,
            created_at: now,
            last_modified_at: now,
        }
    }
}

/// A version of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyVersionRecord {
    /// Its number.
    pub version: i64,
    /// The document, byte for byte as it was given.
    pub document: String,
    /// When it was made.
    pub created_at: Timestamp,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT account, region, name, default_version, next_version, version_count, attachment_count, row_version, ",
            "generation_id, created_at, last_modified_at FROM policies ",
            $rest
        )
    };
}

macro_rules! select_versions {
    ($rest:literal) => {
        concat!(
            "SELECT version, document, created_at FROM policy_versions WHERE account = $1 AND region = $2 AND name = $3 ",
            $rest
        )
    };
}

fn read(row: Row) -> Result<PolicyRecord, Error> {
    let mut columns = row.of("policies");
    Ok(PolicyRecord {
        scope: Scope::new(columns.parsed("account")?, columns.parsed("region")?),
        name: columns.parsed("name")?,
        default_version: columns.int("default_version")?,
        next_version: columns.int("next_version")?,
        version_count: columns.count("version_count")?,
        attachment_count: columns.count("attachment_count")?,
        row_version: columns.int("row_version")?,
        generation_id: columns.text("generation_id")?,
        created_at: columns.time("created_at")?,
        last_modified_at: columns.time("last_modified_at")?,
    })
}

fn read_version(row: Row) -> Result<PolicyVersionRecord, Error> {
    let mut columns = row.of("policy_versions");
    Ok(PolicyVersionRecord {
        version: columns.int("version")?,
        document: columns.text("document")?,
        created_at: columns.time("created_at")?,
    })
}

impl Store {
    /// The policy.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn policy(&self, scope: Scope, name: &PolicyName) -> Result<Option<PolicyRecord>, Error> {
        let sql = select!("WHERE account = $1 AND region = $2 AND name = $3");
        self.row(sql, &params![scope.account, scope.region, name]).await?.map(read).transpose()
    }

    /// The policies of a scope by creation.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn policies(
        &self,
        scope: Scope,
        page: Page<(Timestamp, PolicyName)>,
    ) -> Result<Vec<PolicyRecord>, Error> {
        let (sql, params) = page.complete(
            select!("WHERE account = $1 AND region = $2"),
            params![scope.account, scope.region],
            &["created_at", "name"],
            page.after.as_ref().map(|(at, name)| params![*at, name]),
        );
        self.list(&sql, &params, read).await
    }

    /// One version of the policy.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn policy_version(
        &self,
        scope: Scope,
        name: &PolicyName,
        version: i64,
    ) -> Result<Option<PolicyVersionRecord>, Error> {
        let sql = select_versions!("AND version = $4");
        let row = self.row(sql, &params![scope.account, scope.region, name, version]).await?;
        row.map(read_version).transpose()
    }

    /// The versions of the policy, newest first.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn policy_versions(&self, scope: Scope, name: &PolicyName) -> Result<Vec<PolicyVersionRecord>, Error> {
        let sql = select_versions!("ORDER BY version DESC");
        self.list(sql, &params![scope.account, scope.region, name], read_version).await
    }

    /// The version in force: its number and document.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn default_policy_document(
        &self,
        scope: Scope,
        name: &PolicyName,
    ) -> Result<Option<(i64, String)>, Error> {
        let sql = "SELECT v.version, v.document FROM policies p JOIN policy_versions v ON v.account = p.account \
                   AND v.region = p.region AND v.name = p.name AND v.version = p.default_version \
                   WHERE p.account = $1 AND p.region = $2 AND p.name = $3";
        let row = self.row(sql, &params![scope.account, scope.region, name]).await?;
        row.map(|row| {
            let mut columns = row.of("policy_versions");
            Ok((columns.int("version")?, columns.text("document")?))
        })
        .transpose()
    }
}

/// The policy as it was read: scope, name, row version, generation ($1 to $5).
fn as_read(record: &PolicyRecord) -> Vec<Value> {
    let Scope { account, region } = record.scope;
    // The generation tells a policy from one that was deleted and made again with the same row version.
    params![account, region, &record.name, record.row_version, &record.generation_id].into()
}

impl Batch {
    /// Makes a policy with its first version, which is in force. Conflict when the name is taken.
    pub fn insert_policy(&mut self, record: &PolicyRecord, document: &str) {
        let Scope { account, region } = record.scope;
        self.write(
            1,
            "INSERT INTO policies (account, region, name, default_version, next_version, version_count, \
             attachment_count, row_version, generation_id, created_at, last_modified_at) \
             VALUES ($1, $2, $3, $4, $5, 1, 0, $6, $7, $8, $9)",
            params![
                account,
                region,
                &record.name,
                record.default_version,
                record.next_version,
                record.row_version,
                &record.generation_id,
                record.created_at,
                record.last_modified_at,
            ],
        );
        self.insert_version(record, record.default_version, document, record.created_at);
    }

    fn insert_version(&mut self, policy: &PolicyRecord, version: i64, document: &str, now: Timestamp) {
        let Scope { account, region } = policy.scope;
        self.write(
            1,
            "INSERT INTO policy_versions (account, region, name, version, document, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            params![account, region, &policy.name, version, document, now],
        );
    }

    /// Adds the version `current.next_version`, in force at once when `set_default`. Conflict when the policy changed or
    /// has all the versions it may have.
    pub fn insert_policy_version(&mut self, current: &PolicyRecord, document: &str, set_default: bool, now: Timestamp) {
        let default_version = if set_default { current.next_version } else { current.default_version };
        let mut params = as_read(current);
        params.extend(params![current.next_version, default_version, now, limits::POLICY_VERSIONS]);
        self.write(
            1,
            "UPDATE policies SET next_version = next_version + 1, version_count = version_count + 1, \
             row_version = row_version + 1, default_version = $7, last_modified_at = $8 \
             WHERE account = $1 AND region = $2 AND name = $3 AND row_version = $4 AND generation_id = $5 \
             AND next_version = $6 AND version_count < $9",
            params,
        );
        self.insert_version(current, current.next_version, document, now);
    }

    /// Puts another version in force. Conflict when the policy changed or the version does not exist.
    pub fn set_default_version(&mut self, record: &PolicyRecord, version: i64, generation_id: &str, now: Timestamp) {
        let mut params = as_read(record);
        params.extend(params![version, generation_id, now]);
        self.write(
            1,
            "UPDATE policies SET default_version = $6, generation_id = $7, last_modified_at = $8, \
             row_version = row_version + 1 WHERE account = $1 AND region = $2 AND name = $3 AND row_version = $4 \
             AND generation_id = $5 AND EXISTS (SELECT 1 FROM policy_versions v WHERE v.account = $1 AND v.region = $2 \
             AND v.name = $3 AND v.version = $6)",
            params,
        );
    }

    /// Removes a version that is not in force. Conflict when the policy changed or the version is gone or in force.
    pub fn delete_policy_version(&mut self, record: &PolicyRecord, version: i64) {
        let mut params = as_read(record);
        params.push(Value::Int(version));
        self.write(
            1,
            "UPDATE policies SET version_count = version_count - 1, row_version = row_version + 1 WHERE account = $1 \
             AND region = $2 AND name = $3 AND row_version = $4 AND generation_id = $5 AND default_version <> $6",
            params,
        );
        let Scope { account, region } = record.scope;
        let sql = "DELETE FROM policy_versions WHERE account = $1 AND region = $2 AND name = $3 AND version = $4";
        self.write(1, sql, params![account, region, &record.name, version]);
    }

    /// Holds a policy in place for writes that hang on it without touching it. Conflict when it is gone.
    pub fn require_policy(&mut self, scope: Scope, name: &PolicyName) {
        // Writing the row, even as it is, makes whoever deletes it meanwhile wait or lose.
        self.write(
            1,
            "UPDATE policies SET row_version = row_version WHERE account = $1 AND region = $2 AND name = $3",
            params![scope.account, scope.region, name],
        );
    }

    /// Removes a policy with its one version. Conflict when it changed, has more versions or is attached.
    pub fn delete_policy(&mut self, record: &PolicyRecord) {
        self.write(
            1,
            "DELETE FROM policies WHERE account = $1 AND region = $2 AND name = $3 AND row_version = $4 \
             AND generation_id = $5 AND version_count = 1 AND attachment_count = 0",
            as_read(record),
        );
        let Scope { account, region } = record.scope;
        let sql = "DELETE FROM policy_versions WHERE account = $1 AND region = $2 AND name = $3";
        self.write(1, sql, params![account, region, &record.name]);
    }
}
