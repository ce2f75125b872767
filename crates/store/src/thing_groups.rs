//! Static thing groups: a tree of names. A group keeps its parent for life, and a parent outlives its children, so the
//! names of those above it are written into its row once.

use std::collections::BTreeMap;

use gatehouse_domain::limits;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::thing_group::{GroupConfiguration, GroupPlace};
use gatehouse_domain::time::Timestamp;

use crate::engine::{Columns, Row, Value, params};
use crate::{Batch, Error, Page, Store};

/// A static thing group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThingGroupRecord {
    /// Whose it is.
    pub scope: Scope,
    /// Its name.
    pub name: ThingName,
    /// A new one whenever a group of this name is made.
    pub group_id: String,
    /// The groups it lies in, from the root to its parent.
    pub ancestors: Vec<ThingName>,
    /// What it is for.
    pub description: Option<String>,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// Grows by one with every update.
    pub version: i64,
    /// Direct child groups.
    pub child_count: u32,
    /// Policies attached.
    pub policy_count: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ThingGroupRecord {
    /// The group that it was made in.
    #[must_use]
    pub fn parent(&self) -> Option<&ThingName> {
        self.ancestors.last()
    }

    /// What it is configured with.
    #[must_use]
    pub fn configuration(&self) -> GroupConfiguration {
        GroupConfiguration {
            parent: self.parent().cloned(),
            description: self.description.clone(),
            attributes: self.attributes.clone(),
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn place(&self) -> GroupPlace {
        GroupPlace { name: self.name.clone(), ancestors: self.ancestors.clone() }
    }
}

/// Which groups to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThingGroupFilter {
    /// Where in the tree.
    pub position: GroupPosition,
    /// Groups whose name begins so.
    pub name_prefix: Option<ThingName>,
}

/// Where in the tree groups lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GroupPosition {
    /// Anywhere.
    #[default]
    Any,
    /// In no other group.
    Root,
    /// Directly in this group.
    ChildOf(ThingName),
    /// In this group, however deep.
    Below(ThingName),
}

/// What [`read_columns`] reads, of the table `g`.
macro_rules! columns {
    () => {
        "g.account, g.region, g.name, g.group_id, g.ancestors, g.description, g.attributes, g.version, g.child_count, \
         g.policy_count, g.created_at"
    };
}
pub(crate) use columns;

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM thing_groups g ", $rest)
    };
}

pub(crate) const TABLE: &str = "thing_groups";

pub(crate) fn read(row: Row) -> Result<ThingGroupRecord, Error> {
    let columns: &mut Columns = &mut row.of(TABLE);
    let scope = Scope::new(columns.parsed("account")?, columns.parsed("region")?);
    let (name, group_id) = (columns.parsed("name")?, columns.text("group_id")?);
    let ancestors = columns.text("ancestors")?;
    let ancestors =
        serde_json::from_str(&ancestors).map_err(|_| Error::Corrupt { table: TABLE, column: "ancestors" })?;
    Ok(ThingGroupRecord {
        scope,
        name,
        group_id,
        ancestors,
        description: columns.optional_text("description")?,
        attributes: columns.map("attributes")?,
        version: columns.int("version")?,
        child_count: columns.count("child_count")?,
        policy_count: columns.count("policy_count")?,
        created_at: columns.time("created_at")?,
    })
}

impl Store {
    /// The thing group.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn thing_group(&self, scope: Scope, name: &ThingName) -> Result<Option<ThingGroupRecord>, Error> {
        let sql = select!("WHERE account = $1 AND region = $2 AND name = $3");
        self.row(sql, &params![scope.account, scope.region, name]).await?.map(read).transpose()
    }

    /// The thing groups of a scope that pass the filter, by name. A page costs the page.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn thing_groups(
        &self,
        scope: Scope,
        filter: &ThingGroupFilter,
        page: Page<ThingName>,
    ) -> Result<Vec<ThingGroupRecord>, Error> {
        let (sql, params) = selection(scope, filter, &page);
        self.list(&sql, &params, read).await
    }
}

