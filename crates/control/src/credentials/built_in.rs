//! Credentials of this house's own: temporary access keys, which its API takes until they end.

use std::sync::Arc;

use gatehouse_domain::credentials::CredentialRefusal;
use gatehouse_domain::policy::CredentialDevice;
use gatehouse_domain::time::{Clock, Timestamp};
use gatehouse_pki::seal::Sealer;
use gatehouse_store::{Batch, RoleAliasRecord, Store};

use super::roles::Roles;
use super::{CredentialError, Credentials};
use crate::access_key::{AccessKeyWish, make};

/// Makes access keys that may do what the role of an alias may.
pub struct BuiltIn {
    store: Store,
    sealer: Sealer,
    clock: Arc<dyn Clock>,
    roles: Roles,
}

impl BuiltIn {
    /// Keys for `roles`, kept in `store`.
    #[must_use]
    pub fn new(store: Store, sealer: Sealer, clock: Arc<dyn Clock>, roles: Roles) -> Self {
        Self { store, sealer, clock, roles }
    }

    pub(super) async fn issue(
        &self,
        alias: &RoleAliasRecord,
        device: &CredentialDevice,
        now: Timestamp,
    ) -> Result<Credentials, CredentialError> {
        let refused = |refusal| Err(CredentialError::Refused(refusal));
        let account = alias.scope.account;
        // Aliases are checked when they are made; an administrator may have written others into the store.
        if alias.role_arn.account() != account {
            return refused(CredentialRefusal::Role);
        }
        let Some(role) = self.roles.get(&alias.role_arn) else { return refused(CredentialRefusal::Role) };
        if alias.duration_secs > role.max_session_secs() {
            return refused(CredentialRefusal::Duration);
        }

        // To the second, which is all that the answer can say.
        let expiration = Timestamp::from_secs(now.as_secs()).plus_millis(i64::from(alias.duration_secs) * 1_000);
        let wish = AccessKeyWish { account, policy: Some(role.policy().to_owned()), expires_at: Some(expiration) };
        let mut key = make(&self.sealer, wish, now)?;
        key.record.device = Some(device.clone());
        let session_token = key.session_token.take();
        let session_token =
            session_token.ok_or_else(|| CredentialError::Failed("a temporary key has no session token".to_owned()))?;
        let mut batch = Batch::new();
        batch.insert_access_key(&key.record);
        let committed = self.store.commit(batch, self.clock.now()).await;
        committed.map_err(|error| CredentialError::Failed(error.to_string()))?;
        Ok(Credentials {
            access_key_id: key.record.access_key_id,
            secret_access_key: key.secret,
            session_token,
            expiration,
        })
    }
}
