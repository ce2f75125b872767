//! Who calls: the signature of a request, verified against the secret of its access key.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use gatehouse_domain::policy::PolicyDocument;
use gatehouse_domain::scope::{AccountId, Scope};
use gatehouse_domain::time::Timestamp;
use gatehouse_store::AccessKeyRecord;
use http::HeaderMap;

use super::{Arrived, Door};
use crate::access_key::open_secret;
use crate::call::Caller;
use crate::error::{Code, Error};
use crate::sigv4::{Authorization, SigV4Error, SignedRequest, SigningKey, verify};

/// Names under which clients sign for the control API; `execute-api` is what old documentation says.
const SERVICES: [&str; 2] = ["iot", "execute-api"];

/// A claim older than this was made before a slow body arrived, and is looked at again.
const CLAIM_FRESH_MS: i64 = 1_000;

/// Who a request claims to come from: an access key that exists, for a Region that is served, at the right time.
/// Nothing is proven yet.
pub(super) struct Claim {
    authorization: Authorization,
    record: AccessKeyRecord,
    now: Timestamp,
}

/// A caller whose signature was verified.
pub(super) struct Authenticated {
    pub(super) scope: Scope,
    pub(super) caller: Caller,
}

impl Door {
    /// Reads the claim in a request's head: what can be refused before its body is read is refused here.
    pub(super) async fn claim(&self, headers: &HeaderMap) -> Result<Claim, Error> {
        let authorization = Authorization::parse(headers, &SERVICES).map_err(refused)?;
        let now = self.house.clock.now();
        authorization.check_date(now).map_err(refused)?;
        if !self.house.regions.contains(&authorization.region()) {
            return Err(refused(SigV4Error::WrongRegion));
        }
        let record = self.access_key(&authorization, now).await?;
        Ok(Claim { authorization, record, now })
    }

    /// The access key, as it is now.
    async fn access_key(&self, authorization: &Authorization, now: Timestamp) -> Result<AccessKeyRecord, Error> {
        let record = self.house.store.access_key(authorization.access_key_id()).await?;
        let is_good = |record: &AccessKeyRecord| record.expires_at.is_none_or(|expires_at| now < expires_at);
        record.filter(is_good).ok_or_else(|| refused(SigV4Error::UnrecognizedClient))
    }

    /// Verifies the claim against the whole request. A key that was deleted or expired while the body arrived is
    /// refused.
    pub(super) async fn authenticate(&self, claim: Claim, arrived: &Arrived) -> Result<Authenticated, Error> {
        let Claim { authorization, mut record, now } = claim;
        let later = self.house.clock.now();
        if later.millis_since(now) > CLAIM_FRESH_MS {
            record = self.access_key(&authorization, later).await?;
        }
        let kept = self.signing_keys.get(&record.access_key_id, authorization.scope());
        let key = match &kept {
            Some(key) => key.clone(),
            None => SigningKey::derive(&open_secret(&self.house.sealer, &record)?, authorization.scope()),
        };
        let body_sha256 = sha256(&arrived.body);
        let target = arrived.parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let headers = &arrived.parts.headers;
        let request = SignedRequest { method: &arrived.parts.method, target, headers, body_sha256: &body_sha256 };
        verify(&authorization, &request, &key, now).map_err(refused)?;
        authorization.check_session_token(record.session_token_sha256.as_ref()).map_err(refused)?;
        if kept.is_none() {
            self.signing_keys.insert(&record.access_key_id, authorization.scope(), key);
        }

        let caller = Caller {
            policy: caller_policy(record.account, &record)?,
            access_key_id: record.access_key_id,
            device: record.device,
            source_ip: arrived.peer.ip,
            is_secure: arrived.peer.is_secure,
        };
        Ok(Authenticated { scope: Scope::new(record.account, authorization.region()), caller })
    }
}

fn caller_policy(account: AccountId, record: &AccessKeyRecord) -> Result<Option<Arc<PolicyDocument>>, Error> {
    let Some(text) = &record.policy else { return Ok(None) };
    // A policy that cannot be read allows nothing.
    let policy = PolicyDocument::parse(text).map_err(|error| {
        Error::Internal(format!(
            "the policy of access key {} of {account} cannot be read: {error}",
            record.access_key_id
        ))
    })?;
    Ok(Some(Arc::new(policy)))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

fn refused(error: SigV4Error) -> Error {
    let code = match error.aws_name() {
        "MissingAuthenticationTokenException" => Code::MissingAuthenticationTokenException,
        "IncompleteSignatureException" => Code::IncompleteSignatureException,
        "UnrecognizedClientException" => Code::UnrecognizedClientException,
        _ => Code::InvalidSignatureException,
    };
    Error::refused(code, error.to_string())
}
