//! Domain configurations: the host names that devices come in under, and how.

use gatehouse_domain::domain_configuration::{Access, DomainConfigurationStatus, DomainType, ServerCertificateArn};
use gatehouse_domain::host_name::HostName;
use gatehouse_domain::limits;
use gatehouse_domain::name::DomainConfigurationName;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::security_policy::SecurityPolicy;
use gatehouse_domain::time::Timestamp;

use crate::counts::CountedKind;
use crate::engine::{Row, Value, params};
use crate::{Batch, Error, Store};

/// More than a scope has: its configurations and what was configured of its endpoints.
const ALL_OF_A_SCOPE: u32 = limits::DOMAIN_CONFIGURATIONS + 16;

/// A domain configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainConfigurationRecord {
    /// Whose it is.
    pub scope: Scope,
    /// Its name; that of an endpoint, such as `iot:Data-ATS`, when that was configured.
    pub name: DomainConfigurationName,
    /// The last part of its ARN; empty for an endpoint.
    pub arn_id: String,
    /// Whose host name it is.
    pub domain_type: DomainType,
    /// The host name; `None` for an endpoint, whose name is computed.
    pub domain_name: Option<HostName>,
    /// What is shown under a name of the customer's.
    pub server_certificate_arn: Option<ServerCertificateArn>,
    /// Which TLS is spoken.
    pub security_policy: SecurityPolicy,
    /// How devices come in.
    pub access: Access,
    /// Whether they may.
    pub status: DomainConfigurationStatus,
    /// Since when.
    pub status_changed_at: Timestamp,
    /// Changes with every change.
    pub generation_id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub last_modified_at: Timestamp,
}

impl DomainConfigurationRecord {
    const fn is_counted(&self) -> bool {
        !matches!(self.domain_type, DomainType::Endpoint)
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT account, region, name, arn_id, domain_type, domain_name, server_certificate_arn, security_policy, ",
            "authentication_type, application_protocol, status, status_changed_at, generation_id, created_at, ",
            "last_modified_at FROM domain_configurations ",
            $rest
        )
    };
}

fn read(row: Row) -> Result<DomainConfigurationRecord, Error> {
    let mut columns = row.of("domain_configurations");
    Ok(DomainConfigurationRecord {
        scope: Scope::new(columns.parsed("account")?, columns.parsed("region")?),
        name: columns.parsed("name")?,
        arn_id: columns.text("arn_id")?,
        domain_type: columns.parsed("domain_type")?,
        domain_name: columns.optional_parsed("domain_name")?,
        server_certificate_arn: columns.optional_parsed("server_certificate_arn")?,
        security_policy: columns.parsed("security_policy")?,
        access: Access {
            authentication: columns.parsed("authentication_type")?,
            protocol: columns.parsed("application_protocol")?,
        },
        status: columns.parsed("status")?,
        status_changed_at: columns.time("status_changed_at")?,
        generation_id: columns.text("generation_id")?,
        created_at: columns.time("created_at")?,
        last_modified_at: columns.time("last_modified_at")?,
    })
}

impl Store {
    /// The domain configuration.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn domain_configuration(
        &self,
        scope: Scope,
        name: &DomainConfigurationName,
    ) -> Result<Option<DomainConfigurationRecord>, Error> {
        let sql = select!("WHERE account = $1 AND region = $2 AND name = $3");
        self.row(sql, &params![scope.account, scope.region, name.as_str()]).await?.map(read).transpose()
    }

    /// The domain configuration, of whatever scope, that serves `host`. Endpoints are found by their prefix instead.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn domain_configuration_of_host(
        &self,
        host: &HostName,
    ) -> Result<Option<DomainConfigurationRecord>, Error> {
        self.row(select!("WHERE domain_name = $1"), &params![host.as_str()]).await?.map(read).transpose()
    }

    /// All domain configurations of a scope, by name: a few.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn domain_configurations(&self, scope: Scope) -> Result<Vec<DomainConfigurationRecord>, Error> {
        let sql = select!("WHERE account = $1 AND region = $2 ORDER BY name LIMIT $3");
        self.list(sql, &params![scope.account, scope.region, ALL_OF_A_SCOPE], read).await
    }
}

/// The domain configuration as it was read: scope, name, generation ($1 to $4).
fn as_read(record: &DomainConfigurationRecord) -> Vec<Value> {
    let Scope { account, region } = record.scope;
    params![account, region, record.name.as_str(), &record.generation_id].into()
}

impl Batch {
    /// Makes a domain configuration. Conflict when its name is taken in the scope or its domain name anywhere, or the
    /// scope has all that it may have.
    pub fn insert_domain_configuration(&mut self, record: &DomainConfigurationRecord) {
        let mut params = as_read(record);
        params.extend(params![
            record.arn_id.as_str(),
            record.domain_type.as_str(),
            record.domain_name.as_ref().map(HostName::as_str),
            record.server_certificate_arn.as_ref().map(ServerCertificateArn::as_str),
            record.security_policy.to_string(),
            record.access.authentication.as_str(),
            record.access.protocol.as_str(),
            record.status.as_str(),
            record.status_changed_at,
            record.created_at,
            record.last_modified_at,
        ]);
        self.write(
            1,
            "INSERT INTO domain_configurations (account, region, name, generation_id, arn_id, domain_type, domain_name, \
             server_certificate_arn, security_policy, authentication_type, application_protocol, status, \
             status_changed_at, created_at, last_modified_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            params,
        );
        if record.is_counted() {
            self.count_up(record.scope, CountedKind::DomainConfiguration, limits::DOMAIN_CONFIGURATIONS);
        }
    }

    /// Gives the domain configuration the security policy, access, status, generation and times of `changed`. Conflict
    /// when it is no longer what `current` says.
    pub fn update_domain_configuration(
        &mut self,
        current: &DomainConfigurationRecord,
        changed: &DomainConfigurationRecord,
    ) {
        let mut params = as_read(current);
        params.extend(params![
            changed.security_policy.to_string(),
            changed.access.authentication.as_str(),
            changed.access.protocol.as_str(),
            changed.status.as_str(),
            changed.status_changed_at,
            &changed.generation_id,
            changed.last_modified_at,
        ]);
        self.write(
            1,
            "UPDATE domain_configurations SET security_policy = $5, authentication_type = $6, \
             application_protocol = $7, status = $8, status_changed_at = $9, generation_id = $10, \
             last_modified_at = $11 WHERE account = $1 AND region = $2 AND name = $3 AND generation_id = $4",
            params,
        );
    }

    /// Holds a domain configuration in place for writes that hang on it without touching it. Conflict when it is gone.
    pub fn require_domain_configuration(&mut self, scope: Scope, name: &DomainConfigurationName) {
        // Writing the row, even as it is, makes whoever deletes it meanwhile wait or lose.
        self.write(
            1,
            "UPDATE domain_configurations SET generation_id = generation_id WHERE account = $1 AND region = $2 \
             AND name = $3",
            params![scope.account, scope.region, name.as_str()],
        );
    }

    /// Removes the domain configuration. Conflict when it changed or is gone.
    pub fn delete_domain_configuration(&mut self, record: &DomainConfigurationRecord) {
        self.write(
            1,
            "DELETE FROM domain_configurations WHERE account = $1 AND region = $2 AND name = $3 AND generation_id = $4",
            as_read(record),
        );
        if record.is_counted() {
            self.count_down(record.scope, CountedKind::DomainConfiguration);
        }
    }
}
