//! One control call: who calls, in which scope, at what time, and what the house lends it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gatehouse_domain::certificate::CertificateStatus;
use gatehouse_domain::policy::{CredentialDevice, PolicyDocument};
use gatehouse_domain::scope::{Region, Scope};
use gatehouse_domain::time::{Clock, Timestamp};
use gatehouse_pki::authority::Authority;
use gatehouse_pki::key_pair::KeyPair;
use gatehouse_pki::seal::Sealer;
use gatehouse_pki::server_bundles::ServerBundles;
use gatehouse_store::{Batch, Store};

use crate::bulk::Bulk;
use crate::certificates::NewCertificate;
use crate::certificates::issue::{Issuing, SignedClaim};
use crate::credentials::roles::Roles;
use crate::error::Error;
use crate::functions::Functions;
use crate::key_pairs::KeyPairs;
use crate::page::{MarkerKey, Pager};
use crate::random::{hex, random};
use crate::registry_events::Told;

/// What operations work with.
pub struct House {
    /// Everything stored.
    pub store: Store,
    /// The certificate authority.
    pub authority: Authority,
    /// Key pairs for callers.
    pub key_pairs: KeyPairs,
    /// Opens what the store holds sealed.
    pub sealer: Sealer,
    /// Seals markers.
    pub markers: MarkerKey,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// What is shown under domains of the customers'.
    pub server_certificates: Arc<ServerBundles>,
    /// What accounts have called at certain points.
    pub functions: Arc<Functions>,
    /// The roles that the configuration knows.
    pub roles: Roles,
    /// Bulk registration.
    pub bulk: Bulk,
    /// The domain that device endpoints live under.
    pub domain: String,
    /// The Regions served.
    pub regions: Vec<Region>,
}

impl House {
    /// Commits what was decided. The change log gets the time of the commit, not of the beginning: whoever waited long must
    /// not write into a past that others have read already.
    ///
    /// # Errors
    /// When the store fails; a lost race is [`gatehouse_store::Error::Conflict`], upon which the decision is made anew.
    pub async fn commit(&self, batch: Batch) -> Result<(), Error> {
        Ok(self.store.commit(batch, self.clock.now()).await?)
    }
}

/// Who calls.
pub struct Caller {
    /// The access key that signed.
    pub access_key_id: String,
    /// What the key may do; without a policy, everything in its account.
    pub policy: Option<Arc<PolicyDocument>>,
    /// The device that the key was given to.
    pub device: Option<CredentialDevice>,
    /// Where the call came from.
    pub source_ip: IpAddr,
    /// Whether it came in through TLS.
    pub is_secure: bool,
    /// How the caller named the API: host, and port if it gave one.
    pub host: Option<String>,
}

/// One call of one operation.
pub struct Call {
    /// The tenant the call works in: nothing outside it can be seen or touched.
    pub scope: Scope,
    /// Who calls.
    pub caller: Caller,
    /// When the call began.
    pub now: Timestamp,
    pub(crate) operation: &'static str,
    pub(crate) house: Arc<House>,
    /// Something was written: the call belongs into the audit trail, whatever its name.
    pub(crate) has_committed: AtomicBool,
}

impl Call {
    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.house.store
    }

    /// Pages of this operation in this scope.
    #[must_use]
    pub fn pager(&self) -> Pager<'_> {
        Pager { key: &self.house.markers, operation: self.operation, scope: self.scope }
    }

    /// Commits what the operation decided.
    ///
    /// # Errors
    /// A lost race makes the door run the operation again.
    pub async fn commit(&self, batch: Batch) -> Result<(), Error> {
        self.house.commit(batch).await?;
        self.has_committed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Something commits that does not go through [`Self::commit`], or before it is known how the call ends.
    pub(crate) fn will_commit(&self) {
        self.has_committed.store(true, Ordering::Relaxed);
    }

    /// Whoever is told what this call changes in the registry. Asked by the change itself, each time that it is decided.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn told(&self) -> Result<Told, Error> {
        Told::load(&self.house.store, self.scope, self.now).await
    }

    /// Gets new certificates for the call's scope, which are to have `status`.
    #[must_use]
    pub fn issuing(&self, status: CertificateStatus) -> Issuing<'_> {
        self.will_commit();
        Issuing { house: &self.house, scope: self.scope, now: self.now, status }
    }

    /// The certificate of a provisioning claim for `pair`.
    ///
    /// # Errors
    /// When the store or the authority fails.
    pub(crate) async fn claim(&self, pair: &KeyPair) -> Result<SignedClaim, Error> {
        self.issuing(CertificateStatus::Active).claim(pair).await
    }

    /// Registers a new certificate with nothing else.
    ///
    /// # Errors
    /// A lost race makes the door run the operation again.
    pub async fn register(&self, certificate: &NewCertificate) -> Result<(), Error> {
        let mut batch = Batch::new();
        certificate.register(&mut batch);
        self.commit(batch).await
    }

    /// A key pair made ahead, or made now when none is left.
    ///
    /// # Errors
    /// `ThrottlingException` when too many wait for one; when no key can be made.
    pub async fn new_key_pair(&self) -> Result<KeyPair, Error> {
        self.house.key_pairs.take(self.scope).await
    }

    /// A fresh UUID (version 4) in its usual text form.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn uuid(&self) -> Result<String, Error> {
        crate::random::uuid()
    }

    /// A fresh generation id: 64 hex digits, as policies carry them.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn generation_id(&self) -> Result<String, Error> {
        Ok(hex(&random::<32>()?))
    }
}
