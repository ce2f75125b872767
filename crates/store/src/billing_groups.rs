//! Billing groups, and which thing is in which.
//!
//! A thing carries the id of its group in its own row. Deleting a group removes the group's row alone, however many things
//! it has: an id that no group has counts as none, and a group that is made again has another id. So no thing waits for its
//! group's row, nor the other way round: a thing that comes in while the group goes is as one that came in just before.

use gatehouse_domain::limits;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;

use crate::counts::CountedKind;
use crate::engine::{Row, Value, params};
use crate::{Batch, Error, Page, Store, ThingRecord};

/// A billing group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillingGroupRecord {
    /// Whose it is.
    pub scope: Scope,
    /// Its name.
    pub name: ThingName,
    /// A new one whenever a group of this name is made.
    pub billing_group_id: String,
    /// A text for people.
    pub description: Option<String>,
    /// Grows by one with every update.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT account, region, name, billing_group_id, description, version, created_at FROM billing_groups ",
            $rest
        )
    };
}

fn read(row: Row) -> Result<BillingGroupRecord, Error> {
    let mut columns = row.of("billing_groups");
    Ok(BillingGroupRecord {
        scope: Scope::new(columns.parsed("account")?, columns.parsed("region")?),
        name: columns.parsed("name")?,
        billing_group_id: columns.text("billing_group_id")?,
        description: columns.optional_text("description")?,
        version: columns.int("version")?,
        created_at: columns.time("created_at")?,
    })
}

impl Store {
    /// The billing group.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn billing_group(&self, scope: Scope, name: &ThingName) -> Result<Option<BillingGroupRecord>, Error> {
        let sql = select!("WHERE account = $1 AND region = $2 AND name = $3");
        self.row(sql, &params![scope.account, scope.region, name]).await?.map(read).transpose()
    }

    /// The billing group that the thing is in.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn billing_group_of(&self, thing: &ThingRecord) -> Result<Option<BillingGroupRecord>, Error> {
        let Some(id) = &thing.billing_group_id else { return Ok(None) };
        let sql = select!("WHERE account = $1 AND region = $2 AND billing_group_id = $3");
        self.row(sql, &params![thing.scope.account, thing.scope.region, id]).await?.map(read).transpose()
    }

    /// The billing groups of a scope by name: all, or those whose names begin with `prefix`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn billing_groups(
        &self,
        scope: Scope,
        prefix: Option<&ThingName>,
        page: Page<ThingName>,
    ) -> Result<Vec<BillingGroupRecord>, Error> {
        let mut params: Vec<Value> = params![scope.account, scope.region].into();
        let mut sql = select!("WHERE account = $1 AND region = $2").to_owned();
        if let Some(prefix) = prefix {
            // Text compares byte by byte, and no character sorts behind the last one of Unicode.
            params.extend(params![prefix, format!("{prefix}{}", char::MAX)]);
            sql.push_str(" AND name >= $3 AND name < $4");
        }
        let cursor = page.after.as_ref().map(|name| params![name]);
        let (sql, params) = page.complete(&sql, params, &["name"], cursor);
        self.list(&sql, &params, read).await
    }

    /// The names of the things in a billing group.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn things_in_billing_group(
        &self,
        group: &BillingGroupRecord,
        page: Page<ThingName>,
    ) -> Result<Vec<ThingName>, Error> {
        let (sql, params) = members(group, &page);
        self.list(&sql, &params, |row| row.of("things").parsed("name")).await
    }
}

/// The statement that finds a page of the names of a group's things.
fn members(group: &BillingGroupRecord, page: &Page<ThingName>) -> (String, Vec<Value>) {
    page.complete(
        "SELECT name FROM things WHERE account = $1 AND region = $2 AND billing_group_id = $3",
        params![group.scope.account, group.scope.region, &group.billing_group_id],
        &["name"],
        page.after.as_ref().map(|name| params![name]),
    )
}

/// The billing group as it was read: scope, name, id, version ($1 to $5).
fn as_read(record: &BillingGroupRecord) -> Vec<Value> {
    let Scope { account, region } = record.scope;
    params![account, region, &record.name, &record.billing_group_id, record.version].into()
}

