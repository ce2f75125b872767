//! Role aliases: names under which devices get credentials for roles.

use gatehouse_domain::limits;
use gatehouse_domain::name::RoleAliasName;
use gatehouse_domain::role_alias::RoleArn;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;

use crate::counts::CountedKind;
use crate::engine::{Row, Value, params};
use crate::{Batch, Error, Page, Store};

/// A role alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleAliasRecord {
    /// Whose it is.
    pub scope: Scope,
    /// Its name.
    pub alias: RoleAliasName,
    /// The role it stands for.
    pub role_arn: RoleArn,
    /// How long credentials live, in seconds.
    pub duration_secs: u32,
    /// Changes with every change.
    pub generation_id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub last_modified_at: Timestamp,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT account, region, alias, role_arn, duration_secs, generation_id, created_at, last_modified_at ",
            "FROM role_aliases ",
            $rest
        )
    };
}

fn read(row: Row) -> Result<RoleAliasRecord, Error> {
    let mut columns = row.of("role_aliases");
    Ok(RoleAliasRecord {
        scope: Scope::new(columns.parsed("account")?, columns.parsed("region")?),
        alias: columns.parsed("alias")?,
        role_arn: columns.parsed("role_arn")?,
        duration_secs: columns.count("duration_secs")?,
        generation_id: columns.text("generation_id")?,
        created_at: columns.time("created_at")?,
        last_modified_at: columns.time("last_modified_at")?,
    })
}

impl Store {
    /// The role alias.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn role_alias(&self, scope: Scope, alias: &RoleAliasName) -> Result<Option<RoleAliasRecord>, Error> {
        let sql = select!("WHERE account = $1 AND region = $2 AND alias = $3");
        self.row(sql, &params![scope.account, scope.region, alias]).await?.map(read).transpose()
    }

    /// The role aliases of a scope by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn role_aliases(&self, scope: Scope, page: Page<RoleAliasName>) -> Result<Vec<RoleAliasRecord>, Error> {
        let (sql, params) = page.complete(
            select!("WHERE account = $1 AND region = $2"),
            params![scope.account, scope.region],
            &["alias"],
            page.after.as_ref().map(|alias| params![alias]),
        );
        self.list(&sql, &params, read).await
    }
}

/// The role alias as it was read: scope, name, generation ($1 to $4).
fn as_read(record: &RoleAliasRecord) -> Vec<Value> {
    let Scope { account, region } = record.scope;
    params![account, region, &record.alias, &record.generation_id].into()
}

impl Batch {
    /// Makes a role alias. Conflict when the name is taken, or the scope has all that it may have.
    pub fn insert_role_alias(&mut self, record: &RoleAliasRecord) {
        let mut params = as_read(record);
        params.extend(params![
            record.role_arn.as_str(),
            record.duration_secs,
            record.created_at,
            record.last_modified_at
        ]);
        self.write(
            1,
            "INSERT INTO role_aliases (account, region, alias, generation_id, role_arn, duration_secs, created_at, \
             last_modified_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            params,
        );
        self.count_up(record.scope, CountedKind::RoleAlias, limits::ROLE_ALIASES);
    }

    /// Gives the role alias the role, duration, generation and time of `changed`. Conflict when it is no longer what
    /// `current` says.
    pub fn update_role_alias(&mut self, current: &RoleAliasRecord, changed: &RoleAliasRecord) {
        let mut params = as_read(current);
        params.extend(params![
            changed.role_arn.as_str(),
            changed.duration_secs,
            &changed.generation_id,
            changed.last_modified_at,
        ]);
        self.write(
            1,
            "UPDATE role_aliases SET role_arn = $5, duration_secs = $6, generation_id = $7, last_modified_at = $8 \
             WHERE account = $1 AND region = $2 AND alias = $3 AND generation_id = $4",
            params,
        );
    }

    /// Holds a role alias in place for writes that hang on it without touching it. Conflict when it is gone.
    pub fn require_role_alias(&mut self, scope: Scope, alias: &RoleAliasName) {
        // Writing the row, even as it is, makes whoever deletes it meanwhile wait or lose.
        self.write(
            1,
            "UPDATE role_aliases SET generation_id = generation_id WHERE account = $1 AND region = $2 AND alias = $3",
            params![scope.account, scope.region, alias],
        );
    }

    /// Removes the role alias. Conflict when it changed or is gone.
    pub fn delete_role_alias(&mut self, record: &RoleAliasRecord) {
        self.write(
            1,
            "DELETE FROM role_aliases WHERE account = $1 AND region = $2 AND alias = $3 AND generation_id = $4",
            as_read(record),
        );
        self.count_down(record.scope, CountedKind::RoleAlias);
    }
}
