//! Which things are in which groups. Counted nowhere: the thing's row has a version of its memberships, which every change
//! of them must find as it was read, so that the rules about a thing's groups hold whoever comes at once.
//!
//! Invariant: a row counts as long as the group with its id exists. Deleting a group therefore costs the same however many
//! things are in it; what is left behind is swept later.

use gatehouse_domain::name::ThingName;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;

use crate::engine::params;
use crate::thing_groups::{self, columns};
use crate::{Batch, Error, Page, Store, ThingGroupRecord, ThingRecord};

/// Rows of groups that are gone, removed in one commit.
const SWEPT_AT_ONCE: i64 = 1_000;

/// The memberships of a thing as they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembershipsRecord {
    /// Whose thing it is.
    pub scope: Scope,
    /// The thing.
    pub thing_name: ThingName,
    /// Its id.
    pub thing_id: String,
    /// The groups that it is in, by name.
    pub groups: Vec<ThingGroupRecord>,
    version: i64,
}

impl MembershipsRecord {
    /// Those of a thing that the same batch makes: none.
    #[must_use]
    pub fn of_new_thing(thing: &ThingRecord) -> Self {
        let (thing_name, thing_id) = (thing.name.clone(), thing.thing_id.clone());
        Self { scope: thing.scope, thing_name, thing_id, groups: Vec::new(), version: 0 }
    }
}

impl Store {
    /// The memberships of a thing; `None` when there is no such thing.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn memberships(&self, scope: Scope, name: &ThingName) -> Result<Option<MembershipsRecord>, Error> {
        let sql = "SELECT thing_id, membership_version FROM things WHERE account = $1 AND region = $2 AND name = $3";
        // The version first: a change in between makes the commit that relies on it conflict.
        let Some(row) = self.row(sql, &params![scope.account, scope.region, name]).await? else { return Ok(None) };
        let mut columns = row.of("things");
        let (thing_id, version) = (columns.text("thing_id")?, columns.int("membership_version")?);
        // Most things have never been in a group.
        let groups = if version == 0 { Vec::new() } else { self.groups_of_thing(scope, name).await? };
        Ok(Some(MembershipsRecord { scope, thing_name: name.clone(), thing_id, groups, version }))
    }

    /// The groups that a thing is in, by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn groups_of_thing(&self, scope: Scope, name: &ThingName) -> Result<Vec<ThingGroupRecord>, Error> {
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM thing_group_members m JOIN thing_groups g ON g.group_id = m.group_id \
             WHERE m.account = $1 AND m.region = $2 AND m.thing_name = $3 ORDER BY g.name"
        );
        self.list(sql, &params![scope.account, scope.region, name], thing_groups::read).await
    }

    /// The things in a group, by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn things_in_group(
        &self,
        group: &ThingGroupRecord,
        page: Page<ThingName>,
    ) -> Result<Vec<ThingName>, Error> {
        let (sql, params) = page.complete(
            "SELECT thing_name FROM thing_group_members WHERE group_id = $1",
            params![&group.group_id],
            &["thing_name"],
            page.after.as_ref().map(|name| params![name]),
        );
        self.list(&sql, &params, |row| row.of("thing_group_members").parsed("thing_name")).await
    }

    /// The things in a group or in those below it, by name. Looks at all that lie behind the page's beginning.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn things_below_group(
        &self,
        group: &ThingGroupRecord,
        page: Page<ThingName>,
    ) -> Result<Vec<ThingName>, Error> {
        let Scope { account, region } = group.scope;
        let (sql, params) = page.complete(
            "SELECT DISTINCT m.thing_name FROM thing_group_members m WHERE m.group_id IN (\
             SELECT g.group_id FROM thing_group_descendants d JOIN thing_groups g ON g.account = d.account \
             AND g.region = d.region AND g.name = d.name WHERE d.account = $1 AND d.region = $2 AND d.ancestor = $3 \
             UNION ALL SELECT $4)",
            params![account, region, &group.name, &group.group_id],
            &["m.thing_name"],
            page.after.as_ref().map(|name| params![name]),
        );
        let rows = self.scan(&sql, params).await?;
        rows.into_iter().map(|row| row.of("thing_group_members").parsed("thing_name")).collect()
    }

    /// Removes what deleted groups have left behind, a bounded part of it. Answers whether there is more.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; what was removed until then is gone.
    pub async fn sweep_thing_groups(&self, now: Timestamp) -> Result<bool, Error> {
        let Some(row) = self.row("SELECT group_id FROM dead_thing_groups LIMIT 1", &[]).await? else {
            return Ok(false);
        };
        let group_id = row.of("dead_thing_groups").text("group_id")?;
        let mut batch = Batch::new();
        batch.write_any(
            "DELETE FROM thing_group_members WHERE group_id = $1 AND thing_name IN \
             (SELECT thing_name FROM thing_group_members WHERE group_id = $1 ORDER BY thing_name LIMIT $2)",
            params![&group_id, SWEPT_AT_ONCE],
        );
        // A thing that was just entering may leave a row behind even so: it takes a few bytes and counts for nothing.
        batch.write_any(
            "DELETE FROM dead_thing_groups WHERE group_id = $1 \
             AND NOT EXISTS (SELECT 1 FROM thing_group_members WHERE group_id = $1)",
            params![&group_id],
        );
        self.commit(batch, now).await?;
        Ok(self.row("SELECT group_id FROM dead_thing_groups LIMIT 1", &[]).await?.is_some())
    }
}