fn selection(scope: Scope, filter: &ThingGroupFilter, page: &Page<ThingName>) -> (String, Vec<Value>) {
    let mut params = Vec::from(params![scope.account, scope.region]);
    // The names of a page come out of an index alone; then the rows of just these groups are read.
    let mut names = match &filter.position {
        GroupPosition::Any => "SELECT i.name FROM thing_groups i WHERE i.account = $1 AND i.region = $2".to_owned(),
        GroupPosition::Root | GroupPosition::ChildOf(_) => {
            let parent = if let GroupPosition::ChildOf(parent) = &filter.position { parent.as_str() } else { "" };
            params.push(parent.into());
            "SELECT i.name FROM thing_groups i WHERE i.account = $1 AND i.region = $2 AND i.parent = $3".to_owned()
        }
        GroupPosition::Below(ancestor) => {
            params.push(ancestor.into());
            "SELECT i.name FROM thing_group_descendants i WHERE i.account = $1 AND i.region = $2 AND i.ancestor = $3"
                .to_owned()
        }
    };
    if let Some(prefix) = &filter.name_prefix {
        // Text compares byte by byte, and no character sorts behind the last one of Unicode.
        let (from, to) = (params.len() + 1, params.len() + 2);
        params.extend(params![prefix, format!("{prefix}{}", char::MAX)]);
        names.push_str(&format!(" AND i.name >= ${from} AND i.name < ${to}"));
    }
    let cursor = page.after.as_ref().map(|name| params![name]);
    let (names, params) = page.complete(&names, params, &["i.name"], cursor);
    let direction = if page.ascending { "ASC" } else { "DESC" };
    // SQLite takes the tables of a CROSS JOIN in the order written.
    let sql = format!(
        "SELECT {} FROM ({names}) page CROSS JOIN thing_groups g \
         WHERE g.account = $1 AND g.region = $2 AND g.name = page.name ORDER BY g.name {direction}",
        columns!()
    );
    (sql, params)
}

fn json(value: &impl serde::Serialize) -> Value {
    Value::Text(serde_json::json!(value).to_string())
}

/// The group as it was read: scope, name, id, version ($1 to $5).
fn as_read(record: &ThingGroupRecord) -> Vec<Value> {
    let Scope { account, region } = record.scope;
    params![account, region, &record.name, &record.group_id, record.version].into()
}

impl Batch {
    /// Makes a thing group in its last ancestor. Conflict when the name is taken, or when the parent is gone or has all
    /// the children it may have.
    pub fn insert_thing_group(&mut self, record: &ThingGroupRecord) {
        let Scope { account, region } = record.scope;
        if let Some((parent, above)) = record.ancestors.split_last() {
            // The parent first: whoever deletes it meanwhile waits or loses, and one that is made again elsewhere is another.
            self.write(
                1,
                "UPDATE thing_groups SET child_count = child_count + 1 WHERE account = $1 AND region = $2 AND name = $3 \
                 AND ancestors = $4 AND child_count < $5",
                params![account, region, parent, json(&above), limits::THING_GROUP_CHILDREN],
            );
        }
        self.write(
            1,
            "INSERT INTO thing_groups (account, region, name, group_id, parent, ancestors, description, attributes, \
             version, child_count, policy_count, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, $10)",
            params![
                account,
                region,
                &record.name,
                &record.group_id,
                record.parent().map_or("", ThingName::as_str),
                json(&record.ancestors),
                record.description.as_ref(),
                json(&record.attributes),
                record.version,
                record.created_at,
            ],
        );
        for ancestor in &record.ancestors {
            self.write(
                1,
                "INSERT INTO thing_group_descendants (account, region, ancestor, name) VALUES ($1, $2, $3, $4)",
                params![account, region, ancestor, &record.name],
            );
        }
    }

    /// Gives the group another description and other attributes. Conflict when it changed or is gone.
    pub fn update_thing_group(&mut self, current: &ThingGroupRecord, changed: &GroupConfiguration) {
        let mut params = as_read(current);
        params.extend(params![changed.description.as_ref(), json(&changed.attributes)]);
        self.write(
            1,
            "UPDATE thing_groups SET description = $6, attributes = $7, version = version + 1 WHERE account = $1 \
             AND region = $2 AND name = $3 AND group_id = $4 AND version = $5",
            params,
        );
    }

