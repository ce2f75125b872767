//! Fills a registry: straight into the store of a data folder on which no server runs, many certificates a commit.

use std::path::{Path, PathBuf};

use gatehouse_domain::admission::Registration;
use gatehouse_domain::certificate::{CertificateId, CertificateMode, CertificateStatus};
use gatehouse_domain::name::PolicyName;
use gatehouse_domain::scope::{AccountId, Scope};
use gatehouse_domain::time::Timestamp;
use gatehouse_store::{Batch, CertificateRecord, Page, PolicyRecord, Store, StoreSettings};
use tempfile::TempDir;

use crate::authority::Authority;
use crate::fleet::{self, Identity};
use crate::options::Options;
use crate::{Outcome, children};

/// Certificates written in one commit.
const CERTIFICATES_AT_ONCE: u64 = 2_000;
/// CA certificates written in one commit.
const AUTHORITIES_AT_ONCE: usize = 100;
/// Certificates read at once.
const PAGE: u32 = 5_000;
/// Says that the registry in a kept folder is complete.
const COMPLETE: &str = "bench-complete";
/// Says that its CA certificates are, too.
const AUTHORITIES_COMPLETE: &str = "bench-authorities-complete";
/// What every device of the fleet may do.
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[
{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:*:*:client/${iot:ClientId}"},
{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"arn:aws:iot:*:*:topic/fleet/*"},
{"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:*:*:topicfilter/fleet/*"}]}"#;

/// A data folder with a filled registry.
pub(crate) struct Data {
    pub(crate) path: PathBuf,
    store: String,
    _temporary: Option<TempDir>,
}

impl Data {
    /// A folder with `registered` certificates and `authorities` CA certificates, made now or kept from before.
    pub(crate) async fn prepare(binary: &Path, options: &Options, registered: u64, authorities: u32) -> Outcome<Self> {
        let (path, temporary) = match &options.keep {
            Some(keep) if authorities == 0 => (keep.join(format!("registered-{registered}")), None),
            Some(keep) => (keep.join(format!("registered-{registered}-authorities-{authorities}")), None),
            None => {
                let temporary = tempfile::Builder::new().prefix("gatehouse-bench-").tempdir()?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let data = Self { path, store: options.store.clone(), _temporary: temporary };
        if !data.path.join(COMPLETE).exists() {
            eprintln!("filling a registry with {registered} certificates …");
            // A command that opens the house makes the first account, its key and the authority.
            children::run(binary, &data.path, &data.store, &["account", "list"]).await?;
            data.fill(registered).await?;
            std::fs::write(data.path.join(COMPLETE), b"")?;
        }
        if authorities > 0 && !data.path.join(AUTHORITIES_COMPLETE).exists() {
            let made = (0..authorities).map(|_| Authority::make()).collect::<Outcome<Vec<_>>>()?;
            data.register_authorities(&made).await?;
            std::fs::write(data.path.join(AUTHORITIES_COMPLETE), b"")?;
        }
        Ok(data)
    }

    /// Registers the devices of `fleet`, each with the policy.
    pub(crate) async fn register(&self, fleet: &[Identity]) -> Outcome {
        let now = fleet::now();
        let store = self.open().await?;
        for chunk in fleet.chunks(500) {
            let mut batch = Batch::new();
            for identity in chunk {
                let certificate = &identity.certificate;
                let validity = (certificate.not_before(), certificate.not_after());
                add(&mut batch, certificate.id(), validity, &certificate.to_pem(), now)?;
            }
            store.commit(batch, now).await?;
        }
        Ok(store.close().await?)
    }

    /// Registers `authorities`.
    pub(crate) async fn register_authorities(&self, authorities: &[Authority]) -> Outcome {
        let now = fleet::now();
        let store = self.open().await?;
        for chunk in authorities.chunks(AUTHORITIES_AT_ONCE) {
            let mut batch = Batch::new();
            for authority in chunk {
                batch.insert_ca_certificate(&authority.record(scope()?, now), &authority.pem());
            }
            store.commit(batch, now).await?;
        }
        Ok(store.close().await?)
    }

    /// How many certificates that `authority` signed are registered; no server may run.
    pub(crate) async fn signed_by(&self, authority: &Authority) -> Outcome<usize> {
        let store = self.open().await?;
        let (mut found, mut after) = (0, None);
        loop {
            let page = Page { after, ascending: true, limit: PAGE };
            let certificates = store.certificates_by_ca(scope()?, authority.certificate.id(), page).await?;
            found += certificates.len();
            let Some(last) = certificates.last() else { break };
            after = Some((last.created_at, last.certificate_id));
        }
        store.close().await?;
        Ok(found)
    }

    async fn fill(&self, registered: u64) -> Outcome {
        let store = self.open().await?;
        let now = fleet::now();
        add_policy(&store, now).await?;
        let pem = fleet::self_signed()?.0.pem();
        let validity = (now.plus_millis(-1_000), now.plus_millis(1_000_000_000_000));
        let mut next = 0;
        while next < registered {
            let mut batch = Batch::new();
            let end = registered.min(next + CERTIFICATES_AT_ONCE);
            for number in next..end {
                add(&mut batch, spread(number, registered), validity, &pem, now)?;
            }
            store.commit(batch, now).await?;
            next = end;
        }
        Ok(store.close().await?)
    }

    async fn open(&self) -> Outcome<Store> {
        let settings = match self.store.as_str() {
            "sqlite" => StoreSettings::sqlite(&self.path),
            url => StoreSettings::postgres(url),
        };
        Ok(Store::open(&settings).await?)
    }
}

fn scope() -> Outcome<Scope> {
    Ok(Scope::new(AccountId::FIRST, "us-east-1".parse()?))
}

fn policy_name() -> Outcome<PolicyName> {
    Ok("fleet".parse()?)
}

async fn add_policy(store: &Store, now: Timestamp) -> Outcome {
    let record = PolicyRecord::new(scope()?, policy_name()?, "bench".to_owned(), now);
    let mut batch = Batch::new();
    batch.insert_policy(&record, POLICY);
    Ok(store.commit(batch, now).await?)
}

/// Ids in growing order over the whole range: the quickest to write, and the fleet's own fall between them.
fn spread(number: u64, of: u64) -> CertificateId {
    let mut bytes = [0x5a; 32];
    let place = (u64::MAX / of.max(1)).saturating_mul(number);
    for (byte, value) in bytes.iter_mut().zip(place.to_be_bytes()) {
        *byte = value;
    }
    CertificateId::from_bytes(bytes)
}

fn add(
    batch: &mut Batch,
    certificate_id: CertificateId,
    (not_before, not_after): (Timestamp, Timestamp),
    pem: &str,
    now: Timestamp,
) -> Outcome {
    let registration =
        Registration { status: CertificateStatus::Active, mode: CertificateMode::Default, not_before, not_after };
    let generation_id = "8d3f6f0e-3a3c-4a65-9f3e-6a0a4a0b7c11".to_owned();
    let record = CertificateRecord::new(scope()?, certificate_id, registration, generation_id, now);
    batch.insert_certificate(&record, pem);
    batch.attach_policy(record.scope, &policy_name()?, certificate_id, now);
    Ok(())
}
