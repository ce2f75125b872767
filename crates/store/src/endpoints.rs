//! The prefixes that stand for scopes in device host names, and the settings that the server makes up once.

use gatehouse_domain::endpoint::EndpointPrefix;
use gatehouse_domain::scope::Scope;

use crate::engine::params;
use crate::{Batch, Error, Store};

impl Store {
    /// The prefix of a scope.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn endpoint_prefix(&self, scope: Scope) -> Result<Option<EndpointPrefix>, Error> {
        let sql = "SELECT prefix FROM endpoint_prefixes WHERE account = $1 AND region = $2";
        let row = self.row(sql, &params![scope.account, scope.region]).await?;
        row.map(|row| row.of("endpoint_prefixes").parsed("prefix")).transpose()
    }

    /// The scope that a prefix stands for.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn scope_of_prefix(&self, prefix: &EndpointPrefix) -> Result<Option<Scope>, Error> {
        let sql = "SELECT account, region FROM endpoint_prefixes WHERE prefix = $1";
        let row = self.row(sql, &params![prefix.as_str()]).await?;
        row.map(|row| {
            let mut columns = row.of("endpoint_prefixes");
            Ok(Scope::new(columns.parsed("account")?, columns.parsed("region")?))
        })
        .transpose()
    }

    /// Every scope that has a prefix.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn endpoints(&self) -> Result<Vec<(Scope, EndpointPrefix)>, Error> {
        let sql = "SELECT account, region, prefix FROM endpoint_prefixes ORDER BY account, region";
        self.list(sql, &[], |row| {
            let mut columns = row.of("endpoint_prefixes");
            let scope = Scope::new(columns.parsed("account")?, columns.parsed("region")?);
            Ok((scope, columns.parsed("prefix")?))
        })
        .await
    }

    /// A setting made up by the server.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let row = self.row("SELECT value FROM settings WHERE name = $1", &params![name]).await?;
        row.map(|row| row.of("settings").blob("value")).transpose()
    }
}

impl Batch {
    /// Gives the scope its prefix. Conflict when it has one, or the prefix is taken.
    pub fn insert_endpoint_prefix(&mut self, scope: Scope, prefix: &EndpointPrefix) {
        let sql = "INSERT INTO endpoint_prefixes (account, region, prefix) VALUES ($1, $2, $3)";
        self.write(1, sql, params![scope.account, scope.region, prefix.as_str()]);
    }

    /// Keeps a setting. Conflict when it exists.
    pub fn insert_setting(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.write(1, "INSERT INTO settings (name, value) VALUES ($1, $2)", params![name, value.into()]);
    }
}
