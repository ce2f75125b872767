//! The last refusals of each certificate, so that somebody can be told why a device stays outside.
//!
//! Bounded per certificate and in total; whoever writes new ones removes the oldest in the same commit. They are hints, not
//! records: a refusal that could not be written is lost.

use std::collections::{BTreeMap, BTreeSet};

use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::limits;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;

use crate::engine::{Row, params, storable};
use crate::{Batch, Error, Store};

/// Characters of a text that are kept: what strangers send must not fill the disk.
const CHARACTERS_KEPT: usize = 300;

/// A certificate that was turned away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalRecord {
    /// The certificate, registered or not.
    pub certificate_id: CertificateId,
    /// When.
    pub at: Timestamp,
    /// Why: the refusal's label.
    pub reason: String,
    /// What there is to say beyond the reason.
    pub details: Option<String>,
    /// The scope that it wanted to enter, as far as that was known.
    pub scope: Option<Scope>,
    /// The client id, as far as it got.
    pub client_id: Option<String>,
    /// The peer's address.
    pub source_ip: String,
    /// The peer's port.
    pub source_port: u16,
    /// The host name in the ClientHello.
    pub sni: Option<String>,
}

fn read(row: Row) -> Result<RefusalRecord, Error> {
    let mut columns = row.of("refusals");
    Ok(RefusalRecord {
        certificate_id: columns.certificate_id("certificate_id")?,
        at: columns.time("at")?,
        reason: columns.text("reason")?,
        details: columns.optional_text("details")?,
        scope: match (columns.optional_parsed("account")?, columns.optional_parsed("region")?) {
            (Some(account), Some(region)) => Some(Scope::new(account, region)),
            _ => None,
        },
        client_id: columns.optional_text("client_id")?,
        source_ip: columns.text("source_ip")?,
        source_port: columns.port("source_port")?,
        sni: columns.optional_text("sni")?,
    })
}

impl Store {
    /// The refusals of a certificate that are kept, newest first.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn refusals(&self, certificate_id: CertificateId, limit: u32) -> Result<Vec<RefusalRecord>, Error> {
        let sql = "SELECT certificate_id, at, reason, details, account, region, client_id, source_ip, source_port, \
                   sni FROM refusals WHERE certificate_id = $1 ORDER BY at DESC, refusal DESC LIMIT $2";
        self.list(sql, &params![certificate_id, limit], read).await
    }

    /// Writes refusals down, in one commit, and removes what is too much: of each certificate in `refusals` all but the
    /// newest [`limits::REFUSALS_PER_CERTIFICATE`], and of all refusals all but the newest [`limits::REFUSALS`].
    ///
    /// # Errors
    /// [`Error::Unavailable`]; [`Error::Conflict`] when several nodes got into each other's way too often.
    pub async fn record_refusals(&self, refusals: Vec<RefusalRecord>) -> Result<(), Error> {
        let refusals = newest_of_each(refusals);
        let Some(newest) = refusals.iter().map(|refusal| refusal.at).max() else { return Ok(()) };
        let mut attempts = limits::COMMIT_ATTEMPTS;
        loop {
            let mut batch = Batch::new();
            refusals.iter().for_each(|refusal| batch.insert_refusal(refusal));
            let certificates: BTreeSet<_> = refusals.iter().map(|refusal| refusal.certificate_id).collect();
            certificates.into_iter().for_each(|id| batch.prune_refusals_of(id));
            batch.prune_refusals();
            attempts -= 1;
            match self.commit(batch, newest).await {
                // Two nodes that prune at once may lock each other out.
                Err(Error::Conflict) if attempts > 0 => {}
                outcome => return outcome,
            }
        }
    }
}

/// Leaves out what would be removed in the same commit.
fn newest_of_each(mut refusals: Vec<RefusalRecord>) -> Vec<RefusalRecord> {
    let mut kept: BTreeMap<CertificateId, u32> = BTreeMap::new();
    refusals.sort_by_key(|refusal| refusal.at);
    refusals.reverse();
    refusals.retain(|refusal| {
        let count = kept.entry(refusal.certificate_id).or_default();
        *count += 1;
        *count <= limits::REFUSALS_PER_CERTIFICATE
    });
    refusals.reverse();
    refusals
}

/// A text from outside in a form that every engine stores, and not too long.
fn kept(text: &str) -> String {
    storable(text).chars().take(CHARACTERS_KEPT).collect()
}

impl Batch {
    fn insert_refusal(&mut self, refusal: &RefusalRecord) {
        self.write(
            1,
            "INSERT INTO refusals (certificate_id, at, reason, account, region, client_id, source_ip, source_port, sni, \
             details) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            params![
                refusal.certificate_id,
                refusal.at,
                kept(&refusal.reason),
                refusal.scope.map(|scope| scope.account),
                refusal.scope.map(|scope| scope.region),
                refusal.client_id.as_deref().map(kept),
                kept(&refusal.source_ip),
                refusal.source_port,
                refusal.sni.as_deref().map(kept),
                refusal.details.as_deref().map(kept),
            ],
        );
    }

    fn prune_refusals_of(&mut self, certificate_id: CertificateId) {
        self.write_any(
            "DELETE FROM refusals WHERE certificate_id = $1 AND (at, refusal) <= (SELECT at, refusal FROM refusals \
             WHERE certificate_id = $1 ORDER BY at DESC, refusal DESC LIMIT 1 OFFSET $2)",
            params![certificate_id, limits::REFUSALS_PER_CERTIFICATE],
        );
    }

    fn prune_refusals(&mut self) {
        self.write_any(
            "DELETE FROM refusals WHERE (at, refusal) <= (SELECT at, refusal FROM refusals \
             ORDER BY at DESC, refusal DESC LIMIT 1 OFFSET $1)",
            params![limits::REFUSALS],
        );
    }
}
