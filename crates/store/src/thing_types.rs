//! Thing types.
//!
//! Making a thing reads its type and leaves the type's row alone: thousands of things of one type are made side by side,
//! and none waits for another. That no thing is left with a type that is gone rests on time. Deleting asks for a type that
//! has been deprecated for five minutes, unchanged since it was read, and of which there is no thing now. Whoever still
//! writes a thing of the type has read it before it was deprecated, so its commit would have to take those five minutes;
//! it is given up after seconds. The same holds for a thing that gets the type. A thing that keeps its type stands in the
//! way of the deletion all the time. (Clocks of nodes that lie minutes apart shorten the wait. What could be left then is a
//! thing with the name of a type that is gone, which UpdateThing takes away.)

use std::collections::BTreeSet;

use gatehouse_domain::name::ThingName;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::thing_type::Properties;
use gatehouse_domain::time::Timestamp;

use crate::engine::{Row, Value, params};
use crate::{Batch, Error, Page, Store};

/// A thing type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThingTypeRecord {
    /// Whose it is.
    pub scope: Scope,
    /// Its name.
    pub name: ThingName,
    /// A new one whenever a type of this name is made.
    pub thing_type_id: String,
    /// What it says of itself.
    pub properties: Properties,
    /// Since when it takes no more things; `None` when it is in use.
    pub deprecated_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows by one with every change.
    pub row_version: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT account, region, name, thing_type_id, description, searchable_attributes, deprecated_at, created_at, ",
            "row_version FROM thing_types ",
            $rest
        )
    };
}

fn read(row: Row) -> Result<ThingTypeRecord, Error> {
    let mut columns = row.of("thing_types");
    Ok(ThingTypeRecord {
        scope: Scope::new(columns.parsed("account")?, columns.parsed("region")?),
        name: columns.parsed("name")?,
        thing_type_id: columns.text("thing_type_id")?,
        properties: Properties {
            description: columns.optional_text("description")?,
            searchable_attributes: columns.set("searchable_attributes")?,
        },
        deprecated_at: columns.optional_time("deprecated_at")?,
        created_at: columns.time("created_at")?,
        row_version: columns.int("row_version")?,
    })
}

impl Store {
    /// The thing type.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn thing_type(&self, scope: Scope, name: &ThingName) -> Result<Option<ThingTypeRecord>, Error> {
        let sql = select!("WHERE account = $1 AND region = $2 AND name = $3");
        self.row(sql, &params![scope.account, scope.region, name]).await?.map(read).transpose()
    }

    /// The thing types of a scope by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn thing_types(&self, scope: Scope, page: Page<ThingName>) -> Result<Vec<ThingTypeRecord>, Error> {
        let (sql, params) = page.complete(
            select!("WHERE account = $1 AND region = $2"),
            params![scope.account, scope.region],
            &["name"],
            page.after.as_ref().map(|name| params![name]),
        );
        self.list(&sql, &params, read).await
    }

    /// Whether there is a thing of this type.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn has_things_of_type(&self, scope: Scope, name: &ThingName) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM things WHERE account = $1 AND region = $2 AND thing_type_name = $3 LIMIT 1";
        Ok(self.row(sql, &params![scope.account, scope.region, name]).await?.is_some())
    }
}

fn json(searchable: &BTreeSet<String>) -> Value {
    Value::Text(serde_json::json!(searchable).to_string())
}

/// The thing type as it was read: scope, name, row version ($1 to $4).
fn as_read(record: &ThingTypeRecord) -> Vec<Value> {
    let Scope { account, region } = record.scope;
    params![account, region, &record.name, record.row_version].into()
}

impl Batch {
    /// Makes a thing type. Conflict when the name is taken.
    pub fn insert_thing_type(&mut self, record: &ThingTypeRecord) {
        let mut params = as_read(record);
        params.extend(params![
            &record.thing_type_id,
            record.properties.description.as_deref(),
            json(&record.properties.searchable_attributes),
            record.deprecated_at,
            record.created_at,
        ]);
        self.write(
            1,
            "INSERT INTO thing_types (account, region, name, row_version, thing_type_id, description, \
             searchable_attributes, deprecated_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            params,
        );
    }

    /// Gives the thing type the properties and the deprecation of `changed`. Conflict when it changed or is gone.
    pub fn update_thing_type(&mut self, current: &ThingTypeRecord, changed: &ThingTypeRecord) {
        let mut params = as_read(current);
        params.extend(params![
            &current.thing_type_id,
            changed.properties.description.as_deref(),
            json(&changed.properties.searchable_attributes),
            changed.deprecated_at,
        ]);
        self.write(
            1,
            "UPDATE thing_types SET description = $6, searchable_attributes = $7, deprecated_at = $8, \
             row_version = row_version + 1 WHERE account = $1 AND region = $2 AND name = $3 AND row_version = $4 \
             AND thing_type_id = $5",
            params,
        );
    }

    /// Holds a thing type in place for writes that hang on it without touching it. Conflict when it is gone. Not for
    /// things: they would wait for one another.
    pub fn require_thing_type(&mut self, scope: Scope, name: &ThingName) {
        // Writing the row, even as it is, makes whoever deletes it meanwhile wait or lose.
        self.write(
            1,
            "UPDATE thing_types SET row_version = row_version WHERE account = $1 AND region = $2 AND name = $3",
            params![scope.account, scope.region, name],
        );
    }

    /// Removes the thing type, which must have been deprecated for a while: see the head of this file. Conflict when it
    /// changed, is gone, or has things.
    pub fn delete_thing_type(&mut self, record: &ThingTypeRecord) {
        let mut params = as_read(record);
        params.push((&record.thing_type_id).into());
        self.write(
            1,
            "DELETE FROM thing_types WHERE account = $1 AND region = $2 AND name = $3 AND row_version = $4 \
             AND thing_type_id = $5 AND deprecated_at IS NOT NULL AND NOT EXISTS \
             (SELECT 1 FROM things t WHERE t.account = $1 AND t.region = $2 AND t.thing_type_name = $3)",
            params,
        );
    }
}
