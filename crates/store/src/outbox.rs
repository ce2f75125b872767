//! The change log: every announced event is a row, written in the same commit as the change.
//!
//! Epochs grow, but on an engine with concurrent transactions a row with a lower epoch can become visible after one with
//! a higher: read the log with a [`ChangeFollower`](crate::ChangeFollower), which looks back.

use gatehouse_domain::event::Event;
use gatehouse_domain::scope::{AccountId, Region};
use gatehouse_domain::time::Timestamp;

use crate::engine::{Row, Value, params};
use crate::{Batch, Error, OVERLAP_MS, Store};

/// How long entries of the change log are kept, in milliseconds: a day.
pub const LOG_RETENTION_MS: i64 = 24 * 60 * 60 * 1000;

/// Entries removed in one commit, so that pruning never holds up others for long.
const PRUNED_AT_ONCE: i64 = 2_000;

/// An entry of the change log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Its place in the log; at least 1.
    pub epoch: i64,
    /// The time of the commit, by the clock of the node that made it.
    pub at: Timestamp,
    /// What changed.
    pub event: Event,
}

/// The account and Region of an event, as columns for whoever searches the log.
const fn place(event: &Event) -> (AccountId, Option<Region>) {
    match event {
        Event::Certificate { scope, .. }
        | Event::CertificatePolicies { scope, .. }
        | Event::CertificateThings { scope, .. }
        | Event::Policy { scope, .. }
        | Event::Thing { scope, .. }
        | Event::ThingGroup { scope, .. }
        | Event::DomainConfiguration { scope, .. }
        | Event::ProvisioningTemplate { scope, .. }
        | Event::Outbox { scope } => (scope.account, Some(scope.region)),
        Event::AccessKeys { account } => (*account, None),
    }
}

/// The values of a log row, without its epoch.
pub(crate) fn row(event: &Event, at: Timestamp) -> Result<Vec<Value>, Error> {
    let body = serde_json::to_string(event).map_err(|why| Error::Refused(why.to_string()))?;
    let (account, region) = place(event);
    Ok(params![at, account, region, event.name(), body].into())
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT epoch, at, body FROM change_log ", $rest)
    };
}

const BEHIND: &str = select!("WHERE epoch > $1 ORDER BY epoch LIMIT $2");

/// An entry as it was found. While nodes are replaced one by one, a newer release may have written it.
pub(crate) struct Entry {
    pub(crate) epoch: i64,
    pub(crate) at: Timestamp,
    /// What changed; `None` when this release cannot read it.
    pub(crate) event: Option<Event>,
}

impl Entry {
    fn read(row: Row) -> Result<Self, Error> {
        let mut columns = row.of("change_log");
        let (epoch, at) = (columns.int("epoch")?, columns.time("at")?);
        let event = columns.text("body").ok().and_then(|body| serde_json::from_str(&body).ok());
        Ok(Self { epoch, at, event })
    }

    /// The entry, if this release can read what changed.
    pub(crate) fn known(self) -> Option<LoggedEvent> {
        let Self { epoch, at, event } = self;
        event.map(|event| LoggedEvent { epoch, at, event })
    }
}

fn read(row: Row) -> Result<LoggedEvent, Error> {
    Entry::read(row)?.known().ok_or(Error::Corrupt { table: "change_log", column: "body" })
}

impl Store {
    /// The entries behind `epoch` that are visible now, at most `limit`, in order.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn events_after(&self, epoch: i64, limit: u32) -> Result<Vec<LoggedEvent>, Error> {
        self.list(BEHIND, &params![epoch, limit], read).await
    }

    /// The entries behind `epoch` that are visible now, at most `limit`, in order, whoever wrote them.
    pub(crate) async fn entries_after(&self, epoch: i64, limit: u32) -> Result<Vec<Entry>, Error> {
        self.list(BEHIND, &params![epoch, limit], Entry::read).await
    }

    /// The highest epoch visible now; 0 when the log is empty.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn last_epoch(&self) -> Result<i64, Error> {
        let row = self.row("SELECT epoch FROM change_log ORDER BY epoch DESC LIMIT 1", &[]).await?;
        row.map_or(Ok(0), |row| row.of("change_log").int("epoch"))
    }

    pub(crate) async fn entry(&self, epoch: i64) -> Result<Option<Entry>, Error> {
        self.row(select!("WHERE epoch = $1"), &params![epoch]).await?.map(Entry::read).transpose()
    }

    /// The epochs and times of entries written at `since` or later, in order of time.
    pub(crate) async fn epochs_since(&self, since: Timestamp, limit: u32) -> Result<Vec<(i64, Timestamp)>, Error> {
        let sql = "SELECT epoch, at FROM change_log WHERE at >= $1 ORDER BY at DESC, epoch DESC LIMIT $2";
        self.list(sql, &params![since, limit], |row| {
            let mut columns = row.of("change_log");
            Ok((columns.int("epoch")?, columns.time("at")?))
        })
        .await
    }

    /// Removes entries older than `before`, which should lie [`LOG_RETENTION_MS`] back. The newest entries are kept
    /// however old they are: readers look back over them.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database cannot be written; what was removed until then is gone.
    pub async fn prune_log(&self, before: Timestamp) -> Result<(), Error> {
        let newest = self.row("SELECT at FROM change_log ORDER BY epoch DESC LIMIT 1", &[]).await?;
        let Some(newest) = newest else { return Ok(()) };
        let before = before.min(newest.of("change_log").time("at")?.plus_millis(-OVERLAP_MS));
        let probe = "SELECT epoch FROM change_log WHERE at < $1 LIMIT 1";
        while self.row(probe, &params![before]).await?.is_some() {
            let mut batch = Batch::new();
            batch.write_any(
                "DELETE FROM change_log WHERE epoch IN (SELECT epoch FROM change_log WHERE at < $1 ORDER BY at LIMIT $2)",
                params![before, PRUNED_AT_ONCE],
            );
            self.commit(batch, before).await?;
        }
        Ok(())
    }
}