impl Batch {
    /// Makes a billing group. Conflict when the name is taken, or the scope has all that it may have.
    pub fn insert_billing_group(&mut self, record: &BillingGroupRecord) {
        let mut params = as_read(record);
        params.extend(params![record.description.as_deref(), record.created_at]);
        self.write(
            1,
            "INSERT INTO billing_groups (account, region, name, billing_group_id, version, description, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params,
        );
        self.count_up(record.scope, CountedKind::BillingGroup, limits::BILLING_GROUPS);
    }

    /// Gives the billing group another description, and the next version. Conflict when it changed or is gone.
    pub fn update_billing_group(&mut self, current: &BillingGroupRecord, description: Option<&str>) {
        let mut params = as_read(current);
        params.push(description.into());
        self.write(
            1,
            "UPDATE billing_groups SET description = $6, version = version + 1 WHERE account = $1 AND region = $2 \
             AND name = $3 AND billing_group_id = $4 AND version = $5",
            params,
        );
    }

    /// Holds a billing group in place for writes that hang on it without touching it. Conflict when it is gone.
    pub fn require_billing_group(&mut self, scope: Scope, name: &ThingName) {
        // Writing the row, even as it is, makes whoever deletes it meanwhile wait or lose.
        self.write(
            1,
            "UPDATE billing_groups SET version = version WHERE account = $1 AND region = $2 AND name = $3",
            params![scope.account, scope.region, name],
        );
    }

    /// Removes the billing group; its things are in none then. Conflict when it changed or is gone.
    pub fn delete_billing_group(&mut self, record: &BillingGroupRecord) {
        self.write(
            1,
            "DELETE FROM billing_groups WHERE account = $1 AND region = $2 AND name = $3 AND billing_group_id = $4 \
             AND version = $5",
            as_read(record),
        );
        self.count_down(record.scope, CountedKind::BillingGroup);
    }

    /// Puts the thing into a billing group, out of whichever it was in. Conflict when the thing is gone.
    pub fn add_to_billing_group(&mut self, thing: &ThingRecord, group: &BillingGroupRecord) {
        let Scope { account, region } = thing.scope;
        self.write(
            1,
            "UPDATE things SET billing_group_id = $5 WHERE account = $1 AND region = $2 AND name = $3 AND thing_id = $4",
            params![account, region, &thing.name, &thing.thing_id, &group.billing_group_id],
        );
    }

    /// Takes the thing out of a billing group. Conflict when it is not in it.
    pub fn remove_from_billing_group(&mut self, thing: &ThingRecord, group: &BillingGroupRecord) {
        let Scope { account, region } = thing.scope;
        self.write(
            1,
            "UPDATE things SET billing_group_id = NULL WHERE account = $1 AND region = $2 AND name = $3 \
             AND thing_id = $4 AND billing_group_id = $5",
            params![account, region, &thing.name, &thing.thing_id, &group.billing_group_id],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreSettings;

    #[tokio::test]
    async fn a_page_of_members_comes_out_of_an_index_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreSettings::sqlite(folder.path())).await.unwrap();
        let group = BillingGroupRecord {
            scope: Scope::new("123456789012".parse().unwrap(), "us-east-1".parse().unwrap()),
            name: "g".parse().unwrap(),
            billing_group_id: "id".to_owned(),
            description: None,
            version: 1,
            created_at: Timestamp::from_millis(0),
        };
        let page = Page { after: Some("lamp".parse().unwrap()), ..Page::first(25) };
        let (sql, params) = members(&group, &page);
        let steps = store.rows(&format!("EXPLAIN QUERY PLAN {sql}"), &params).await.unwrap();
        let [Row(step)] = steps.as_slice() else { panic!("{steps:?}") };
        let index = "SEARCH things USING COVERING INDEX things_by_billing_group \
                     (account=? AND region=? AND billing_group_id=? AND name>?)";
        assert_eq!(step.last(), Some(&Value::Text(index.to_owned())));
    }
}
