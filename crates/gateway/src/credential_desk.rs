//! Where devices get credentials: the provider, and how many each scope may have in a second.

use std::collections::HashMap;
use std::sync::Arc;

use gatehouse_control::credentials::{CredentialError, CredentialProvider, Credentials};
use gatehouse_domain::credentials::CredentialRefusal;
use gatehouse_domain::limits;
use gatehouse_domain::policy::CredentialDevice;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use gatehouse_store::RoleAliasRecord;
use parking_lot::Mutex;

/// Gives credentials.
pub(crate) struct CredentialDesk {
    provider: Arc<CredentialProvider>,
    given: Mutex<Given>,
}

/// What was asked for in one second; forgotten with it, so that quiet scopes take no memory.
#[derive(Default)]
struct Given {
    second: i64,
    by_scope: HashMap<Scope, u32>,
}

impl CredentialDesk {
    pub(crate) fn new(provider: Arc<CredentialProvider>) -> Self {
        Self { provider, given: Mutex::default() }
    }

    /// Asks for a place among those of the scope in this second.
    ///
    /// # Errors
    /// [`CredentialRefusal::TooMany`].
    pub(crate) fn queue(&self, scope: Scope, now: Timestamp) -> Result<(), CredentialRefusal> {
        if self.given.lock().ask(scope, now) { Ok(()) } else { Err(CredentialRefusal::TooMany) }
    }

    /// Gives `device` credentials by `alias`.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub(crate) async fn issue(
        &self,
        alias: &RoleAliasRecord,
        device: &CredentialDevice,
        now: Timestamp,
    ) -> Result<Credentials, CredentialError> {
        self.provider.issue(alias, device, now).await
    }
}

impl Given {
    fn ask(&mut self, scope: Scope, now: Timestamp) -> bool {
        if now.as_secs() != self.second {
            self.second = now.as_secs();
            self.by_scope.clear();
        }
        let given = self.by_scope.entry(scope).or_default();
        let has_room = *given < limits::CREDENTIALS_PER_SECOND;
        *given += u32::from(has_room);
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatehouse_domain::scope::AccountId;

    #[test]
    fn each_scope_has_so_many_a_second() {
        let scope = |account| Scope::new(AccountId::from_number(account), "us-east-1".parse().unwrap());
        let mut given = Given::default();
        let at = Timestamp::from_secs(100);
        for _ in 0..limits::CREDENTIALS_PER_SECOND {
            assert!(given.ask(scope(1), at));
        }
        assert!(!given.ask(scope(1), at));
        assert!(given.ask(scope(2), at), "another scope has its own");
        assert!(given.ask(scope(1), at.plus_millis(1_000)));
        assert_eq!(given.by_scope.len(), 1, "the second before is forgotten");
    }
}
