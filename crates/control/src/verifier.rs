//! Who signed: the signature of a request, verified against the secret of its access key. The control API's door and the
//! devices' gate ask the same way, each for the services it serves.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use gatehouse_domain::policy::{CredentialDevice, PolicyDocument};
use gatehouse_domain::scope::{Region, Scope};
use gatehouse_domain::time::{Clock, Timestamp};
use gatehouse_pki::seal::Sealer;
use gatehouse_store::{AccessKeyRecord, Store};
use http::{Method, request};

use crate::access_key::open_secret;
use crate::sigv4::{Authorization, SigV4Error, SignedRequest, SigningKey, SigningKeyCache, verify};

/// Signing keys kept derived.
const SIGNING_KEYS: usize = 10_000;
/// A claim older than this was made before a slow body arrived, and is looked at again.
const CLAIM_FRESH_MS: i64 = 1_000;

/// Where a request may carry its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carriers {
    /// The `Authorization` header.
    Header,
    /// The header, or the query (a presigned URL).
    HeaderOrQuery,
}

/// Verifies signatures for one door.
pub struct Verifier {
    store: Store,
    sealer: Sealer,
    clock: Arc<dyn Clock>,
    regions: Vec<Region>,
    services: &'static [&'static str],
    carriers: Carriers,
    signing_keys: SigningKeyCache,
}

/// Who a request claims to come from: an access key that exists, for a Region that is served, at the right time.
/// Nothing is proven yet.
pub struct Claim {
    authorization: Authorization,
    record: AccessKeyRecord,
    now: Timestamp,
}

/// A caller whose signature was verified. Only [`Verifier::verify`] makes one.
#[derive(Clone)]
pub struct VerifiedCaller {
    scope: Scope,
    access_key_id: String,
    policy: Option<Arc<PolicyDocument>>,
    expires_at: Option<Timestamp>,
    device: Option<CredentialDevice>,
}

/// Why nobody is known to have signed.
#[derive(Debug, thiserror::Error)]
pub enum Unverified {
    /// The signature, or the lack of one.
    #[error(transparent)]
    Signature(#[from] SigV4Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] gatehouse_store::Error),
    /// What is stored of the key cannot be used.
    #[error("{0}")]
    Internal(String),
}

impl Verifier {
    /// A verifier for the `services` that clients may sign for, in `regions`.
    #[must_use]
    pub fn new(
        store: Store,
        sealer: Sealer,
        clock: Arc<dyn Clock>,
        regions: Vec<Region>,
        services: &'static [&'static str],
        carriers: Carriers,
    ) -> Self {
        let signing_keys = SigningKeyCache::new(SIGNING_KEYS);
        Self { store, sealer, clock, regions, services, carriers, signing_keys }
    }

    /// Reads the claim in a request's head: what can be refused before its body is read is refused here.
    ///
    /// # Errors
    /// [`Unverified`].
    pub async fn claim(&self, head: &request::Parts) -> Result<Claim, Unverified> {
        let query = match self.carriers {
            Carriers::Header => None,
            Carriers::HeaderOrQuery => head.uri.query(),
        };
        let authorization = Authorization::find(&head.headers, query, self.services)?;
        let now = self.clock.now();
        authorization.check_date(now)?;
        if !self.regions.contains(&authorization.region()) {
            return Err(SigV4Error::WrongRegion.into());
        }
        let record = self.access_key(&authorization, now).await?;
        Ok(Claim { authorization, record, now })
    }

    /// The access key, as it is now.
    async fn access_key(&self, authorization: &Authorization, now: Timestamp) -> Result<AccessKeyRecord, Unverified> {
        let record = self.store.access_key(authorization.access_key_id()).await?;
        Ok(record.filter(|record| is_good(record, now)).ok_or(SigV4Error::UnrecognizedClient)?)
    }

    /// Verifies the claim against the whole request. A key that was deleted or expired while the body arrived is
    /// refused.
    ///
    /// # Errors
    /// [`Unverified`].
    pub async fn verify(&self, claim: Claim, head: &request::Parts, body: &[u8]) -> Result<VerifiedCaller, Unverified> {
        let Claim { authorization, mut record, now } = claim;
        let later = self.clock.now();
        if later.millis_since(now) > CLAIM_FRESH_MS {
            record = self.access_key(&authorization, later).await?;
        }
        let kept = self.signing_keys.get(&record.access_key_id, authorization.scope());
        let key = match &kept {
            Some(key) => key.clone(),
            None => SigningKey::derive(&self.secret(&record)?, authorization.scope()),
        };
        let method: &Method = &head.method;
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let body_sha256 = sha256(body);
        let request = SignedRequest { method, target, headers: &head.headers, body_sha256: &body_sha256 };
        verify(&authorization, &request, &key, now)?;
        authorization.check_session_token(record.session_token_sha256.as_ref())?;
        if kept.is_none() {
            self.signing_keys.insert(&record.access_key_id, authorization.scope(), key);
        }
        Ok(VerifiedCaller {
            scope: Scope::new(record.account, authorization.region()),
            policy: policy(&record)?,
            expires_at: record.expires_at,
            device: record.device,
            access_key_id: record.access_key_id,
        })
    }

    fn secret(&self, record: &AccessKeyRecord) -> Result<zeroize::Zeroizing<Vec<u8>>, Unverified> {
        open_secret(&self.sealer, record).map_err(|error| Unverified::Internal(error.to_string()))
    }
}

impl VerifiedCaller {
    /// The account of the key, in the Region that was signed for.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// The access key that signed.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// What the key may do; without a policy, everything in its account.
    #[must_use]
    pub const fn policy(&self) -> Option<&Arc<PolicyDocument>> {
        self.policy.as_ref()
    }

    /// The device that the key was given to.
    #[must_use]
    pub const fn device(&self) -> Option<&CredentialDevice> {
        self.device.as_ref()
    }

    /// When the key stops to be accepted.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }
}

/// Whether a key is accepted at `now`.
#[must_use]
pub fn is_good(record: &AccessKeyRecord, now: Timestamp) -> bool {
    record.expires_at.is_none_or(|expires_at| now < expires_at)
}

/// What the key of `record` may do; without a policy, everything in its account.
///
/// # Errors
/// A policy that cannot be read allows nothing.
pub fn policy(record: &AccessKeyRecord) -> Result<Option<Arc<PolicyDocument>>, Unverified> {
    let Some(text) = &record.policy else { return Ok(None) };
    let policy = PolicyDocument::parse(text).map_err(|error| {
        let AccessKeyRecord { access_key_id, account, .. } = record;
        Unverified::Internal(format!("the policy of access key {access_key_id} of {account} cannot be read: {error}"))
    })?;
    Ok(Some(Arc::new(policy)))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}
