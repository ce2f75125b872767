//! Certificate providers: the function that issues a scope's certificates in the place of the deployment's own authority.
//! The key of the table is the scope, so that there is one at most.

use gatehouse_domain::certificate_provider::Creation;
use gatehouse_domain::function::FunctionArn;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;

use crate::engine::{Columns, Row, Value, params};
use crate::{Batch, Error, Store};

/// A certificate provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateProviderRecord {
    /// Whose it is.
    pub scope: Scope,
    /// Its name, and the request that made it.
    pub creation: Creation,
    /// The function that issues.
    pub function_arn: FunctionArn,
    /// Changes with every change.
    pub generation_id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub last_modified_at: Timestamp,
}

fn read(row: Row) -> Result<CertificateProviderRecord, Error> {
    let mut columns = row.of("certificate_providers");
    Ok(CertificateProviderRecord {
        scope: Scope::new(columns.parsed("account")?, columns.parsed("region")?),
        creation: Creation {
            name: columns.parsed("name")?,
            token_sha256: columns.optional_blob("token_sha256")?.map(|blob| digest(&columns, &blob)).transpose()?,
            request_sha256: columns.blob("request_sha256").and_then(|blob| digest(&columns, &blob))?,
        },
        function_arn: columns.parsed("function_arn")?,
        generation_id: columns.text("generation_id")?,
        created_at: columns.time("created_at")?,
        last_modified_at: columns.time("last_modified_at")?,
    })
}

fn digest(columns: &Columns, blob: &[u8]) -> Result<[u8; 32], Error> {
    blob.try_into().map_err(|_| columns.corrupt("token_sha256 or request_sha256"))
}

impl Store {
    /// The certificate provider of a scope.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn certificate_provider(&self, scope: Scope) -> Result<Option<CertificateProviderRecord>, Error> {
        let sql = "SELECT account, region, name, token_sha256, request_sha256, function_arn, generation_id, created_at, \
                   last_modified_at FROM certificate_providers WHERE account = $1 AND region = $2";
        self.row(sql, &params![scope.account, scope.region]).await?.map(read).transpose()
    }
}

/// The certificate provider as it was read: scope, name, generation ($1 to $4).
fn as_read(record: &CertificateProviderRecord) -> Vec<Value> {
    let Scope { account, region } = record.scope;
    params![account, region, &record.creation.name, &record.generation_id].into()
}

impl Batch {
    /// Makes the certificate provider of a scope. Conflict when the scope has one.
    pub fn insert_certificate_provider(&mut self, record: &CertificateProviderRecord) {
        let mut params = as_read(record);
        params.extend(params![
            record.function_arn.as_str(),
            record.creation.token_sha256.as_ref(),
            &record.creation.request_sha256,
            record.created_at,
            record.last_modified_at,
        ]);
        self.write(
            1,
            "INSERT INTO certificate_providers (account, region, name, generation_id, function_arn, token_sha256, \
             request_sha256, created_at, last_modified_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            params,
        );
    }

    /// Gives the certificate provider the function, generation and time of `changed`. Conflict when it is no longer what
    /// `current` says.
    pub fn update_certificate_provider(
        &mut self,
        current: &CertificateProviderRecord,
        changed: &CertificateProviderRecord,
    ) {
        let mut params = as_read(current);
        params.extend(params![changed.function_arn.as_str(), &changed.generation_id, changed.last_modified_at]);
        self.write(
            1,
            "UPDATE certificate_providers SET function_arn = $5, generation_id = $6, last_modified_at = $7 \
             WHERE account = $1 AND region = $2 AND name = $3 AND generation_id = $4",
            params,
        );
    }

    /// Holds the certificate provider in place for what was issued by it. Conflict when it changed or is gone.
    pub fn require_certificate_provider(&mut self, record: &CertificateProviderRecord) {
        // Writing the row, even as it is, makes whoever changes it meanwhile wait or lose.
        self.write(
            1,
            "UPDATE certificate_providers SET generation_id = generation_id \
             WHERE account = $1 AND region = $2 AND name = $3 AND generation_id = $4",
            as_read(record),
        );
    }

    /// Removes the certificate provider. Conflict when it changed or is gone.
    pub fn delete_certificate_provider(&mut self, record: &CertificateProviderRecord) {
        self.write(
            1,
            "DELETE FROM certificate_providers WHERE account = $1 AND region = $2 AND name = $3 AND generation_id = $4",
            as_read(record),
        );
    }
}
