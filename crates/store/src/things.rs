//! Things. The attributes are kept as JSON in the thing's row; a second table has them one by one for searching.

use std::collections::BTreeMap;

use gatehouse_domain::name::ThingName;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;

use crate::engine::{Row, Value, params};
use crate::{Batch, Error, Page, Store};

/// A thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThingRecord {
    /// Whose it is.
    pub scope: Scope,
    /// Its name.
    pub name: ThingName,
    /// A new one whenever a thing of this name is made.
    pub thing_id: String,
    /// Its thing type.
    pub thing_type_name: Option<ThingName>,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// Grows by one with every update.
    pub version: i64,
    /// Certificates attached.
    pub principal_count: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Which things to list; the default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThingFilter {
    /// Things with this attribute and value.
    pub attribute: Option<(String, String)>,
    /// Whether a value that begins with the one given is enough.
    pub prefix_value: bool,
    /// Things of this type.
    pub thing_type_name: Option<ThingName>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT account, region, name, thing_id, thing_type_name, attributes, version, principal_count, created_at ",
            "FROM things t ",
            $rest
        )
    };
}

fn read(row: Row) -> Result<ThingRecord, Error> {
    let mut columns = row.of("things");
    Ok(ThingRecord {
        scope: Scope::new(columns.parsed("account")?, columns.parsed("region")?),
        name: columns.parsed("name")?,
        thing_id: columns.text("thing_id")?,
        thing_type_name: columns.optional_parsed("thing_type_name")?,
        attributes: columns.map("attributes")?,
        version: columns.int("version")?,
        principal_count: columns.count("principal_count")?,
        created_at: columns.time("created_at")?,
    })
}

impl Store {
    /// The thing.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn thing(&self, scope: Scope, name: &ThingName) -> Result<Option<ThingRecord>, Error> {
        let sql = select!("WHERE account = $1 AND region = $2 AND name = $3");
        self.row(sql, &params![scope.account, scope.region, name]).await?.map(read).transpose()
    }

    /// The things of a scope that pass the filter, by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn things(
        &self,
        scope: Scope,
        filter: &ThingFilter,
        page: Page<ThingName>,
    ) -> Result<Vec<ThingRecord>, Error> {
        let mut sql = select!("WHERE account = $1 AND region = $2").to_owned();
        let mut params = Vec::from(params![scope.account, scope.region]);
        if let Some(thing_type_name) = &filter.thing_type_name {
            params.push(thing_type_name.into());
            sql.push_str(" AND thing_type_name = $3");
        }
        if let Some((attribute, value)) = &filter.attribute {
            let (first, second) = (params.len() + 1, params.len() + 2);
            params.extend(params![attribute, value]);
            sql.push_str(&format!(
                " AND name IN (SELECT a.thing_name FROM thing_attributes a WHERE a.account = $1 AND a.region = $2 \
                 AND a.attribute = ${first} AND "
            ));
            if filter.prefix_value {
                // Text compares byte by byte, and no character sorts behind the last one of Unicode.
                params.push(Value::Text(format!("{value}{}", char::MAX)));
                sql.push_str(&format!("a.value >= ${second} AND a.value < ${})", second + 1));
            } else {
                sql.push_str(&format!("a.value = ${second})"));
            }
        }
        let cursor = page.after.as_ref().map(|name| params![name]);
        let (sql, params) = page.complete(&sql, params, &["name"], cursor);
        self.list(&sql, &params, read).await
    }
}

fn json(attributes: &BTreeMap<String, String>) -> Value {
    Value::Text(serde_json::json!(attributes).to_string())
}

impl Batch {
    /// Makes a thing. Conflict when the name is taken.
    pub fn insert_thing(&mut self, record: &ThingRecord) {
        let Scope { account, region } = record.scope;
        self.write(
            1,
            "INSERT INTO things (account, region, name, thing_id, thing_type_name, attributes, version, \
             principal_count, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8)",
            params![
                account,
                region,
                &record.name,
                &record.thing_id,
                record.thing_type_name.as_ref(),
                json(&record.attributes),
                record.version,
                record.created_at,
            ],
        );
        self.insert_attributes(record.scope, &record.name, &record.attributes);
    }

    fn insert_attributes(&mut self, scope: Scope, name: &ThingName, attributes: &BTreeMap<String, String>) {
        for (attribute, value) in attributes {
            self.write(
                1,
                "INSERT INTO thing_attributes (account, region, thing_name, attribute, value) \
                 VALUES ($1, $2, $3, $4, $5)",
                params![scope.account, scope.region, name, attribute, value],
            );
        }
    }

    fn delete_attributes(&mut self, record: &ThingRecord) {
        let sql = "DELETE FROM thing_attributes WHERE account = $1 AND region = $2 AND thing_name = $3";
        self.write_any(sql, params![record.scope.account, record.scope.region, &record.name]);
    }

    /// Gives the thing another type and other attributes. Conflict when it changed or is gone.
    pub fn update_thing(
        &mut self,
        current: &ThingRecord,
        thing_type_name: Option<&ThingName>,
        attributes: &BTreeMap<String, String>,
    ) {
        self.write(
            1,
            "UPDATE things SET thing_type_name = $6, attributes = $7, version = version + 1 WHERE account = $1 \
             AND region = $2 AND name = $3 AND version = $4 AND thing_id = $5",
            params![
                current.scope.account,
                current.scope.region,
                &current.name,
                current.version,
                &current.thing_id,
                thing_type_name,
                json(attributes),
            ],
        );
        self.delete_attributes(current);
        self.insert_attributes(current.scope, &current.name, attributes);
    }

    /// Removes the thing. Conflict when it changed, is gone, or has certificates attached.
    pub fn delete_thing(&mut self, record: &ThingRecord) {
        self.write(
            1,
            "DELETE FROM things WHERE account = $1 AND region = $2 AND name = $3 AND version = $4 AND thing_id = $5 \
             AND principal_count = 0",
            params![record.scope.account, record.scope.region, &record.name, record.version, &record.thing_id,],
        );
        self.delete_attributes(record);
    }
}
