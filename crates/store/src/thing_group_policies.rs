//! Which policies are attached to which thing groups. Counted on both sides, as with certificates: the group's row is
//! written first and the policy's last.

use gatehouse_domain::limits;
use gatehouse_domain::name::{PolicyName, ThingName};
use gatehouse_domain::scope::Scope;
use gatehouse_domain::thing_group::lineage;
use gatehouse_domain::time::Timestamp;

use crate::engine::{Value, params};
use crate::{Batch, Error, Page, Store, ThingGroupRecord};

const TABLE: &str = "thing_group_policies";

/// What a thing gets from its groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InheritedPolicies {
    /// The groups that it is in, and all that those lie in.
    pub groups: Vec<ThingName>,
    /// The policies attached to any of them, each once, by name.
    pub policies: Vec<PolicyName>,
}

impl Store {
    /// What a thing gets from its groups; `None` when there is no such thing.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn inherited_policies(
        &self,
        scope: Scope,
        thing_name: &ThingName,
    ) -> Result<Option<InheritedPolicies>, Error> {
        let Some(memberships) = self.memberships(scope, thing_name).await? else { return Ok(None) };
        let groups = lineage(memberships.groups.iter().map(ThingGroupRecord::place));
        let policies = self.policies_of_groups(scope, &groups).await?;
        Ok(Some(InheritedPolicies { groups, policies }))
    }

    /// The policies attached to any of the groups, each once, by name. At most 100 groups may be asked for.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn policies_of_groups(&self, scope: Scope, groups: &[ThingName]) -> Result<Vec<PolicyName>, Error> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let mut params = Vec::from(params![scope.account, scope.region]);
        params.extend(groups.iter().map(Value::from));
        let places: Vec<String> = (3..=params.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT DISTINCT policy_name FROM thing_group_policies WHERE account = $1 AND region = $2 \
             AND group_name IN ({}) ORDER BY policy_name",
            places.join(", ")
        );
        self.list(&sql, &params, |row| row.of(TABLE).parsed("policy_name")).await
    }

    /// The groups that a policy is attached to, by time of attachment.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn policy_groups(
        &self,
        scope: Scope,
        name: &PolicyName,
        page: Page<(Timestamp, ThingName)>,
    ) -> Result<Vec<(Timestamp, ThingName)>, Error> {
        let (sql, params) = page.complete(
            "SELECT attached_at, group_name FROM thing_group_policies WHERE account = $1 AND region = $2 \
             AND policy_name = $3",
            params![scope.account, scope.region, name],
            &["attached_at", "group_name"],
            page.after.as_ref().map(|(at, name)| params![*at, name]),
        );
        self.list(&sql, &params, |row| {
            let mut columns = row.of(TABLE);
            Ok((columns.time("attached_at")?, columns.parsed("group_name")?))
        })
        .await
    }

    /// Whether the policy is attached to the group.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn is_attached_to_group(
        &self,
        scope: Scope,
        name: &PolicyName,
        group_name: &ThingName,
    ) -> Result<bool, Error> {
        let sql = "SELECT attached_at FROM thing_group_policies WHERE account = $1 AND region = $2 AND group_name = $3 \
                   AND policy_name = $4";
        Ok(self.row(sql, &params![scope.account, scope.region, group_name, name]).await?.is_some())
    }
}

impl Batch {
    /// Attaches a policy to a group. Conflict when one of them is missing, when it is attached already, or when the group
    /// has all the policies it may have.
    pub fn attach_group_policy(&mut self, scope: Scope, name: &PolicyName, group_name: &ThingName, now: Timestamp) {
        let Scope { account, region } = scope;
        self.write(
            1,
            "UPDATE thing_groups SET policy_count = policy_count + 1 WHERE account = $1 AND region = $2 AND name = $3 \
             AND policy_count < $4",
            params![account, region, group_name, limits::POLICIES_PER_THING_GROUP],
        );
        self.write(
            1,
            "INSERT INTO thing_group_policies (account, region, group_name, policy_name, attached_at) \
             VALUES ($1, $2, $3, $4, $5)",
            params![account, region, group_name, name, now],
        );
        self.write(
            1,
            "UPDATE policies SET attachment_count = attachment_count + 1 WHERE account = $1 AND region = $2 AND name = $3",
            params![account, region, name],
        );
    }

    /// Detaches a policy from a group. Conflict when it is not attached.
    pub fn detach_group_policy(&mut self, scope: Scope, name: &PolicyName, group_name: &ThingName) {
        let Scope { account, region } = scope;
        self.write(
            1,
            "UPDATE thing_groups SET policy_count = policy_count - 1 WHERE account = $1 AND region = $2 AND name = $3 \
             AND policy_count > 0",
            params![account, region, group_name],
        );
        self.write(
            1,
            "DELETE FROM thing_group_policies WHERE account = $1 AND region = $2 AND group_name = $3 AND policy_name = $4",
            params![account, region, group_name, name],
        );
        self.write(
            1,
            "UPDATE policies SET attachment_count = attachment_count - 1 WHERE account = $1 AND region = $2 AND name = $3 \
             AND attachment_count > 0",
            params![account, region, name],
        );
    }
}
