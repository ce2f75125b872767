//! Things. The attributes are kept as JSON in the thing's row; a second table has them one by one for searching.

use std::collections::BTreeMap;

use gatehouse_domain::name::ThingName;
use gatehouse_domain::policy::ThingFacts;
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
    /// The id of its billing group. One that no group has any more counts as none, so ask
    /// [`Store::billing_group_of`].
    pub billing_group_id: Option<String>,
    /// Grows by one with every update.
    pub version: i64,
    /// Certificates attached.
    pub principal_count: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ThingRecord {
    /// The record of a thing that is made at `now`, without type, attributes, billing group and certificates.
    #[must_use]
    pub const fn new(scope: Scope, name: ThingName, thing_id: String, now: Timestamp) -> Self {
        Self {
            scope,
            name,
            thing_id,
            thing_type_name: None,
            attributes: BTreeMap::new(),
            billing_group_id: None,
            version: 1,
            principal_count: 0,
            created_at: now,
        }
    }

    /// What policies may ask of it.
    #[must_use]
    pub fn facts(self) -> ThingFacts {
        ThingFacts { name: self.name, thing_type_name: self.thing_type_name, attributes: self.attributes }
    }
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

macro_rules! columns {
    () => {
        concat!(
            "t.account, t.region, t.name, t.thing_id, t.thing_type_name, t.attributes, t.billing_group_id, t.version, ",
            "t.principal_count, t.created_at"
        )
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM things t ", $rest)
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
        billing_group_id: columns.optional_text("billing_group_id")?,
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
    /// A page costs the page, with two exceptions that look at more: values that begin alike do not lie in the order of
    /// names, so each page looks through all of them in the index; and an attribute together with a type looks at the
    /// things with the attribute until enough are of the type.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn things(
        &self,
        scope: Scope,
        filter: &ThingFilter,
        page: Page<ThingName>,
    ) -> Result<Vec<ThingRecord>, Error> {
        let (sql, params) = selection(scope, filter, &page);
        let looks_at_more = filter.attribute.is_some() && (filter.prefix_value || filter.thing_type_name.is_some());
        if looks_at_more {
            return self.scan(&sql, params).await?.into_iter().map(read).collect();
        }
        self.list(&sql, &params, read).await
    }
}

fn selection(scope: Scope, filter: &ThingFilter, page: &Page<ThingName>) -> (String, Vec<Value>) {
    let mut params = Vec::from(params![scope.account, scope.region]);
    let cursor = page.after.as_ref().map(|name| params![name]);
    let mut of_type = "";
    if let Some(thing_type_name) = &filter.thing_type_name {
        params.push(thing_type_name.into());
        of_type = " AND t.thing_type_name = $3";
    }
    // The names of a search come out of an index alone; then the rows of just these things are read.
    let (names, params) = if let Some((attribute, value)) = &filter.attribute {
        let (names, key) = names_by_attribute(&mut params, attribute, value, filter.prefix_value, of_type);
        page.complete(&names, params, &[key], cursor)
    } else if of_type.is_empty() {
        return page.complete(select!("WHERE account = $1 AND region = $2"), params, &["name"], cursor);
    } else {
        let names = "SELECT t.name AS thing_name FROM things t WHERE t.account = $1 AND t.region = $2".to_owned();
        page.complete(&(names + of_type), params, &["t.name"], cursor)
    };
    let direction = if page.ascending { "ASC" } else { "DESC" };
    // SQLite takes the tables of a CROSS JOIN in the order written.
    let sql = format!(
        "SELECT {} FROM ({names}) page CROSS JOIN things t \
         WHERE t.account = $1 AND t.region = $2 AND t.name = page.thing_name ORDER BY t.name {direction}",
        columns!()
    );
    (sql, params)
}

/// A selection of the names of things by an attribute, and what to page it by.
fn names_by_attribute(
    params: &mut Vec<Value>,
    attribute: &String,
    value: &String,
    is_prefix: bool,
    of_type: &str,
) -> (String, &'static str) {
    let (first, second) = (params.len() + 1, params.len() + 2);
    params.extend(params![attribute, value]);
    let mut sql = format!(
        "SELECT a.thing_name FROM thing_attributes a WHERE a.account = $1 AND a.region = $2 AND a.attribute = ${first}"
    );
    if is_prefix {
        // Text compares byte by byte, and no character sorts behind the last one of Unicode.
        params.push(Value::Text(format!("{value}{}", char::MAX)));
        sql.push_str(&format!(" AND a.value >= ${second} AND a.value < ${}", second + 1));
    } else {
        sql.push_str(&format!(" AND a.value = ${second}"));
    }
    if !of_type.is_empty() {
        sql.push_str(&format!(
            " AND EXISTS (SELECT 1 FROM things t WHERE t.account = $1 AND t.region = $2 AND t.name = a.thing_name{of_type})"
        ));
    }
    // An expression, so that planners are not drawn to walk through all attributes of all things by name.
    (sql, if is_prefix { "(a.thing_name || '')" } else { "a.thing_name" })
}

fn json(attributes: &BTreeMap<String, String>) -> Value {
    Value::Text(serde_json::json!(attributes).to_string())
}

impl Batch {
    /// Makes a thing. Conflict when the name is taken. Its type must have been read in this operation, and not deprecated.
    pub fn insert_thing(&mut self, record: &ThingRecord) {
        let Scope { account, region } = record.scope;
        self.write(
            1,
            "INSERT INTO things (account, region, name, thing_id, thing_type_name, attributes, version, \
             principal_count, created_at, billing_group_id) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9)",
            params![
                account,
                region,
                &record.name,
                &record.thing_id,
                record.thing_type_name.as_ref(),
                json(&record.attributes),
                record.version,
                record.created_at,
                record.billing_group_id.as_ref(),
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

    /// Gives the thing another type and other attributes; its billing group stays. Conflict when it changed or is gone. A
    /// type that it did not have must have been read in this operation, and not deprecated.
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
        let sql = "DELETE FROM thing_group_members WHERE account = $1 AND region = $2 AND thing_name = $3";
        self.write_any(sql, params![record.scope.account, record.scope.region, &record.name]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreSettings;

    /// How SQLite goes about finding the third page of the things that pass the filter.
    async fn plan(store: &Store, filter: &ThingFilter) -> String {
        let scope = Scope::new("123456789012".parse().unwrap(), "us-east-1".parse().unwrap());
        let page = Page { after: Some("lamp".parse().unwrap()), ..Page::first(25) };
        let (sql, params) = selection(scope, filter, &page);
        let steps = store.rows(&format!("EXPLAIN QUERY PLAN {sql}"), &params).await.unwrap();
        let steps: Vec<String> = steps
            .into_iter()
            .map(|step| match step.0.last() {
                Some(Value::Text(step)) => step.clone(),
                other => format!("{other:?}"),
            })
            .collect();
        steps.join("\n")
    }

    #[tokio::test]
    async fn a_page_of_a_search_costs_the_page() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreSettings::sqlite(folder.path())).await.unwrap();
        let color = Some(("color".to_owned(), "red".to_owned()));
        let lamp = Some("lamp".parse().unwrap());
        let by_value =
            "USING COVERING INDEX thing_attributes_by_value (account=? AND region=? AND attribute=? AND value";
        let one_by_one = "SEARCH t USING PRIMARY KEY (account=? AND region=? AND name=?)";
        for (attribute, prefix_value, thing_type_name, steps) in [
            (None, false, None, ["SEARCH t USING PRIMARY KEY (account=? AND region=? AND name>?)"].as_slice()),
            (
                None,
                false,
                lamp.clone(),
                &[
                    "COVERING INDEX things_by_type (account=? AND region=? AND thing_type_name=? AND name>?)",
                    one_by_one,
                ],
            ),
            // The index holds the names of one value in order, and the page begins inside it.
            (color.clone(), false, None, &[&format!("{by_value}=? AND thing_name>?)"), one_by_one]),
            (color.clone(), false, lamp, &[&format!("{by_value}=? AND thing_name>?)"), one_by_one]),
            (color, true, None, &[&format!("{by_value}>? AND value<?)"), one_by_one]),
        ] {
            let filter = ThingFilter { attribute, prefix_value, thing_type_name };
            let plan = plan(&store, &filter).await;
            for step in steps {
                assert!(plan.contains(step), "{filter:?}:\n{plan}");
            }
            assert!(!plan.contains("SCAN t ") && !plan.contains("SCAN a"), "{filter:?}:\n{plan}");
        }
    }
}
