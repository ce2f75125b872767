//! Event configurations: which registry events a scope wants published. One row for each scope that has ever said so;
//! every operation that changes the registry reads it, by its key.

use gatehouse_domain::event_configuration::EventConfigurations;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;

use crate::engine::{Value, params};
use crate::{Batch, Error, Store};

/// The switches of a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventConfigurationsRecord {
    /// Whose they are.
    pub scope: Scope,
    /// Which are on.
    pub configurations: EventConfigurations,
    /// When one was set first.
    pub created_at: Timestamp,
    /// When one was changed last.
    pub last_modified_at: Timestamp,
    /// Grows by one with every change.
    pub row_version: i64,
}

impl Store {
    /// The switches of a scope; `None` when it never set one, and all are off.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn event_configurations(&self, scope: Scope) -> Result<Option<EventConfigurationsRecord>, Error> {
        let sql = "SELECT enabled, created_at, last_modified_at, row_version FROM event_configurations \
                   WHERE account = $1 AND region = $2";
        let Some(row) = self.row(sql, &params![scope.account, scope.region]).await? else { return Ok(None) };
        let mut columns = row.of("event_configurations");
        let enabled = columns.text("enabled")?;
        Ok(Some(EventConfigurationsRecord {
            scope,
            configurations: serde_json::from_str(&enabled).map_err(|_| columns.corrupt("enabled"))?,
            created_at: columns.time("created_at")?,
            last_modified_at: columns.time("last_modified_at")?,
            row_version: columns.int("row_version")?,
        }))
    }
}

fn json(configurations: &EventConfigurations) -> Value {
    Value::Text(serde_json::json!(configurations).to_string())
}

impl Batch {
    /// Sets the switches of a scope for the first time. Conflict when somebody else just has.
    pub fn insert_event_configurations(&mut self, record: &EventConfigurationsRecord) {
        let Scope { account, region } = record.scope;
        self.write(
            1,
            "INSERT INTO event_configurations (account, region, enabled, created_at, last_modified_at, row_version) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            params![
                account,
                region,
                json(&record.configurations),
                record.created_at,
                record.last_modified_at,
                record.row_version,
            ],
        );
    }

    /// Sets the switches of `current` otherwise. Conflict when they changed.
    pub fn update_event_configurations(
        &mut self,
        current: &EventConfigurationsRecord,
        configurations: &EventConfigurations,
        now: Timestamp,
    ) {
        let Scope { account, region } = current.scope;
        self.write(
            1,
            "UPDATE event_configurations SET enabled = $3, last_modified_at = $4, row_version = row_version + 1 \
             WHERE account = $1 AND region = $2 AND row_version = $5",
            params![account, region, json(configurations), now, current.row_version],
        );
    }
}