    /// Makes the batch conflict when the group is deleted meanwhile.
    pub fn require_thing_group(&mut self, scope: Scope, name: &ThingName) {
        // Writing the row, even as it is, makes whoever deletes it meanwhile wait or lose.
        self.write(
            1,
            "UPDATE thing_groups SET version = version WHERE account = $1 AND region = $2 AND name = $3",
            params![scope.account, scope.region, name],
        );
    }

    /// Removes the group, which detaches its policies; its things belong to it no more. Conflict when it changed, is gone,
    /// has child groups, or when other policies are attached than `record` counts.
    pub fn delete_thing_group(&mut self, record: &ThingGroupRecord) {
        let Scope { account, region } = record.scope;
        let key = || params![account, region, &record.name];
        if let Some(parent) = record.parent() {
            self.write(
                1,
                "UPDATE thing_groups SET child_count = child_count - 1 WHERE account = $1 AND region = $2 AND name = $3 \
                 AND child_count > 0",
                params![account, region, parent],
            );
        }
        let mut guarded = as_read(record);
        guarded.push(record.policy_count.into());
        self.write(
            1,
            "DELETE FROM thing_groups WHERE account = $1 AND region = $2 AND name = $3 AND group_id = $4 AND version = $5 \
             AND policy_count = $6 AND child_count = 0",
            guarded,
        );
        let sql =
            "DELETE FROM thing_group_descendants WHERE account = $1 AND region = $2 AND ancestor = $3 AND name = $4";
        for ancestor in &record.ancestors {
            self.write(1, sql, params![account, region, ancestor, &record.name]);
        }
        self.write(1, "INSERT INTO dead_thing_groups (group_id) VALUES ($1)", params![&record.group_id]);
        if record.policy_count > 0 {
            let policies = u64::from(record.policy_count);
            self.write(
                policies,
                "UPDATE policies SET attachment_count = attachment_count - 1 WHERE account = $1 AND region = $2 \
                 AND name IN (SELECT policy_name FROM thing_group_policies WHERE account = $1 AND region = $2 \
                 AND group_name = $3)",
                key(),
            );
            let sql = "DELETE FROM thing_group_policies WHERE account = $1 AND region = $2 AND group_name = $3";
            self.write(policies, sql, key());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreSettings;

    #[tokio::test]
    async fn a_page_of_a_listing_costs_the_page() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreSettings::sqlite(folder.path())).await.unwrap();
        let scope = Scope::new("123456789012".parse().unwrap(), "us-east-1".parse().unwrap());
        let page = Page { after: Some("lamp".parse().unwrap()), ..Page::first(25) };
        let parent: ThingName = "floor".parse().unwrap();
        for (position, step) in [
            (GroupPosition::Any, "SEARCH i USING PRIMARY KEY (account=? AND region=? AND name>"),
            (GroupPosition::Root, "INDEX thing_groups_by_parent (account=? AND region=? AND parent=? AND name>"),
            (
                GroupPosition::ChildOf(parent.clone()),
                "INDEX thing_groups_by_parent (account=? AND region=? AND parent=? AND name>",
            ),
            (
                GroupPosition::Below(parent),
                "SEARCH i USING PRIMARY KEY (account=? AND region=? AND ancestor=? AND name>",
            ),
        ] {
            for name_prefix in [None, Some("la".parse().unwrap())] {
                let filter = ThingGroupFilter { position: position.clone(), name_prefix };
                let (sql, params) = selection(scope, &filter, &page);
                let steps = store.rows(&format!("EXPLAIN QUERY PLAN {sql}"), &params).await.unwrap();
                let plan: Vec<_> = steps.into_iter().map(|step| format!("{:?}", step.0.last())).collect();
                let plan = plan.join("\n");
                assert!(plan.contains(step), "{filter:?}:\n{plan}");
                assert!(!plan.contains("SCAN i") && !plan.contains("SCAN g"), "{filter:?}:\n{plan}");
            }
        }
    }
}
