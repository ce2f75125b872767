//! Transfers of certificates between accounts of a Region: the last one of each certificate, in a row that has the
//! certificate's key and moves with it.
//!
//! A transfer begins, and ends in one of three ways; each of these writes the certificate's row first, with its version and
//! generation, so that of several that race one wins.

use gatehouse_domain::certificate::{CertificateId, CertificateStatus, Transfer, TransferState};
use gatehouse_domain::scope::{AccountId, Scope};
use gatehouse_domain::time::Timestamp;

use crate::engine::{Columns, Row, Value, params, storable};
use crate::{Batch, CertificateRecord, Error, Page, Store, certificates};

/// The last transfer of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRecord {
    /// Where the certificate is now: with the source until the transfer is accepted, then with the target.
    pub scope: Scope,
    /// The certificate.
    pub certificate_id: CertificateId,
    /// Who offered it.
    pub source: AccountId,
    /// To whom.
    pub target: AccountId,
    /// What the source had to say.
    pub transfer_message: Option<String>,
    /// When it was offered.
    pub transfer_date: Timestamp,
    /// When the target accepted it.
    pub accept_date: Option<Timestamp>,
    /// When the target rejected it.
    pub reject_date: Option<Timestamp>,
    /// Why the target rejected it.
    pub reject_reason: Option<String>,
    /// Whether it is neither accepted nor rejected nor cancelled.
    pub is_pending: bool,
}

impl TransferRecord {
    /// What the rules of transfers look at.
    #[must_use]
    pub const fn rule(&self) -> Transfer {
        let state = match (self.is_pending, self.accept_date, self.reject_date) {
            (true, ..) => TransferState::Pending,
            (false, Some(_), _) => TransferState::Accepted,
            (false, None, Some(_)) => TransferState::Rejected,
            (false, None, None) => TransferState::Cancelled,
        };
        Transfer { source: self.source, target: self.target, state }
    }
}

macro_rules! columns {
    () => {
        "t.account, t.region, t.certificate_id, t.source, t.target, t.transfer_message, t.transfer_date, t.accept_date, \
         t.reject_date, t.reject_reason, t.is_pending"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM transfers t ", $rest)
    };
}

macro_rules! select_with_certificates {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            certificates::columns!(),
            ", ",
            columns!(),
            " FROM transfers t JOIN certificates c ON c.certificate_id = t.certificate_id AND c.account = t.account ",
            "AND c.region = t.region ",
            $rest
        )
    };
}

const TABLE: &str = "transfers";

fn read(row: Row) -> Result<TransferRecord, Error> {
    read_columns(row.of(TABLE))
}

fn read_columns(mut columns: Columns) -> Result<TransferRecord, Error> {
    Ok(TransferRecord {
        scope: Scope::new(columns.parsed("account")?, columns.parsed("region")?),
        certificate_id: columns.certificate_id("certificate_id")?,
        source: columns.parsed("source")?,
        target: columns.parsed("target")?,
        transfer_message: columns.optional_text("transfer_message")?,
        transfer_date: columns.time("transfer_date")?,
        accept_date: columns.optional_time("accept_date")?,
        reject_date: columns.optional_time("reject_date")?,
        reject_reason: columns.optional_text("reject_reason")?,
        is_pending: columns.flag("is_pending")?,
    })
}

fn read_with_certificate(row: Row) -> Result<(CertificateRecord, TransferRecord), Error> {
    let mut columns = row.of(certificates::TABLE);
    let certificate = certificates::read_columns(&mut columns)?;
    Ok((certificate, read_columns(columns.next_table(TABLE))?))
}

impl Store {
    /// The last transfer of the certificate that is in this scope.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn transfer(&self, scope: Scope, id: CertificateId) -> Result<Option<TransferRecord>, Error> {
        let sql = select!("WHERE certificate_id = $1 AND account = $2 AND region = $3");
        self.row(sql, &params![id, scope.account, scope.region]).await?.map(read).transpose()
    }

    /// The newest transfer of the certificate, wherever it is in the Region now, that this account offered or was offered:
    /// tells one that is over from one that never was.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn last_transfer(&self, scope: Scope, id: CertificateId) -> Result<Option<TransferRecord>, Error> {
        let sql = select!(
            "WHERE certificate_id = $1 AND region = $3 AND (source = $2 OR target = $2) \
             ORDER BY transfer_date DESC, account LIMIT 1"
        );
        self.row(sql, &params![id, scope.account, scope.region]).await?.map(read).transpose()
    }

    /// The certificate that is offered to this account now, with its transfer.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn incoming_transfer(
        &self,
        target: Scope,
        id: CertificateId,
    ) -> Result<Option<(CertificateRecord, TransferRecord)>, Error> {
        let sql = select_with_certificates!(
            "WHERE t.certificate_id = $1 AND t.target = $2 AND t.region = $3 AND t.is_pending = 1"
        );
        let row = self.row(sql, &params![id, target.account, target.region]).await?;
        row.map(read_with_certificate).transpose()
    }

    /// The certificates that this account offers to others now, by the time of the offer.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn outgoing_transfers(
        &self,
        scope: Scope,
        page: Page<(Timestamp, CertificateId)>,
    ) -> Result<Vec<(CertificateRecord, TransferRecord)>, Error> {
        let (sql, params) = page.complete(
            select_with_certificates!("WHERE t.account = $1 AND t.region = $2 AND t.is_pending = 1"),
            params![scope.account, scope.region],
            &["t.transfer_date", "t.certificate_id"],
            page.after.map(|(at, id)| params![at, id]),
        );
        self.list(&sql, &params, read_with_certificate).await
    }
}

