//! The gateway's view of the registry: reads that must be fresh go to the store; parsed policies are kept until the
//! change log says that they changed.
//!
//! Invariant: nothing read before a change is kept after it. A reader notes the change count before it reads and keeps
//! its result only if the count still stands.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatehouse_domain::certificate::{CertificateId, CertificateMode};
use gatehouse_domain::endpoint::EndpointPrefix;
use gatehouse_domain::event::Event;
use gatehouse_domain::name::{PolicyName, ThingName};
use gatehouse_domain::policy::PolicyDocument;
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::scope::Scope;
use gatehouse_store::{AdmissionRecord, Store, ThingRecord};
use parking_lot::RwLock;
use quick_cache::sync::Cache;

/// Parsed policies kept.
const POLICIES: usize = 20_000;

/// The registry as the gateway reads it.
pub(crate) struct Registry {
    store: Store,
    policies: Cache<(Scope, PolicyName), Arc<PolicyDocument>>,
    policy_changes: AtomicU64,
    scopes: RwLock<HashMap<Scope, Arc<ScopeChanges>>>,
}

/// How often what concerns many connections of a scope has changed. A connection that was authorised under another
/// count looks again at its next operation.
#[derive(Debug, Default)]
pub(crate) struct ScopeChanges {
    policies: AtomicU64,
    things: AtomicU64,
}

impl ScopeChanges {
    /// The counts as they stand.
    pub(crate) fn now(&self) -> (u64, u64) {
        (self.policies.load(Ordering::Acquire), self.things.load(Ordering::Acquire))
    }
}

impl Registry {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            policies: Cache::new(POLICIES),
            policy_changes: AtomicU64::new(0),
            scopes: RwLock::new(HashMap::new()),
        }
    }

    /// The certificate's record in `scope`, with what is attached to it, as committed now.
    pub(crate) async fn admission(&self, scope: Scope, id: CertificateId) -> Result<Option<AdmissionRecord>, Refusal> {
        self.store.admission(scope, id).await.map_err(|error| unavailable(&error))
    }

    /// Where the certificate is registered.
    pub(crate) async fn scopes_of(&self, id: CertificateId) -> Result<Vec<(Scope, CertificateMode)>, Refusal> {
        self.store.certificate_scopes(id).await.map_err(|error| unavailable(&error))
    }

    /// Whose endpoints bear `prefix`.
    pub(crate) async fn scope_of_prefix(&self, prefix: &EndpointPrefix) -> Result<Option<Scope>, Refusal> {
        self.store.scope_of_prefix(prefix).await.map_err(|error| unavailable(&error))
    }

    /// A thing as committed now.
    pub(crate) async fn thing(&self, scope: Scope, name: &ThingName) -> Result<Option<ThingRecord>, Refusal> {
        self.store.thing(scope, name).await.map_err(|error| unavailable(&error))
    }

    /// The documents in force of the policies `names`. One that was deleted meanwhile is left out: deleting needs it
    /// detached, and detaching makes the connection look again.
    pub(crate) async fn policies(
        &self,
        scope: Scope,
        names: Vec<PolicyName>,
    ) -> Result<Vec<Arc<PolicyDocument>>, Refusal> {
        let mut documents = Vec::with_capacity(names.len());
        for name in names {
            if let Some(document) = self.policy(scope, name).await? {
                documents.push(document);
            }
        }
        Ok(documents)
    }

    async fn policy(&self, scope: Scope, name: PolicyName) -> Result<Option<Arc<PolicyDocument>>, Refusal> {
        let key = (scope, name);
        if let Some(document) = self.policies.get(&key) {
            return Ok(Some(document));
        }
        let before = self.policy_changes.load(Ordering::Acquire);
        let stored = self.store.default_policy_document(scope, &key.1).await.map_err(|error| unavailable(&error))?;
        let Some((_, text)) = stored else { return Ok(None) };
        // A document that cannot be read might have denied something: nobody passes on the strength of the others.
        let document = PolicyDocument::parse(&text).map_err(|error| {
            tracing::error!(%scope, policy = %key.1, %error, "a stored policy cannot be read");
            Refusal::RegistryUnavailable
        })?;
        let document = Arc::new(document);
        self.policies.insert(key.clone(), Arc::clone(&document));
        if self.policy_changes.load(Ordering::Acquire) != before {
            self.policies.remove(&key);
        }
        Ok(Some(document))
    }

    /// The change counts of `scope`, shared by its connections.
    pub(crate) fn changes(&self, scope: Scope) -> Arc<ScopeChanges> {
        if let Some(changes) = self.scopes.read().get(&scope) {
            return Arc::clone(changes);
        }
        Arc::clone(self.scopes.write().entry(scope).or_default())
    }

    /// Forgets what `event` has made old.
    pub(crate) fn forget(&self, event: &Event) {
        match event {
            Event::Policy { scope, policy_name } => {
                self.policy_changes.fetch_add(1, Ordering::AcqRel);
                self.policies.remove(&(*scope, policy_name.clone()));
                self.changes(*scope).policies.fetch_add(1, Ordering::AcqRel);
            }
            Event::Thing { scope, .. } => {
                self.changes(*scope).things.fetch_add(1, Ordering::AcqRel);
            }
            Event::Certificate { .. }
            | Event::CertificatePolicies { .. }
            | Event::CertificateThings { .. }
            | Event::AccessKeys { .. } => {}
        }
    }

    /// Forgets everything: the change log was not followed for too long to know what is old.
    pub(crate) fn forget_all(&self) {
        self.policy_changes.fetch_add(1, Ordering::AcqRel);
        self.policies.clear();
        for changes in self.scopes.read().values() {
            changes.policies.fetch_add(1, Ordering::AcqRel);
        }
    }
}

fn unavailable(error: &gatehouse_store::Error) -> Refusal {
    tracing::error!(%error, "the registry cannot be read");
    Refusal::RegistryUnavailable
}
