//! How many of each limited kind a scope has. The row that counts is shared by all of the kind, so it is written last:
//! whoever waits for it holds nothing that another waits for.

use gatehouse_domain::scope::Scope;

use crate::engine::params;
use crate::{Batch, Error, Store};

/// Kinds of which a scope may have so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedKind {
    /// Role aliases.
    RoleAlias,
    /// Domain configurations, without those of endpoints.
    DomainConfiguration,
    /// Billing groups.
    BillingGroup,
    /// Provisioning templates.
    ProvisioningTemplate,
}

impl CountedKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::RoleAlias => "role_alias",
            Self::DomainConfiguration => "domain_configuration",
            Self::BillingGroup => "billing_group",
            Self::ProvisioningTemplate => "provisioning_template",
        }
    }
}

impl Store {
    /// How many of `kind` the scope has.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn count_of(&self, scope: Scope, kind: CountedKind) -> Result<u32, Error> {
        let sql = "SELECT item_count FROM scope_counts WHERE account = $1 AND region = $2 AND kind = $3";
        let row = self.row(sql, &params![scope.account, scope.region, kind.as_str()]).await?;
        row.map_or(Ok(0), |row| row.of("scope_counts").count("item_count"))
    }
}

impl Batch {
    /// Counts one more. Conflict at `limit`.
    pub(crate) fn count_up(&mut self, scope: Scope, kind: CountedKind, limit: u32) {
        self.write(
            1,
            "INSERT INTO scope_counts (account, region, kind, item_count) VALUES ($1, $2, $3, 1) \
             ON CONFLICT (account, region, kind) DO UPDATE SET item_count = scope_counts.item_count + 1 \
             WHERE scope_counts.item_count < $4",
            params![scope.account, scope.region, kind.as_str(), limit],
        );
    }

    /// Counts one less.
    pub(crate) fn count_down(&mut self, scope: Scope, kind: CountedKind) {
        self.write(
            1,
            "UPDATE scope_counts SET item_count = item_count - 1 WHERE account = $1 AND region = $2 AND kind = $3 \
             AND item_count > 0",
            params![scope.account, scope.region, kind.as_str()],
        );
    }
}