/// A certificate's id and scope ($1 to $3).
const fn key(record: &CertificateRecord) -> (CertificateId, Scope) {
    (record.certificate_id, record.scope)
}

/// The certificate as it was read: id, scope, version, generation ($1 to $5).
fn as_read(record: &CertificateRecord) -> Vec<Value> {
    let (id, Scope { account, region }) = key(record);
    params![id, account, region, record.customer_version, &record.generation_id].into()
}

impl Batch {
    /// Offers a certificate to the account `target`: it becomes PENDING_TRANSFER. Conflict when it changed, when a policy or
    /// a thing is attached, or when the target is offered the same certificate by another account.
    pub fn begin_transfer(
        &mut self,
        current: &CertificateRecord,
        target: AccountId,
        message: Option<&str>,
        generation_id: &str,
        now: Timestamp,
    ) {
        let mut params = as_read(current);
        params.extend(params![CertificateStatus::PendingTransfer.as_str(), generation_id, now]);
        self.write(
            1,
            "UPDATE certificates SET status = $6, generation_id = $7, last_modified_at = $8, \
             customer_version = customer_version + 1 WHERE certificate_id = $1 AND account = $2 AND region = $3 \
             AND customer_version = $4 AND generation_id = $5 AND policy_count = 0 AND thing_count = 0",
            params,
        );
        let (id, Scope { account, region }) = key(current);
        self.write(
            1,
            "INSERT INTO transfers (certificate_id, account, region, certificate_created_at, source, target, \
             transfer_message, transfer_date, is_pending) VALUES ($1, $2, $3, $4, $2, $5, $6, $7, 1) \
             ON CONFLICT (certificate_id, account, region) DO UPDATE SET source = excluded.source, \
             target = excluded.target, transfer_message = excluded.transfer_message, \
             transfer_date = excluded.transfer_date, accept_date = NULL, reject_date = NULL, reject_reason = NULL, \
             is_pending = 1",
            params![id, account, region, current.created_at, target, message.map(storable), now],
        );
    }

    /// Moves an offered certificate to its target, in `status`. Conflict when it changed, when the transfer is over, or when
    /// the target has the certificate already.
    pub fn accept_transfer(
        &mut self,
        current: &CertificateRecord,
        transfer: &TransferRecord,
        status: CertificateStatus,
        generation_id: &str,
        now: Timestamp,
    ) {
        let mut params = as_read(current);
        params.extend(params![status.as_str(), generation_id, now, transfer.target]);
        // Attachments stay with the source's policies and things, so there must be none.
        self.write(
            1,
            "UPDATE certificates SET account = $9, previous_owned_by = $2, status = $6, generation_id = $7, \
             last_modified_at = $8, customer_version = customer_version + 1 WHERE certificate_id = $1 AND account = $2 \
             AND region = $3 AND customer_version = $4 AND generation_id = $5 AND status = 'PENDING_TRANSFER' \
             AND policy_count = 0 AND thing_count = 0",
            params,
        );
        let (id, Scope { account, region }) = key(current);
        self.write(
            1,
            "UPDATE certificate_pems SET account = $4 WHERE certificate_id = $1 AND account = $2 AND region = $3",
            params![id, account, region, transfer.target],
        );
        self.write(
            1,
            "UPDATE transfers SET account = $4, accept_date = $5, is_pending = 0 WHERE certificate_id = $1 \
             AND account = $2 AND region = $3 AND target = $4 AND is_pending = 1",
            params![id, account, region, transfer.target, now],
        );
    }

    /// Gives an offered certificate back to its source, INACTIVE, because the target does not want it. Conflict when it
    /// changed or the transfer is over.
    pub fn reject_transfer(
        &mut self,
        current: &CertificateRecord,
        transfer: &TransferRecord,
        reason: Option<&str>,
        generation_id: &str,
        now: Timestamp,
    ) {
        self.take_back(current, generation_id, now);
        let (id, Scope { account, region }) = key(current);
        self.write(
            1,
            "UPDATE transfers SET reject_date = $5, reject_reason = $6, is_pending = 0 WHERE certificate_id = $1 \
             AND account = $2 AND region = $3 AND target = $4 AND is_pending = 1",
            params![id, account, region, transfer.target, now, reason.map(storable)],
        );
    }

    /// Takes an offer back: the certificate is the source's again, INACTIVE. Conflict when it changed or the transfer is
    /// over.
    pub fn cancel_transfer(
        &mut self,
        current: &CertificateRecord,
        transfer: &TransferRecord,
        generation_id: &str,
        now: Timestamp,
    ) {
        self.take_back(current, generation_id, now);
        let (id, Scope { account, region }) = key(current);
        self.write(
            1,
            "UPDATE transfers SET is_pending = 0 WHERE certificate_id = $1 AND account = $2 AND region = $3 \
             AND target = $4 AND is_pending = 1",
            params![id, account, region, transfer.target],
        );
    }

    fn take_back(&mut self, current: &CertificateRecord, generation_id: &str, now: Timestamp) {
        let mut params = as_read(current);
        params.extend(params![CertificateStatus::Inactive.as_str(), generation_id, now]);
        self.write(
            1,
            "UPDATE certificates SET status = $6, generation_id = $7, last_modified_at = $8, \
             customer_version = customer_version + 1 WHERE certificate_id = $1 AND account = $2 AND region = $3 \
             AND customer_version = $4 AND generation_id = $5 AND status = 'PENDING_TRANSFER'",
            params,
        );
    }
}