impl Batch {
    /// Changes the groups of a thing. Conflict when its memberships changed since they were read, when the thing is gone,
    /// or when a group that it enters is.
    pub fn change_memberships(
        &mut self,
        current: &MembershipsRecord,
        entered: &[ThingGroupRecord],
        left: &[ThingGroupRecord],
    ) {
        let Scope { account, region } = current.scope;
        self.write(
            1,
            "UPDATE things SET membership_version = membership_version + 1 WHERE account = $1 AND region = $2 \
             AND name = $3 AND thing_id = $4 AND membership_version = $5",
            params![account, region, &current.thing_name, &current.thing_id, current.version],
        );
        self.enter_groups(current.scope, &current.thing_name, entered);
        for group in left {
            self.write(
                1,
                "DELETE FROM thing_group_members WHERE account = $1 AND region = $2 AND thing_name = $3 AND group_id = $4",
                params![account, region, &current.thing_name, &group.group_id],
            );
        }
    }

    /// Holds the memberships of a thing in place for what is said about them. Conflict when they changed since they were
    /// read, or the thing is gone.
    pub fn require_memberships(&mut self, current: &MembershipsRecord) {
        // Writing the row, even as it is, makes whoever changes it meanwhile wait or lose.
        self.write(
            1,
            "UPDATE things SET membership_version = membership_version WHERE account = $1 AND region = $2 \
             AND name = $3 AND thing_id = $4 AND membership_version = $5",
            params![
                current.scope.account,
                current.scope.region,
                &current.thing_name,
                &current.thing_id,
                current.version
            ],
        );
    }

    /// Puts a thing into groups. The thing's row is already this batch's.
    fn enter_groups(&mut self, scope: Scope, thing_name: &ThingName, groups: &[ThingGroupRecord]) {
        for group in groups {
            // Out of the group's own row, so that nobody enters a group that is gone: without a lock on it, which all
            // who enter would wait for.
            self.write(
                1,
                "INSERT INTO thing_group_members (account, region, thing_name, group_id) \
                 SELECT g.account, g.region, $4, g.group_id FROM thing_groups g \
                 WHERE g.account = $1 AND g.region = $2 AND g.name = $3 AND g.group_id = $5",
                params![scope.account, scope.region, &group.name, thing_name, &group.group_id],
            );
        }
    }
}
