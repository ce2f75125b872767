//! Registration codes: what the owner of a CA key signs to prove that it is his. A scope has one at most.

use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;

use crate::engine::params;
use crate::{Batch, Error, Store};

impl Store {
    /// The registration code of a scope.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn registration_code(&self, scope: Scope) -> Result<Option<String>, Error> {
        let sql = "SELECT code FROM registration_codes WHERE account = $1 AND region = $2";
        let row = self.row(sql, &params![scope.account, scope.region]).await?;
        row.map(|row| row.of("registration_codes").text("code")).transpose()
    }
}

impl Batch {
    /// Gives the scope its registration code. Conflict when it has one.
    pub fn insert_registration_code(&mut self, scope: Scope, code: &str, now: Timestamp) {
        let sql = "INSERT INTO registration_codes (account, region, code, created_at) VALUES ($1, $2, $3, $4)";
        self.write(1, sql, params![scope.account, scope.region, code, now]);
    }

    /// Holds the registration code in place for a CA certificate that was verified by it. Conflict when the scope has
    /// another one or none.
    pub fn require_registration_code(&mut self, scope: Scope, code: &str) {
        // Writing the row, even as it is, makes whoever deletes it meanwhile wait or lose.
        let sql = "UPDATE registration_codes SET code = code WHERE account = $1 AND region = $2 AND code = $3";
        self.write(1, sql, params![scope.account, scope.region, code]);
    }

    /// Removes the registration code. Conflict when the scope has another one or none.
    pub fn delete_registration_code(&mut self, scope: Scope, code: &str) {
        let sql = "DELETE FROM registration_codes WHERE account = $1 AND region = $2 AND code = $3";
        self.write(1, sql, params![scope.account, scope.region, code]);
    }
}
